//! What was written of a task or an agent, kept for the next who asks: of a large cluster little
//! changes between two questions, and to write all of it anew takes ten times as long.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use prost::Message;
use serde::Serialize;

use crate::limits::MAX_WRITTEN_BYTES;

/// The bytes that are kept, of all masters in this process: they share its memory.
static KEPT: AtomicUsize = AtomicUsize::new(0);

/// In which form an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Mesos' JSON.
    Json,
    /// Protobuf's own.
    Protobuf,
}

impl Form {
    /// Our messages have nothing that JSON cannot hold, so there is no error to come.
    pub(super) fn write(self, message: &(impl Message + Serialize)) -> Vec<u8> {
        match self {
            Self::Json => serde_json::to_vec(message).unwrap_or_default(),
            Self::Protobuf => message.encode_to_vec(),
        }
    }
}

/// What was written of an object as it is. Of a copy nothing is, since it is made to be changed.
#[derive(Debug, Default)]
pub(crate) struct Written {
    json: OnceLock<Box<[u8]>>,
    protobuf: OnceLock<Box<[u8]>>,
}

impl Written {
    /// Gives what is kept, or is written now and kept if there is room.
    pub(super) fn with(&self, form: Form, write: impl Fn() -> Vec<u8>, take: impl FnOnce(&[u8])) {
        let slot = match form {
            Form::Json => &self.json,
            Form::Protobuf => &self.protobuf,
        };
        if let Some(bytes) = slot.get() {
            // In tests however they are built: what is stale is a lie.
            if cfg!(any(test, debug_assertions)) {
                assert_eq!(**bytes, *write(), "it has changed since it was written");
            }
            return take(bytes);
        }
        let bytes = write().into_boxed_slice();
        take(&bytes);
        let size = bytes.len();
        if is_room_taken(size) && slot.set(bytes).is_err() {
            // Somebody else was faster.
            KEPT.fetch_sub(size, Ordering::Relaxed);
        }
    }
}

fn is_room_taken(bytes: usize) -> bool {
    let more = |kept: usize| Some(kept + bytes).filter(|sum| *sum <= MAX_WRITTEN_BYTES);
    let relaxed = Ordering::Relaxed;
    KEPT.fetch_update(relaxed, relaxed, more).is_ok()
}

impl Clone for Written {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        for slot in [&self.json, &self.protobuf] {
            let size = slot.get().map_or(0, |bytes| bytes.len());
            KEPT.fetch_sub(size, Ordering::Relaxed);
        }
    }
}

/// What was written of something that is looked at anew each time, and of what it was made.
#[derive(Debug)]
pub(crate) struct Portrait<F>(Mutex<Option<(F, Arc<Written>)>>);

impl<F> Default for Portrait<F> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<F> Portrait<F> {
    /// What was written if it is of the facts as they are; else nothing yet, and the facts are
    /// asked for.
    pub(super) fn of(
        &self,
        is_of: impl FnOnce(&F) -> bool,
        facts: impl FnOnce() -> F,
    ) -> Arc<Written> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, written)) = &*kept
            && is_of(before)
        {
            return Arc::clone(written);
        }
        let written = Arc::default();
        *kept = Some((facts(), Arc::clone(&written)));
        written
    }
}

#[cfg(test)]
mod tests {
    use tepui_proto::v1::TaskId;

    use super::*;

    fn text(written: &Written, value: &str) -> Vec<u8> {
        let mut text = Vec::new();
        let id = TaskId {
            value: value.to_owned(),
        };
        written.with(
            Form::Json,
            || Form::Json.write(&id),
            |it| text.extend_from_slice(it),
        );
        text
    }

    #[test]
    fn what_was_written_stays_and_a_copy_is_written_anew() {
        let written = Written::default();
        assert_eq!(text(&written, "a"), br#"{"value":"a"}"#);
        assert_eq!(text(&written, "a"), br#"{"value":"a"}"#);
        assert!(written.json.get().is_some());
        assert_eq!(text(&written.clone(), "b"), br#"{"value":"b"}"#);
    }

    #[test]
    #[should_panic(expected = "it has changed")]
    fn what_changed_in_place_is_found_out() {
        let written = Written::default();
        text(&written, "a");
        text(&written, "b");
    }

    #[test]
    fn a_portrait_is_of_the_facts() {
        let portrait = Portrait::default();
        let of = |facts| portrait.of(|before| *before == facts, || facts);
        let first = of(1);
        assert!(Arc::ptr_eq(&first, &of(1)));
        assert!(!Arc::ptr_eq(&first, &of(2)));
    }

    #[test]
    fn there_is_room_for_so_much_and_no_more() {
        assert!(!is_room_taken(MAX_WRITTEN_BYTES + 1));
        assert!(is_room_taken(1));
        KEPT.fetch_sub(1, Ordering::Relaxed);
    }
}
