//! Why offer constraints are refused, in Mesos' words where Mesos refuses them too.

use tepui_model::Role;

use crate::limits::{MAX_CONSTRAINT_TEXT_BYTES, MAX_CONSTRAINTS, MAX_EXPRESSIONS};

/// Why the offer constraints of a role are refused (Mesos: OFF-14).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConstraints {
    /// A role without groups.
    #[error(
        "'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role {0}"
    )]
    NoGroups(Role),
    /// A group without constraints.
    #[error(
        "'OfferConstraints::RoleConstraints::groups' for role {0} contains an empty \
         RoleConstraints::Group"
    )]
    EmptyGroup(Role),
    /// More than anybody needs.
    #[error("A role {0} has more than {MAX_CONSTRAINTS} constraints")]
    TooMany(Role),
    /// More regular expressions than an agent can be tried on in good time.
    #[error("A role {0} has more than {MAX_EXPRESSIONS} regular expressions")]
    TooManyExpressions(Role),
    /// One of them makes no sense.
    #[error("A role {role} has an invalid 'AttributeConstraint': {cause}")]
    Constraint {
        /// Of which role.
        role: Role,
        /// What is wrong with it.
        cause: InvalidConstraint,
    },
}

/// Why one constraint is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConstraint {
    /// Neither a name nor a property of agents is selected.
    #[error(
        "Exactly one of 'AttributeConstraint::Selector::name' or \
         'AttributeConstraint::Selector::pseudoattribute_type' must be set"
    )]
    NoSelector,
    /// A property of agents that we do not know.
    #[error("Unknown pseudoattribute type")]
    Pseudoattribute,
    /// A predicate that we do not know, or none.
    #[error("Unknown predicate type")]
    Predicate,
    /// A name or text that is too long.
    #[error("a name or text has more than {MAX_CONSTRAINT_TEXT_BYTES} bytes")]
    TextTooLong,
    /// An expression that is too long for the memory that it may take.
    #[error("a regular expression has {have} bytes, {most} are allowed")]
    RegexTooLong {
        /// How long it is.
        have: usize,
        /// What is allowed.
        most: usize,
    },
    /// No regular expression.
    #[error("Failed to construct regex from pattern '{pattern}': {cause}")]
    Regex {
        /// The expression.
        pattern: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A regular expression that takes more than is allowed.
    #[error(
        "Regex '{pattern}' is too complex: program size is larger than maximum of {most} allowed"
    )]
    RegexTooComplex {
        /// The expression.
        pattern: String,
        /// The instructions that are allowed.
        most: usize,
    },
}
