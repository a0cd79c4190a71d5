//! Whom to take resources from for somebody of a higher priority: a proposal; the caller decides,
//! gives notice and kills.

use std::collections::BTreeMap;

use tepui_model::Resources;

/// What could be taken back on one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// What it is called by the caller.
    pub id: u64,
    /// The priority of its role.
    pub priority: i32,
    /// What it holds.
    pub resources: Resources,
    /// The budget that its end would be charged to, if it has one.
    pub budget: Option<u64>,
}

impl Holding {
    fn is_revocable(&self) -> bool {
        self.resources
            .bundles()
            .any(|(traits, ..)| traits.revocable)
    }
}

/// The holdings to take back so that `wanted` is free on an agent for a role of that priority;
/// nothing, if that cannot be. No holding of the same or a higher priority is among them, unless
/// it is revocable.
///
/// Revocable ones go before regular ones, then those of the lowest priority; and none that turns
/// out not to be needed. `budgets` says how many more holdings of each budget may be taken; one
/// that is not named has none left.
#[must_use]
pub fn victims(
    wanted: &Resources,
    priority: i32,
    free: &Resources,
    holdings: &[Holding],
    budgets: &BTreeMap<u64, u32>,
) -> Option<Vec<u64>> {
    let mut order: Vec<&Holding> = holdings
        .iter()
        .filter(|holding| holding.is_revocable() || holding.priority < priority)
        .collect();
    order.sort_by_key(|holding| (!holding.is_revocable(), holding.priority, holding.id));
    let mut budgets = budgets.clone();
    let (mut freed, mut taken) = (free.clone(), Vec::new());
    for holding in order {
        if freed.contains(wanted) {
            break;
        }
        if let Some(budget) = holding.budget {
            match budgets.get_mut(&budget) {
                Some(left) if *left > 0 => *left -= 1,
                _ => continue,
            }
        }
        freed += &holding.resources;
        taken.push(holding);
    }
    if !freed.contains(wanted) {
        return None;
    }
    // The last ones taken are the dearest: they are spared first.
    let mut needed = taken.clone();
    for holding in taken.into_iter().rev() {
        let spared = freed.checked_sub(&holding.resources);
        if let Ok(left) = spared.map(|left| (left.contains(wanted), left))
            && left.0
        {
            freed = left.1;
            needed.retain(|other| other.id != holding.id);
        }
    }
    Some(needed.into_iter().map(|holding| holding.id).collect())
}

#[cfg(test)]
mod tests {
    use tepui_model::{Quantity, Role, Traits, Value};

    use super::*;

    fn parse(text: &str) -> Resources {
        Resources::parse(text, &Role::default()).unwrap()
    }

    fn holding(id: u64, priority: i32, resources: &str) -> Holding {
        Holding {
            id,
            priority,
            resources: parse(resources),
            budget: None,
        }
    }

    fn chosen(wanted: &str, holdings: &[Holding], budgets: &[(u64, u32)]) -> Option<Vec<u64>> {
        let budgets = budgets.iter().copied().collect();
        victims(&parse(wanted), 5, &parse("cpus:1"), holdings, &budgets)
    }

    #[test]
    fn the_lowest_priority_goes_first_and_nobody_who_is_not_needed() {
        let holdings = [
            holding(1, 3, "cpus:2"),
            holding(2, 1, "cpus:1"),
            holding(3, 5, "cpus:9"),
        ];
        assert_eq!(chosen("cpus:1", &holdings, &[]), Some(vec![]));
        assert_eq!(chosen("cpus:2", &holdings, &[]), Some(vec![2]));
        assert_eq!(
            chosen("cpus:3", &holdings, &[]),
            Some(vec![1]),
            "2 is not needed"
        );
        assert_eq!(chosen("cpus:4", &holdings, &[]), Some(vec![2, 1]));
        assert_eq!(
            chosen("cpus:5", &holdings, &[]),
            None,
            "its equals are safe"
        );
    }

    #[test]
    fn revocable_holdings_go_before_regular_ones() {
        let revocable = Traits {
            revocable: true,
            ..Traits::plain()
        };
        let mut high = holding(1, 9, "cpus:3");
        high.resources
            .insert(&revocable, "mem", &Value::Scalar(Quantity::from_units(1)));
        let holdings = [holding(2, 0, "cpus:3"), high];
        assert_eq!(chosen("cpus:4", &holdings, &[]), Some(vec![1]));
    }

    #[test]
    fn a_budget_is_never_overdrawn() {
        let budgeted = |id| Holding {
            budget: Some(7),
            ..holding(id, 0, "cpus:1")
        };
        let holdings = [budgeted(1), budgeted(2), holding(3, 1, "cpus:1")];
        assert_eq!(chosen("cpus:3", &holdings, &[(7, 1)]), Some(vec![1, 3]));
        assert_eq!(chosen("cpus:4", &holdings, &[(7, 1)]), None);
        assert_eq!(chosen("cpus:2", &holdings, &[]), Some(vec![3]));
    }
}
