//! What a framework's and its agents' capabilities let it be offered (Mesos: ALL-08).

use tepui_model::{AgentCapability, Capabilities, Capability, Resources, Role, Traits};

use super::AgentProfile;
use crate::options::Options;

/// What matters to the allocator of what a framework understands in a role, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Class(u8);

const REVOCABLE: u8 = 1;
const SHARED: u8 = 2;
const REFINED: u8 = 4;
/// May be offered agents with GPUs.
const GPUS: u8 = 8;
/// May be offered agents of another region than the master's.
const REMOTE: u8 = 16;
/// May be offered agents that know only frameworks of one role.
const SINGLE_ROLE: u8 = 32;
/// May be offered agents that know no roles below others.
const FLAT_ROLE: u8 = 64;

/// What a whole agent can need.
const OF_AGENTS: u8 = GPUS | REMOTE | SINGLE_ROLE | FLAT_ROLE;

impl Class {
    /// What a framework with those capabilities can be offered in that role.
    pub(crate) fn of(capabilities: Capabilities, role: &Role) -> Self {
        let has = |capability| capabilities.has(capability);
        let bits = [
            (has(Capability::RevocableResources), REVOCABLE),
            (has(Capability::SharedResources), SHARED),
            (has(Capability::ReservationRefinement), REFINED),
            (has(Capability::GpuResources), GPUS),
            (has(Capability::RegionAware), REMOTE),
            (!has(Capability::MultiRole), SINGLE_ROLE),
            (role.parent().is_none(), FLAT_ROLE),
        ];
        Self::from_bits(bits)
    }

    /// What it takes to be offered anything of an agent; `region` is the master's.
    pub(crate) fn barrier(agent: &AgentProfile, options: &Options, region: Option<&str>) -> Self {
        let gpus = options.withhold_gpus && agent.total.gpus().is_positive();
        let domain = agent.domain.as_ref();
        let remote = domain.is_some_and(|domain| region.is_some_and(|own| *domain.region != *own));
        let lacks = |capability| !agent.capabilities.has(capability);
        Self::from_bits([
            (gpus, GPUS),
            (remote, REMOTE),
            (lacks(AgentCapability::MultiRole), SINGLE_ROLE),
            (lacks(AgentCapability::HierarchicalRole), FLAT_ROLE),
        ])
    }

    fn from_bits<const COUNT: usize>(bits: [(bool, u8); COUNT]) -> Self {
        let set = bits.into_iter().filter(|(set, _)| *set);
        Self(set.fold(0, |all, (_, bit)| all | bit))
    }

    /// What it takes to be offered all of `resources` of an agent with that barrier.
    pub(crate) fn needed(resources: &Resources, barrier: Self) -> Self {
        let needs = resources.bundles().map(|(traits, ..)| needed_for(traits));
        needs.fold(barrier, |all, need| Self(all.0 | need))
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

    /// Whether an agent that needs that can be offered at all.
    pub(crate) const fn admits_agent(self, needed: Self) -> bool {
        needed.0 & OF_AGENTS & !self.0 == 0
    }

    /// What an agent with that barrier is that a framework of this class does not know.
    pub(crate) fn lacks(self, barrier: Self) -> Vec<&'static str> {
        let words = [
            (GPUS, "kept for frameworks with GPU_RESOURCES"),
            (
                REMOTE,
                "in another region, for frameworks with REGION_AWARE",
            ),
            (SINGLE_ROLE, "too old for frameworks with MULTI_ROLE"),
            (FLAT_ROLE, "too old for roles below others"),
        ];
        let missing = barrier.0 & !self.0;
        let lacking = words.into_iter().filter(|(bit, _)| missing & bit != 0);
        lacking.map(|(_, word)| word).collect()
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

    fn profile(text: &str) -> AgentProfile {
        AgentProfile::new(Resources::parse(text, &Role::default()).unwrap())
    }

    fn knows(capability: Capability) -> Class {
        Class::of(Capabilities::NONE.with(capability), &Role::default())
    }

    fn is_kept_back(agent: &AgentProfile, class: Class) -> bool {
        let barrier = Class::barrier(agent, &Options::default(), Some("north"));
        !class.admits_agent(Class::needed(&agent.total, barrier))
    }

    #[test]
    fn an_agent_with_gpus_is_for_frameworks_that_know_them() {
        let plain = Class::of(Capabilities::NONE, &Role::default());
        assert!(is_kept_back(&profile("gpus:1"), plain));
        assert_eq!(
            plain.lacks(Class(GPUS)),
            ["kept for frameworks with GPU_RESOURCES"]
        );
        assert!(!is_kept_back(
            &profile("gpus:1"),
            knows(Capability::GpuResources)
        ));
        assert!(!is_kept_back(&profile("cpus:1"), plain));
    }

    #[test]
    fn an_agent_of_another_region_is_for_frameworks_that_know_regions() {
        let domain = |region: &str| AgentProfile {
            domain: Some(tepui_model::FaultDomain {
                region: region.into(),
                zone: "a".into(),
            }),
            ..profile("cpus:1")
        };
        let plain = Class::of(Capabilities::NONE, &Role::default());
        assert!(is_kept_back(&domain("south"), plain));
        assert!(!is_kept_back(&domain("north"), plain));
        assert!(!is_kept_back(
            &domain("south"),
            knows(Capability::RegionAware)
        ));
    }

    #[test]
    fn an_old_agent_is_for_frameworks_of_one_role_at_the_top() {
        let old = AgentProfile {
            capabilities: tepui_model::AgentCapabilities::NONE,
            ..profile("cpus:1")
        };
        let below = Role::new("a/b").unwrap();
        assert!(!is_kept_back(
            &old,
            Class::of(Capabilities::NONE, &Role::default())
        ));
        assert!(is_kept_back(&old, Class::of(Capabilities::NONE, &below)));
        assert!(is_kept_back(&old, knows(Capability::MultiRole)));
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
        assert!(knows(Capability::RevocableResources).admits(&revocable));
        assert!(!knows(Capability::RevocableResources).admits(&shared));
        assert!(knows(Capability::SharedResources).admits(&shared));
        assert!(knows(Capability::MultiRole).admits(&Traits::plain()));
    }
}
