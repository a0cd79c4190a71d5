//! In which roles the framework wants offers, and what of that the master has not heard yet.

use std::collections::BTreeSet;

use tepui_model::Role;

/// See the module.
#[derive(Debug)]
pub(crate) struct Wishes {
    /// All roles of the framework.
    roles: Vec<String>,
    suppressed: BTreeSet<String>,
    /// Wishes between two subscriptions, or while one is on its way.
    unsaid: BTreeSet<String>,
}

impl Wishes {
    /// Wants offers in all of these roles.
    pub(crate) fn new(roles: Vec<String>) -> Self {
        Self {
            roles,
            suppressed: BTreeSet::new(),
            unsaid: BTreeSet::new(),
        }
    }

    /// What SUBSCRIBE is to say.
    pub(crate) fn suppressed(&self) -> Vec<String> {
        self.suppressed.iter().cloned().collect()
    }

    /// Wants offers, or none, in `roles`; in all when there are none. `said` when the master hears
    /// of it now.
    pub(crate) fn wish(&mut self, roles: &[Role], offers: bool, said: bool) {
        let named = match roles {
            [] => self.roles.clone(),
            roles => roles.iter().map(Role::to_string).collect(),
        };
        for role in named {
            if !said {
                self.unsaid.insert(role.clone());
            }
            if offers {
                self.suppressed.remove(&role);
            } else {
                self.suppressed.insert(role);
            }
        }
    }

    /// The roles to revive and those to suppress, now that the master listens.
    pub(crate) fn take_unsaid(&mut self) -> (Vec<String>, Vec<String>) {
        let unsaid = std::mem::take(&mut self.unsaid);
        unsaid
            .into_iter()
            .partition(|role| !self.suppressed.contains(role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wish_of_each_role_counts_and_is_said_once() {
        let mut wishes = Wishes::new(vec!["a".into(), "b".into(), "c".into()]);
        wishes.wish(&[], false, false);
        wishes.wish(&[Role::new("b").unwrap()], true, false);
        assert_eq!(wishes.suppressed(), ["a", "c"]);
        let (revived, suppressed) = wishes.take_unsaid();
        assert_eq!(
            (revived, suppressed),
            (vec!["b".into()], vec!["a".into(), "c".into()])
        );
        wishes.wish(&[], true, true);
        assert_eq!(wishes.take_unsaid(), (vec![], vec![]));
    }
}
