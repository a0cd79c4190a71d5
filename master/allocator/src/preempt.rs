//! Whom to take resources from for somebody of a higher priority: a proposal; the caller decides,
//! gives notice and kills.

mod trial;

use std::collections::BTreeMap;

use tepui_model::{FrameworkKey, Resources, Role};

pub use self::trial::{Trial, Wanted};

/// What could be taken back on one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// What it is called by the caller.
    pub id: u64,
    /// Who holds it.
    pub framework: FrameworkKey,
    /// In which role.
    pub role: Role,
    /// Whether whoever asks comes before it by priority. If not, it is safe unless revocable.
    pub yields: bool,
    /// The priority of its role, then its own: the lower goes first.
    pub rank: (i32, i32),
    /// What it holds.
    pub resources: Resources,
    /// The budget that its end would be charged to, if it has one.
    pub budget: Option<u64>,
}

impl Holding {
    /// Whether any of it is revocable: then its end may come at any time (Mesos: REV-01).
    #[must_use]
    pub fn is_revocable(&self) -> bool {
        self.resources
            .bundles()
            .any(|(traits, ..)| traits.revocable)
    }

    /// Whether any of it is of a kind that is wanted.
    fn helps(&self, wanted: &Resources) -> bool {
        let names = |resources: &Resources| {
            let bundles = resources.bundles();
            let names = bundles.flat_map(|(traits, amounts, _)| {
                let name = move |(name, _): (&str, _)| (traits.revocable, name.to_owned());
                amounts.iter().map(name).collect::<Vec<_>>()
            });
            names.collect::<Vec<_>>()
        };
        let own = names(&self.resources);
        names(wanted).iter().any(|name| own.contains(name))
    }
}

/// How many more holdings of each budget may be taken; one that is not named has none left.
pub type Budgets = BTreeMap<u64, u32>;

/// The holdings to take back so that it is enough; nothing, if that cannot be. No holding that does
/// not yield is among them, unless it is revocable.
///
/// Revocable ones go before regular ones, then those of the lowest rank; and none that turns out
/// not to be needed.
pub(crate) fn victims<'a>(
    holdings: impl IntoIterator<Item = &'a Holding>,
    budgets: &Budgets,
    mut enough: impl FnMut(&[&Holding]) -> bool,
) -> Option<Vec<u64>> {
    let may_go = |holding: &&Holding| holding.is_revocable() || holding.yields;
    let mut order: Vec<&Holding> = holdings.into_iter().filter(may_go).collect();
    order.sort_by_key(|holding| (!holding.is_revocable(), holding.rank, holding.id));
    let mut left = budgets.clone();
    order.retain(|holding| match holding.budget {
        None => true,
        Some(budget) => match left.get_mut(&budget) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        },
    });
    if !enough(&order) {
        return None;
    }
    // The shortest row of first ones that is enough.
    let (mut few, mut many) = (0, order.len());
    while few < many {
        let middle = few.midpoint(many);
        if enough(&order[..middle]) {
            many = middle;
        } else {
            few = middle + 1;
        }
    }
    let mut needed = order[..many].to_vec();
    // The last ones taken are the dearest: they are spared first.
    for at in (0..many).rev() {
        let spared = needed.remove(at);
        if !enough(&needed) {
            needed.insert(at, spared);
        }
    }
    Some(needed.into_iter().map(|holding| holding.id).collect())
}

#[cfg(test)]
mod tests;
