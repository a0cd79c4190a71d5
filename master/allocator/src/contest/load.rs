//! What resources weigh in the sums over agents.

use tepui_model::{Resources, Scalars};

/// The scalars of what a client takes or gives back.
///
/// A shared volume weighs nothing: it is reserved, hence counted with its role's reservations, and
/// whoever uses it takes it from nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// All of them.
    pub(crate) all: Scalars,
    /// The unreserved and not revocable ones, if these are not all (Mesos: QUO-03).
    part: Option<Scalars>,
}

impl Load {
    pub(crate) fn of(resources: &Resources) -> Self {
        if resources.is_plain() {
            let all = resources.scalars();
            return Self { all, part: None };
        }
        Self {
            all: resources.scalars_of(|traits| !traits.shared),
            part: Some(open(resources)),
        }
    }

    /// What counts against quota.
    pub(crate) fn charged(&self) -> &Scalars {
        self.part.as_ref().unwrap_or(&self.all)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let mut charged = self.charged().clone();
        charged.add(other.charged());
        self.all.add(&other.all);
        self.part = (charged != self.all).then_some(charged);
    }
}

/// The scalars that quota is about: unreserved and not revocable.
pub(crate) fn open(resources: &Resources) -> Scalars {
    if resources.is_plain() {
        return resources.scalars();
    }
    resources
        .scalars_of(|traits| traits.reservations.is_empty() && !traits.revocable && !traits.shared)
}
