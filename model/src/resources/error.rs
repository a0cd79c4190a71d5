//! Why resources are refused.

use crate::{InvalidId, InvalidQuantity, InvalidRole, limits::MAX_NAME_BYTES};

/// Why resources from outside are refused (Mesos: SPC-10).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// A resource without a name.
    #[error("Empty resource name")]
    EmptyName,
    /// A name too long, or with control characters.
    #[error("Resource name '{0}' has control characters or more than {MAX_NAME_BYTES} bytes")]
    InvalidName(String),
    /// A scalar that is nothing, or less, after rounding to three decimals.
    #[error("Invalid scalar resource '{name}': value <= 0")]
    NotPositive {
        /// The name of the resource.
        name: String,
    },
    /// A scalar that is no quantity.
    #[error("Invalid scalar resource '{name}': {cause}")]
    Quantity {
        /// The name of the resource.
        name: String,
        /// Why it is none.
        cause: InvalidQuantity,
    },
    /// A resource of type text or of an unknown type, or whose value is of another type.
    #[error("Resource '{0}' must have exactly one value: the scalar, ranges or set of its type")]
    Type(String),
    /// `cpus`, `mem`, `disk` or `gpus` that are no scalars, or `ports` that are no ranges.
    #[error("Resource '{name}' must be of type {wanted}")]
    WrongType {
        /// The name of the resource.
        name: String,
        /// The type it must have.
        wanted: &'static str,
    },
    /// Two types of the same name side by side.
    #[error("Resources with the same name ('{0}') but different types are not allowed")]
    MixedTypes(String),
    /// A range whose end is before its beginning.
    #[error("Invalid ranges resource: begin {begin} is greater than end {end}")]
    BackwardRange {
        /// The beginning.
        begin: u64,
        /// The end.
        end: u64,
    },
    /// A number that is in two ranges.
    #[error("Invalid ranges resource: overlapping ranges at {at}")]
    OverlappingRanges {
        /// The number.
        at: u64,
    },
    /// An item that is in a set twice.
    #[error("Invalid set resource: duplicated element '{0}'")]
    DuplicateItem(String),
    /// More of something than its limit.
    #[error("more than {most} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        most: usize,
    },
    /// A role that is no role.
    #[error("Invalid reservation: {0}")]
    Role(#[from] InvalidRole),
    /// A reservation that breaks a rule.
    #[error("Invalid reservation: {0}")]
    Reservation(&'static str),
    /// Disk information that breaks a rule, or that stands on another resource than `disk`.
    #[error("Invalid disk information on resource '{name}': {rule}")]
    Disk {
        /// The name of the resource.
        name: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The name of a persistent volume, which becomes a folder, is none.
    #[error("Invalid DiskInfo: Invalid persistence ID for persistent volume: {0}")]
    PersistenceId(InvalidId),
    /// Resources allocated to several roles, or only some of them allocated (Mesos: SPC-08).
    #[error("Resources must all be allocated to the same role")]
    MixedAllocations,
}

/// Why a text is no resources or attributes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text is longer than its limit.
    #[error("the text is longer than {0} bytes")]
    TooLong(usize),
    /// Not `name:value`.
    #[error("missing or extra ':' in '{0}'; write name:value;name:value")]
    Colon(String),
    /// Not `name(role)`.
    #[error("mismatched parentheses in '{0}'; write name(role):value")]
    Parentheses(String),
    /// A bracket or a brace without its fellow.
    #[error("'{value}' of '{name}' is not closed; write [1-10,20-30] or {{a,b}}")]
    Unclosed {
        /// The name of the resource.
        name: String,
        /// The value.
        value: String,
    },
    /// Not `begin-end`.
    #[error("'{0}' is not a range; write begin-end")]
    Range(String),
    /// Neither a number, nor ranges, nor a set.
    #[error("'{value}' of '{name}' is not a number, ranges or a set")]
    Value {
        /// The name of the resource.
        name: String,
        /// The value.
        value: String,
    },
    /// The form is right, what it says is not.
    #[error(transparent)]
    Resource(#[from] ResourceError),
}

/// Why resources cannot be taken from others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Insufficient {
    /// There is less than that.
    #[error("not enough: {0}")]
    Missing(
        /// What was asked for and what is there, as `cpus(role): 4 of 2`.
        String,
    ),
    /// A shared volume cannot change while others hold it too (Mesos: VOL-04).
    #[error("Persistent volume {0} cannot be removed due to additional shared copies")]
    SharedCopies(
        /// The volume.
        String,
    ),
}
