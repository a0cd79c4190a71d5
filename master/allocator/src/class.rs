//! What a framework's capabilities let it be offered (Mesos: ALL-08).

use tepui_model::{Capabilities, Capability, Resources, Traits};

/// The capabilities that matter to the allocator, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Class(u8);

const REVOCABLE: u8 = 1;
const SHARED: u8 = 2;
const REFINED: u8 = 4;
const GPUS: u8 = 8;

impl Class {
    /// What a framework with those capabilities can be offered.
    pub(crate) fn of(capabilities: Capabilities) -> Self {
        let bits = [
            (Capability::RevocableResources, REVOCABLE),
            (Capability::SharedResources, SHARED),
            (Capability::ReservationRefinement, REFINED),
            (Capability::GpuResources, GPUS),
        ];
        let has = |(capability, bit)| if capabilities.has(capability) { bit } else { 0 };
        Self(bits.map(has).into_iter().fold(0, |all, bit| all | bit))
    }

    /// What it takes to be offered all of `resources`; `gpus` says that the agent is kept for
    /// frameworks that know GPUs.
    pub(crate) fn needed(resources: &Resources, gpus: bool) -> Self {
        let needs = resources.bundles().map(|(traits, ..)| needed_for(traits));
        needs.fold(Self(if gpus { GPUS } else { 0 }), |all, need| {
            Self(all.0 | need)
        })
    }

    /// The part of this class that makes a difference where `needed` is needed.
    pub(crate) const fn within(self, needed: Self) -> Self {
        Self(self.0 & needed.0)
    }

    /// Whether every framework is offered everything where this is needed.
    pub(crate) const fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// Whether resources with those traits can be offered.
    pub(crate) fn admits(self, traits: &Traits) -> bool {
        needed_for(traits) & !self.0 == 0
    }

    /// Whether an agent that needs that can be offered at all: of one with GPUs a framework that
    /// does not know them gets nothing.
    pub(crate) const fn admits_agent(self, needed: Self) -> bool {
        needed.0 & GPUS == 0 || self.0 & GPUS != 0
    }
}

const fn needed_for(traits: &Traits) -> u8 {
    let revocable = if traits.revocable { REVOCABLE } else { 0 };
    let shared = if traits.shared { SHARED } else { 0 };
    let refined = if traits.reservations.len() > 1 {
        REFINED
    } else {
        0
    };
    revocable | shared | refined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gpus_keep_a_whole_agent_back() {
        let plain = Class::of(Capabilities::NONE);
        let needed = Class::needed(&Resources::new(), true);
        assert!(!plain.admits_agent(needed));
        let gpus = Class::of(Capabilities::NONE.with(Capability::GpuResources));
        assert!(gpus.admits_agent(needed));
        assert!(plain.admits_agent(Class::needed(&Resources::new(), false)));
        assert!(Class::needed(&Resources::new(), false).is_nothing());
    }

    #[test]
    fn each_trait_needs_its_capability() {
        let revocable = Traits {
            revocable: true,
            ..Traits::plain()
        };
        let shared = Traits {
            shared: true,
            ..Traits::plain()
        };
        let knows = |capability| Class::of(Capabilities::NONE.with(capability));
        assert!(knows(Capability::RevocableResources).admits(&revocable));
        assert!(!knows(Capability::RevocableResources).admits(&shared));
        assert!(knows(Capability::SharedResources).admits(&shared));
        assert!(knows(Capability::MultiRole).admits(&Traits::plain()));
    }
}
