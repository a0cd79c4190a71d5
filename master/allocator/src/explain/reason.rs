//! The reasons, in words.

use std::{fmt, sync::Arc};

use tepui_model::{FrameworkKey, Kind, Quantity, Resources, Role, Scalars, Time};

use crate::demand::Ask;

/// Why a framework is not offered anything of an agent in a role.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Nothing is in the way: it is offered the agent once those before it have been asked.
    NobodyElse,
    /// The agent is not offered: it is disconnected, deactivated or draining.
    AgentInactive,
    /// The whitelist does not name the agent (Mesos: OFF-20).
    NotListed,
    /// Everything on it is held, by tasks or by offers.
    NothingFree,
    /// All that is free is reserved to other roles, or needs a capability that the framework
    /// lacks.
    ReservedFor {
        /// The roles.
        roles: Vec<Role>,
    },
    /// What it could be offered is set aside for another framework.
    HeldFor {
        /// That one, or the first of them.
        framework: FrameworkKey,
    },
    /// The framework has refused it (Mesos: OFF-07).
    Filtered {
        /// Until when.
        until: Time,
        /// What it refused.
        refused: Resources,
    },
    /// Its constraints exclude the agent (Mesos: OFF-14).
    Excluded {
        /// The constraint of each group that does.
        constraints: Vec<String>,
    },
    /// It does not understand what the agent needs (Mesos: ALL-08).
    CapabilityMissing {
        /// In words.
        what: Vec<&'static str>,
    },
    /// A limit leaves too little (Mesos: QUO-01).
    QuotaLimit {
        /// The role whose limit it is: the framework's or one above.
        role: Role,
        /// What is free but beyond the limit.
        beyond: Scalars,
    },
    /// What is free is kept for guarantees of others (Mesos: ALL-05).
    KeptForGuarantees {
        /// What of the agent.
        kept: Scalars,
    },
    /// What it could have is too little for an offer (Mesos: OFF-17).
    BelowMinimum {
        /// What that is.
        left: Resources,
    },
    /// None of its asks fits.
    DoesNotFit {
        /// The one that comes closest.
        ask: Ask,
        /// What is missing for it.
        missing: Scalars,
    },
    /// It asks for a gang, which is offered as a whole or not at all.
    GangIncomplete {
        /// The gang that comes closest.
        name: Arc<str>,
        /// How many copies of its asks find no place.
        missing: u32,
    },
    /// It has asked for nothing that has not been offered to it.
    NothingAsked,
}

impl Reason {
    /// Whether two reasons are of the same sort, and counted together.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::QuotaLimit { role: one, .. }, Self::QuotaLimit { role: two, .. }) => one == two,
            (Self::HeldFor { framework: one }, Self::HeldFor { framework: two }) => one == two,
            (Self::ReservedFor { roles: one }, Self::ReservedFor { roles: two }) => one == two,
            (Self::Excluded { constraints: one }, Self::Excluded { constraints: two }) => {
                one == two
            }
            _ => core::mem::discriminant(self) == core::mem::discriminant(other),
        }
    }

    /// Whether this, of the same sort, is closer to an offer.
    pub(super) fn is_nearer_than(&self, other: &Self) -> bool {
        let size = |scalars: &Scalars| {
            let millis = |(_, quantity): (Kind, Quantity)| quantity.millis();
            scalars.iter().map(millis).fold(0_i64, i64::saturating_add)
        };
        match (self, other) {
            (Self::Filtered { until: one, .. }, Self::Filtered { until: two, .. }) => one < two,
            (Self::DoesNotFit { missing: one, .. }, Self::DoesNotFit { missing: two, .. }) => {
                size(one) < size(two)
            }
            (Self::BelowMinimum { left: one }, Self::BelowMinimum { left: two }) => {
                size(&one.scalars()) > size(&two.scalars())
            }
            _ => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodyElse => formatter.write_str("offered when those before it have been asked"),
            Self::AgentInactive => formatter.write_str("the agent is inactive"),
            Self::NotListed => formatter.write_str("the whitelist does not name the agent"),
            Self::NothingFree => formatter.write_str("nothing is free"),
            Self::ReservedFor { roles } => {
                let roles: Vec<&str> = roles.iter().map(Role::as_str).collect();
                write!(
                    formatter,
                    "what is free is reserved to {}",
                    roles.join(", ")
                )
            }
            Self::HeldFor { framework } => write!(formatter, "held for {framework}"),
            Self::Filtered { until, refused } => {
                write!(
                    formatter,
                    "refused '{refused}' until {} us",
                    until.as_micros()
                )
            }
            Self::Excluded { constraints } => {
                write!(formatter, "excluded by: {}", constraints.join("; or "))
            }
            Self::CapabilityMissing { what } => {
                write!(formatter, "the agent is {}", what.join(" and "))
            }
            Self::QuotaLimit { role, beyond } => {
                write!(formatter, "the limit of role {role} leaves no '{beyond}'")
            }
            Self::KeptForGuarantees { kept } => {
                write!(formatter, "'{kept}' is kept for guarantees of others")
            }
            Self::BelowMinimum { left } => {
                write!(formatter, "'{left}' is too little for an offer")
            }
            Self::DoesNotFit { ask, missing } => {
                write!(formatter, "'{}' does not fit by '{missing}'", ask.resources)
            }
            Self::GangIncomplete { name, missing: 0 } => {
                write!(
                    formatter,
                    "all of gang '{name}' together is more than it may have"
                )
            }
            Self::GangIncomplete { name, missing } => {
                write!(formatter, "{missing} of gang '{name}' find no place")
            }
            Self::NothingAsked => formatter.write_str("all that it asked for has been offered"),
        }
    }
}
