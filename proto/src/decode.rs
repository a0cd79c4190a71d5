//! Messages from outside, in either form: decoded, and refused when a required field is missing.

use prost::Message;

use crate::{
    json,
    required::missing_required,
    table::Described,
    weight::{self, TooHeavy},
};

/// Why bytes are not the message that they should be. The texts of JSON are Mesos'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The text is no JSON.
    #[error("{0}")]
    Syntax(String),
    /// The JSON, which is well formed, does not make this message.
    #[error("{0}")]
    Conversion(String),
    /// The bytes are no such message.
    #[error("{0}")]
    Wire(#[from] prost::DecodeError),
    /// There is no room for it.
    #[error("{0}")]
    Heavy(#[from] TooHeavy),
    /// Required fields are not set.
    #[error("Missing required fields: {}", .0.join(", "))]
    Missing(Vec<String>),
}

/// Decodes protobuf's own form.
///
/// # Errors
/// Bytes that are no such message or too much of one, and missing fields.
pub fn protobuf<M: Message + Default + Described>(bytes: &[u8]) -> Result<M, DecodeError> {
    weight::check::<M>(bytes)?;
    let message = M::decode(bytes)?;
    let missing = missing_required::<M>(bytes);
    if missing.is_empty() {
        Ok(message)
    } else {
        Err(DecodeError::Missing(missing))
    }
}

/// Decodes JSON as Mesos' own converter takes it.
///
/// # Errors
/// Text that is no JSON, values of the wrong kind, and missing fields.
pub fn json<M: Message + Default + Described>(text: &[u8]) -> Result<M, DecodeError> {
    match protobuf(&json::to_wire(M::message(), text)?) {
        Err(DecodeError::Wire(error)) => Err(DecodeError::Conversion(error.to_string())),
        result => result,
    }
}
