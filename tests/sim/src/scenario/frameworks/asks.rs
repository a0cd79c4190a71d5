//! Frameworks that state by REQUEST how many tasks they wait for.

use super::calls::Wanted;
use crate::scenario::world::World;

impl World<'_> {
    pub(super) fn is_asker(&self, framework: u32) -> bool {
        self.group_of(framework).asks
    }

    /// States what is to be launched, unless the master knows; and that nothing is wanted when
    /// nothing is. It is suppressed before the first ask: who has asked for nothing would be
    /// offered whatever there is.
    pub(super) fn ask_for_tasks(&mut self, framework: u32) {
        let node = &mut self.frameworks[framework as usize];
        if node.id.is_none() || node.connection.is_none() {
            return;
        }
        let pending = u32::try_from(node.pending).unwrap_or(u32::MAX);
        let is_idle = pending == 0;
        let says_anew = !is_idle && node.asked != pending;
        let turns = node.is_suppressed != is_idle;
        (node.asked, node.is_suppressed) = (pending, is_idle);
        if says_anew {
            self.want(framework, Wanted::Tasks(pending));
        }
        if turns && is_idle {
            self.want(framework, Wanted::Suppress);
        } else if turns {
            self.want(framework, Wanted::Revive);
        }
    }

    /// What is launched on an offer is asked for no longer.
    pub(super) fn uses_ask(&mut self, framework: u32, count: u32) {
        let node = &mut self.frameworks[framework as usize];
        node.asked = node.asked.saturating_sub(count);
    }
}
