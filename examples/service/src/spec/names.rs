//! Names of apps and ports.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use crate::limits;

/// The name of an app: lower-case letters, digits and '-', beginning and ending with neither '-'.
///
/// So that it can stand in a task id, an environment and a host name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppName(Arc<str>);

impl AppName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if is_name(name) {
            return Ok(Self(name.into()));
        }
        Err(format!(
            "is {name:?}: a name is 1 to {} lower-case letters, digits and '-'",
            limits::MAX_NAME_BYTES
        ))
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for AppName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Whether a port may be called so. The name becomes `PORT_<NAME>` in the environment, where it
/// must not be taken for `PORT0`.
pub(super) fn is_port_name(name: &str) -> bool {
    is_name(name)
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty()
        && name.len() <= limits::MAX_NAME_BYTES
        && name.bytes().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_stand_in_a_task_id_and_in_a_host_name() {
        for good in ["web", "web-2", "2", &"a".repeat(limits::MAX_NAME_BYTES)] {
            assert!(good.parse::<AppName>().is_ok(), "{good}");
        }
        let long = "a".repeat(limits::MAX_NAME_BYTES + 1);
        for bad in [
            "", "Web", "web.1", "-web", "web-", "we b", "wéb", "a/b", &long,
        ] {
            assert!(
                bad.parse::<AppName>().unwrap_err().contains("lower-case"),
                "{bad}"
            );
        }
    }
}
