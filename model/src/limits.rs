//! The named maxima of the model: what arrives over a wire is refused beyond them.

/// Bytes in an id: the length of a file name, because ids become folders (Mesos: SPC-01,
/// `NAME_MAX`).
pub const MAX_ID_BYTES: usize = 255;

/// Bytes in the name of a role.
pub const MAX_ROLE_BYTES: usize = 1024;

/// Bytes in the name of a resource or of an attribute.
pub const MAX_NAME_BYTES: usize = 255;

/// Units in one scalar; ten petabytes when the unit is a megabyte. The sum of such scalars over
/// 900,000 agents still fits a [`crate::Quantity`].
pub const MAX_QUANTITY_UNITS: i64 = 10_000_000_000;

/// Ranges in one resource or attribute: every second port is 32,768.
pub const MAX_RANGES: usize = 32_768;

/// Items in one set.
pub const MAX_SET_ITEMS: usize = 16_384;

/// Resources in one message, and attributes in one message.
pub const MAX_ITEMS: usize = 16_384;

/// Bytes in the text form of resources or attributes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// Reservations on one resource, from the first to the most refined: one for each level of the
/// deepest roles in use (Mesos: RES-05).
pub const MAX_RESERVATION_DEPTH: usize = 128;

/// Roles of one framework.
pub const MAX_FRAMEWORK_ROLES: usize = 1024;

/// Bytes of one framework's description, encoded: a thousand roles of the longest names.
pub const MAX_FRAMEWORK_BYTES: usize = 1 << 20;

/// Images of one agent that others hear of, and so offers carry; of more, those used last. An event
/// with 512 offers of the longest names then has 4 MB of them.
pub const MAX_IMAGES_TOLD: usize = 32;

/// Bytes in the name of an image that others hear of.
pub const MAX_IMAGE_NAME_BYTES: usize = 255;

/// Seconds an offer can be refused for: 365 days (Mesos: OFF-07).
pub const MAX_REFUSE_SECONDS: f64 = 31_536_000.0;

/// Megabytes in one quota of `mem` or `disk`: an exabyte (Mesos: QUO-02).
pub const MAX_QUOTA_MEGABYTES: i64 = 1 << 40;

/// Units in one quota of anything else (Mesos: QUO-02).
pub const MAX_QUOTA_UNITS: i64 = 1_000_000_000_000;
