//! What frameworks understand, and what agents can do.

use std::fmt;

use tepui_proto::v1;

/// Makes an enum of capabilities and the set of them, from and to their messages.
macro_rules! capabilities {
    (
        $(#[$one_doc:meta])*
        $one:ident,
        $(#[$set_doc:meta])*
        $set:ident,
        $wire:ident: $($(#[$doc:meta])* $name:ident = $number:literal,)+
    ) => {
        $(#[$one_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $one {
            $($(#[$doc])* $name = $number,)+
        }

        impl $one {
            /// Every capability, in the order of its number.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$name),+];

            /// The capability of that type on the wire; none if it is unknown.
            #[must_use]
            pub fn from_proto(wire: v1::$wire::capability::Type) -> Option<Self> {
                Self::ALL
                    .into_iter()
                    .find(|capability| capability.to_proto() == wire)
            }

            /// The type on the wire.
            #[must_use]
            pub const fn to_proto(self) -> v1::$wire::capability::Type {
                match self {
                    $(Self::$name => v1::$wire::capability::Type::$name,)+
                }
            }

            /// Mesos' name.
            #[must_use]
            pub fn name(self) -> &'static str {
                self.to_proto().as_str_name()
            }
        }

        impl fmt::Display for $one {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.name())
            }
        }

        $(#[$set_doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $set(u16);

        impl $set {
            /// None.
            pub const NONE: Self = Self(0);

            /// Whether the capability is there.
            #[must_use]
            pub const fn has(self, capability: $one) -> bool {
                self.0 & (1 << capability as u8) != 0
            }

            /// The set with the capability.
            #[must_use]
            pub const fn with(self, capability: $one) -> Self {
                Self(self.0 | (1 << capability as u8))
            }

            /// The capabilities in the order of their numbers.
            pub fn iter(self) -> impl Iterator<Item = $one> {
                $one::ALL
                    .into_iter()
                    .filter(move |capability| self.has(*capability))
            }

            /// The set for the wire.
            #[must_use]
            pub fn to_proto(self) -> Vec<v1::$wire::Capability> {
                let wire = |capability: $one| v1::$wire::Capability {
                    r#type: Some(capability.to_proto().into()),
                };
                self.iter().map(wire).collect()
            }
        }

        impl FromIterator<$one> for $set {
            fn from_iter<I: IntoIterator<Item = $one>>(capabilities: I) -> Self {
                capabilities.into_iter().fold(Self::NONE, Self::with)
            }
        }

        impl From<&[v1::$wire::Capability]> for $set {
            /// What is unknown is passed over: the other side is newer than we are.
            fn from(wire: &[v1::$wire::Capability]) -> Self {
                wire.iter()
                    .filter_map(|wire| $one::from_proto(wire.r#type()))
                    .collect()
            }
        }
    };
}

capabilities! {
    /// What a framework understands (Mesos: FWK-06).
    Capability,
    /// A set of capabilities.
    Capabilities,
    framework_info:
    /// Resources that can be taken back at any time.
    RevocableResources = 1,
    /// The state `TASK_KILLING`.
    TaskKillingState = 2,
    /// Agents with GPUs.
    GpuResources = 3,
    /// Volumes that several tasks use at once.
    SharedResources = 4,
    /// Tasks that are unreachable rather than lost.
    PartitionAware = 5,
    /// Several roles.
    MultiRole = 6,
    /// Stacks of reservations.
    ReservationRefinement = 7,
    /// Agents of other regions.
    RegionAware = 8,
}

capabilities! {
    /// What an agent can do (Mesos: AGT-08).
    AgentCapability,
    /// A set of what an agent can do.
    AgentCapabilities,
    agent_info:
    /// Resources allocated to several roles of one framework.
    MultiRole = 1,
    /// Reservations to roles below others.
    HierarchicalRole = 2,
    /// Stacks of reservations.
    ReservationRefinement = 3,
    /// Storage that comes from a resource provider.
    ResourceProvider = 4,
    /// Volumes that grow and shrink.
    ResizeVolume = 5,
    /// Operations whose end is told.
    AgentOperationFeedback = 6,
    /// Draining on its own.
    AgentDraining = 7,
    /// Limits beside requests.
    TaskResourceLimits = 8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_go_over_the_wire_and_unknown_ones_are_passed_over() {
        let all: Capabilities = Capability::ALL.into_iter().collect();
        assert_eq!(Capabilities::from(all.to_proto().as_slice()), all);
        let unknown = v1::framework_info::Capability { r#type: Some(999) };
        assert_eq!(Capabilities::from([unknown].as_slice()), Capabilities::NONE);
        assert_eq!(Capability::PartitionAware.to_string(), "PARTITION_AWARE");
    }

    #[test]
    fn what_agents_can_do_goes_over_the_wire_too() {
        let all: AgentCapabilities = AgentCapability::ALL.into_iter().collect();
        assert_eq!(AgentCapabilities::from(all.to_proto().as_slice()), all);
        assert_eq!(all.iter().count(), 8);
        assert_eq!(AgentCapability::ResizeVolume.to_string(), "RESIZE_VOLUME");
    }
}
