//! What frameworks understand.

use std::fmt;

use tepui_proto::v1::{self, framework_info::capability};

/// What a framework understands (Mesos: FWK-06).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Capability {
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

impl Capability {
    /// Every capability, in the order of its number.
    pub const ALL: [Self; 8] = [
        Self::RevocableResources,
        Self::TaskKillingState,
        Self::GpuResources,
        Self::SharedResources,
        Self::PartitionAware,
        Self::MultiRole,
        Self::ReservationRefinement,
        Self::RegionAware,
    ];

    /// The capability of that type on the wire; none if it is unknown.
    #[must_use]
    pub fn from_proto(wire: capability::Type) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|capability| capability.to_proto() == wire)
    }

    /// The type on the wire.
    #[must_use]
    pub const fn to_proto(self) -> capability::Type {
        match self {
            Self::RevocableResources => capability::Type::RevocableResources,
            Self::TaskKillingState => capability::Type::TaskKillingState,
            Self::GpuResources => capability::Type::GpuResources,
            Self::SharedResources => capability::Type::SharedResources,
            Self::PartitionAware => capability::Type::PartitionAware,
            Self::MultiRole => capability::Type::MultiRole,
            Self::ReservationRefinement => capability::Type::ReservationRefinement,
            Self::RegionAware => capability::Type::RegionAware,
        }
    }

    /// Mesos' name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.to_proto().as_str_name()
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u16);

impl Capabilities {
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether the capability is there.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }

    /// The set with the capability.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | (1 << capability as u8))
    }

    /// The capabilities in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL
            .into_iter()
            .filter(move |capability| self.has(*capability))
    }

    /// The set for the wire.
    #[must_use]
    pub fn to_proto(self) -> Vec<v1::framework_info::Capability> {
        let wire = |capability: Capability| v1::framework_info::Capability {
            r#type: Some(capability.to_proto().into()),
        };
        self.iter().map(wire).collect()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        capabilities.into_iter().fold(Self::NONE, Self::with)
    }
}

impl From<&[v1::framework_info::Capability]> for Capabilities {
    /// What is unknown is passed over: the framework is newer than we are.
    fn from(wire: &[v1::framework_info::Capability]) -> Self {
        wire.iter()
            .filter_map(|wire| Capability::from_proto(wire.r#type()))
            .collect()
    }
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
}
