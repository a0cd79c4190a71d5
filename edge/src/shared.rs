//! A message to many readers: it is held once, and written once in each form.

use std::sync::{Arc, OnceLock};

use prost::{Message, bytes::Bytes};
use serde::Serialize;
use tepui_proto::recordio;

use crate::http::Media;

/// A message to many readers. Clones are the same message.
#[derive(Debug)]
pub struct Shared<M>(Arc<Told<M>>);

#[derive(Debug)]
struct Told<M> {
    message: M,
    json: OnceLock<Bytes>,
    protobuf: OnceLock<Bytes>,
}

impl<M: Message + Serialize> Shared<M> {
    /// A message that nobody has read yet.
    pub fn new(message: M) -> Self {
        Self(Arc::new(Told {
            message,
            json: OnceLock::new(),
            protobuf: OnceLock::new(),
        }))
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &M {
        &self.0.message
    }

    /// The message as a record of a stream, written by the first who wants it in this form.
    #[must_use]
    pub fn record(&self, media: Media) -> Bytes {
        let record = match media {
            Media::Json => &self.0.json,
            Media::Protobuf => &self.0.protobuf,
        };
        let write = || recordio::encode(&media.encode(&self.0.message)).into();
        record.get_or_init(write).clone()
    }
}

impl<M> Clone for Shared<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use tepui_proto::v1::TaskId;

    use super::*;

    #[test]
    fn a_message_is_written_once_in_each_form() {
        let value = "t".to_owned();
        let shared = Shared::new(TaskId { value });
        let copy = shared.clone();
        let first = shared.record(Media::Json);
        assert_eq!(&first[..], b"13\n{\"value\":\"t\"}");
        assert_eq!(first.as_ptr(), copy.record(Media::Json).as_ptr());
        assert_eq!(&copy.record(Media::Protobuf)[..], b"3\n\x0a\x01t");
        assert_eq!(copy.message(), shared.message());
    }
}
