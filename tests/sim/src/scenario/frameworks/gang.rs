//! Gangs: frameworks whose tasks are of use only all together.

use core::ops::Range;
use std::sync::Arc;

use tepui_model::{Filters, Offer, OfferId, Time};

use super::calls::Wanted;
use crate::scenario::{
    file::Behaviour,
    tasks::{Belief, Task},
    world::World,
};

/// The gang that a framework runs, or waits for.
#[derive(Clone, Debug, Default)]
pub(super) struct Gang {
    /// Whether the master has been asked for it.
    pub(super) is_asked: bool,
    /// The tasks that were launched for it.
    tasks: Range<u32>,
    /// How many of them have run.
    ran: usize,
    /// How many of them have not ended.
    open: usize,
    /// When the first of them ran.
    first_ran: Option<Time>,
}

impl Gang {
    /// For how long some of it has run and some of it has not.
    pub(super) fn partly(&self, now: Time) -> Option<f64> {
        let first = self.first_ran.filter(|_| self.ran < self.tasks.len())?;
        Some(now.since(first).as_secs_f64())
    }
}

impl World<'_> {
    pub(super) fn is_gang(&self, framework: u32) -> bool {
        self.group_of(framework).behaviour == Behaviour::Gang
    }

    /// Asks for all that is to be launched, unless the master knows. Before the first ask it is
    /// suppressed: who has asked for nothing would be offered whatever there is.
    pub(super) fn ask_for_gang(&mut self, framework: u32) {
        let node = &mut self.frameworks[framework as usize];
        let Ok(count) = u32::try_from(node.pending) else {
            return;
        };
        if count == 0 || node.gang.is_asked || node.id.is_none() || node.connection.is_none() {
            return;
        }
        node.gang.is_asked = true;
        let is_first = core::mem::take(&mut node.is_suppressed);
        self.want(framework, Wanted::Gang(count));
        if is_first {
            self.want(framework, Wanted::Revive);
        }
    }

    /// Launches all or nothing on these offers.
    pub(super) fn answer_gang_offers(&mut self, framework: u32, offers: &[Arc<Offer>]) {
        let filters = self.group_of(framework).decline;
        let mut left = self.frameworks[framework as usize].pending;
        let (mut used, mut unused, mut agents) = (Vec::new(), Vec::new(), Vec::new());
        for offer in offers {
            let fit = match offer.unavailability {
                None => u64::from(self.wanted_of(framework, &offer.resources)).min(left),
                Some(_) => 0,
            };
            left -= fit;
            agents.extend((0..fit).map(|_| offer.agent_id.clone()));
            let pile = if fit > 0 { &mut used } else { &mut unused };
            pile.push(offer.id.clone());
        }
        if left > 0 {
            unused.append(&mut used);
        }
        if !used.is_empty() && !self.too_many_tasks() {
            let tasks = self.launch_gang(framework, agents.len() as u32);
            let wanted = Wanted::LaunchTogether {
                offers: used,
                tasks: tasks.zip(agents).collect(),
                filters,
            };
            self.want(framework, wanted);
        }
        self.decline(framework, unused, filters);
    }

    /// The tasks of the next gang.
    fn launch_gang(&mut self, framework: u32, count: u32) -> Range<u32> {
        let first = self.tasks.len() as u32;
        let node = &mut self.frameworks[framework as usize];
        let waited = node.take(count).into_iter();
        self.tasks
            .extend(waited.map(|since| Task::new(framework, since)));
        node.gang = Gang {
            tasks: first..first + count,
            open: count as usize,
            ..Gang::default()
        };
        self.measures.groups[node.group as usize].launched += u64::from(count);
        first..first + count
    }

    pub(super) fn decline(&mut self, framework: u32, offers: Vec<OfferId>, filters: Filters) {
        if !offers.is_empty() {
            self.want(framework, Wanted::Decline { offers, filters });
        }
    }

    /// A member runs. When the last does, the gang is whole.
    pub(super) fn gang_runs(&mut self, framework: u32) {
        let now = self.now;
        let node = &mut self.frameworks[framework as usize];
        let gang = &mut node.gang;
        gang.ran += 1;
        let first = *gang.first_ran.get_or_insert(now);
        if gang.ran == gang.tasks.len() {
            let book = &mut self.measures.groups[node.group as usize];
            book.gangs += 1;
            book.partly(now.since(first).as_secs_f64());
        }
    }

    /// A member has finished. After the last comes the next gang.
    pub(super) fn gang_member_ends(&mut self, framework: u32) {
        let node = &mut self.frameworks[framework as usize];
        node.gang.open = node.gang.open.saturating_sub(1);
        if node.gang.open == 0 && node.pending == 0 && node.jobs_left > 0 {
            self.submit(framework);
        }
    }

    /// A member is lost: what the others do is of no use, and all that has not finished is wanted
    /// anew.
    pub(super) fn break_up_gang(&mut self, framework: u32) {
        let now = self.now;
        let node = &mut self.frameworks[framework as usize];
        let gang = core::mem::take(&mut node.gang);
        let group = node.group as usize;
        if let Some(span) = gang.partly(now) {
            self.measures.groups[group].partly(span);
        }
        for number in gang.tasks {
            let belief = self.tasks[number as usize].belief;
            if matches!(belief, Belief::Launched | Belief::Running) {
                self.measures.groups[group].moved += 1;
                self.want(framework, Wanted::Kill(number));
                self.give_up(number);
            }
        }
    }
}
