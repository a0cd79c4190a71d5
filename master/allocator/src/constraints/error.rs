//! Why offer constraints are refused.

use crate::limits::{MAX_CONSTRAINT_TEXT_BYTES, MAX_CONSTRAINTS};

/// Why offer constraints are refused (Mesos: OFF-14).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConstraints {
    /// A role without groups.
    #[error("'OfferConstraints.RoleConstraints' must have at least one group")]
    NoGroups,
    /// A group without constraints.
    #[error("'OfferConstraints.RoleConstraints.Group' must have at least one constraint")]
    EmptyGroup,
    /// More than anybody needs.
    #[error("'OfferConstraints.RoleConstraints' has more than {MAX_CONSTRAINTS} constraints")]
    TooMany,
    /// A constraint that selects nothing that we know.
    #[error("'AttributeConstraint.Selector' must be HOSTNAME, REGION, ZONE or an attribute's name")]
    Selector,
    /// A constraint that asks for nothing that we know.
    #[error("'AttributeConstraint.Predicate' is unset or unknown")]
    Predicate,
    /// A name or text that is too long.
    #[error("'AttributeConstraint': a text has more than {MAX_CONSTRAINT_TEXT_BYTES} bytes")]
    TextTooLong,
    /// No regular expression.
    #[error("Failed to construct regex from pattern '{pattern}': {cause}")]
    Regex {
        /// The expression.
        pattern: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A regular expression that takes more memory than is allowed.
    #[error("Regex '{pattern}' is too complex: it needs more than {bytes} bytes")]
    RegexTooComplex {
        /// The expression.
        pattern: String,
        /// What is allowed.
        bytes: usize,
    },
}
