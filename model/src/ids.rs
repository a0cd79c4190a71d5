//! Typed ids: names that are checked once, are cheap to copy and safe to use as folders.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use tepui_proto::v1;

use crate::limits::MAX_ID_BYTES;

/// Why a text is no id (Mesos: SPC-01).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text is empty.
    #[error("ID must not be empty")]
    Empty,
    /// The text is longer than a file name can be.
    #[error("ID must not be greater than {MAX_ID_BYTES} characters")]
    TooLong,
    /// The text is `.` or `..`, which are folders already.
    #[error("'{0}' is disallowed")]
    Reserved(String),
    /// The text has a control character or a slash.
    #[error("'{0}' contains invalid characters")]
    Characters(String),
}

/// Mesos' rule for every id (Mesos: SPC-01).
pub(crate) fn check(id: &str) -> Result<(), InvalidId> {
    if id.is_empty() {
        Err(InvalidId::Empty)
    } else if id.len() > MAX_ID_BYTES {
        Err(InvalidId::TooLong)
    } else if id == "." || id == ".." {
        Err(InvalidId::Reserved(id.to_owned()))
    } else if id
        .bytes()
        .any(|byte| byte.is_ascii_control() || byte == b'/' || byte == b'\\')
    {
        Err(InvalidId::Characters(id.escape_debug().to_string()))
    } else {
        Ok(())
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, |$value:ident| $wire:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a text by Mesos' rule for ids.
            pub fn new(id: impl AsRef<str>) -> Result<Self, InvalidId> {
                let id = id.as_ref();
                check(id)?;
                Ok(Self(Arc::from(id)))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), &self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(id: &str) -> Result<Self, InvalidId> {
                Self::new(id)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&$name> for v1::$name {
            fn from(id: &$name) -> Self {
                let $value = id.as_str().to_owned();
                $wire
            }
        }

        impl From<$name> for v1::$name {
            fn from(id: $name) -> Self {
                Self::from(&id)
            }
        }

        impl TryFrom<&v1::$name> for $name {
            type Error = InvalidId;

            fn try_from(wire: &v1::$name) -> Result<Self, InvalidId> {
                Self::new(&wire.value)
            }
        }

        impl TryFrom<v1::$name> for $name {
            type Error = InvalidId;

            fn try_from(wire: v1::$name) -> Result<Self, InvalidId> {
                Self::new(wire.value)
            }
        }
    };
}

id! {
    /// A framework, named by the master that first subscribed it.
    FrameworkId, |value| v1::FrameworkId { value }
}
id! {
    /// An agent, named by the master that first registered it.
    AgentId, |value| v1::AgentId { value }
}
id! {
    /// An offer, named by the master that made it.
    OfferId, |value| v1::OfferId { value }
}
id! {
    /// A task, named by its framework and unique inside it.
    TaskId, |value| v1::TaskId { value }
}
id! {
    /// An executor, named by its framework and unique inside it on one agent.
    ExecutorId, |value| v1::ExecutorId { value }
}

impl From<&TaskId> for ExecutorId {
    /// A task that runs alone is its own executor; ids of both are made by one rule.
    fn from(task: &TaskId) -> Self {
        Self(task.0.clone())
    }
}

impl From<&ExecutorId> for TaskId {
    fn from(executor: &ExecutorId) -> Self {
        Self(executor.0.clone())
    }
}

id! {
    /// A container, named by the agent that launched it. The parent of a nested one is not part of
    /// it.
    ContainerId, |value| v1::ContainerId { value, parent: None }
}
id! {
    /// An operation on an offer, named by its framework.
    OperationId, |value| v1::OperationId { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_refused_for_mesos_reasons_and_in_its_words() {
        let refusal = |id: &str| TaskId::new(id).unwrap_err().to_string();
        assert_eq!(refusal(""), "ID must not be empty");
        assert_eq!(
            refusal(&"a".repeat(256)),
            "ID must not be greater than 255 characters"
        );
        assert_eq!(refusal("."), "'.' is disallowed");
        assert_eq!(refusal(".."), "'..' is disallowed");
        assert_eq!(refusal("a/b"), "'a/b' contains invalid characters");
        assert_eq!(refusal("a\\b"), "'a\\\\b' contains invalid characters");
        assert_eq!(refusal("a\nb"), "'a\\nb' contains invalid characters");
        assert_eq!(refusal("a\u{7f}"), "'a\\u{7f}' contains invalid characters");
    }

    #[test]
    fn an_id_of_the_longest_length_and_any_other_character_is_taken() {
        for id in [
            "a",
            "...",
            "web.1 (blue)",
            "gr\u{fc}n",
            &"a".repeat(MAX_ID_BYTES),
        ] {
            assert_eq!(AgentId::new(id).unwrap().as_str(), id);
        }
    }

    #[test]
    fn an_id_goes_over_the_wire_and_back() {
        let id = ContainerId::new("c-1").unwrap();
        let wire = v1::ContainerId::from(&id);
        assert_eq!(wire.parent, None);
        assert_eq!(ContainerId::try_from(&wire).unwrap(), id);
        assert_eq!(
            TaskId::try_from(v1::TaskId {
                value: String::new()
            })
            .unwrap_err(),
            InvalidId::Empty
        );
    }
}
