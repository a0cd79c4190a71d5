//! Role names, checked once, and the tree that their slashes make.

use std::{borrow::Borrow, cmp::Ordering, fmt, hash, str::FromStr, sync::Arc};

use crate::limits::MAX_ROLE_BYTES;

/// The name of the role that everybody has and nothing is reserved to (Mesos: ROL-02).
const DEFAULT: &str = "*";

/// Why a text is no role (Mesos: ROL-01).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRole {
    /// The text is empty.
    #[error("Role names cannot be the empty string")]
    Empty,
    /// The text is longer than the limit.
    #[error("Role names cannot be longer than {MAX_ROLE_BYTES} bytes")]
    TooLong,
    /// The text starts or ends with a slash, or has two in a row.
    #[error("Role '{0}' cannot start or end with a slash or have two adjacent slashes")]
    Slashes(String),
    /// A component is `.`, `..` or `*`.
    #[error("Role '{role}' cannot include '{component}' as a component")]
    Component {
        /// The whole name.
        role: String,
        /// The component that is not allowed.
        component: String,
    },
    /// A component starts with a dash.
    #[error("Role '{0}' cannot have a component that starts with '-'")]
    Dash(String),
    /// The text has whitespace or DEL.
    #[error("Role '{0}' cannot include whitespace or DEL")]
    Characters(String),
}

/// A role: who competes for resources. `/` separates parent from child.
///
/// `Role::default()` is `*`, the role of unreserved resources; it takes no memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Role(Option<Arc<str>>);

impl Role {
    /// Checks a text by Mesos' rule for roles.
    pub fn new(role: impl AsRef<str>) -> Result<Self, InvalidRole> {
        let role = role.as_ref();
        if role == DEFAULT {
            return Ok(Self::default());
        }
        check(role)?;
        Ok(Self(Some(Arc::from(role))))
    }

    /// The role as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or(DEFAULT)
    }

    /// Whether this is `*`.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        self.0.is_none()
    }

    /// Whether this role lies strictly below `ancestor`: `a/b` is below `a`; nothing is below `*`.
    #[must_use]
    pub fn is_below(&self, ancestor: &Self) -> bool {
        let rest = self.as_str().strip_prefix(ancestor.as_str());
        rest.is_some_and(|rest| rest.starts_with('/'))
    }

    /// The role one slash up, if there is one: `a/b` for `a/b/c`.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.as_str().rsplit_once('/')?;
        Some(Self(Some(Arc::from(parent))))
    }
}

fn check(role: &str) -> Result<(), InvalidRole> {
    if role.is_empty() {
        return Err(InvalidRole::Empty);
    }
    if role.len() > MAX_ROLE_BYTES {
        return Err(InvalidRole::TooLong);
    }
    let blank = |byte: u8| matches!(byte, b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | b' ' | 0x7f);
    if role.bytes().any(blank) {
        return Err(InvalidRole::Characters(role.escape_debug().to_string()));
    }
    role.split('/').try_for_each(|component| match component {
        "" => Err(InvalidRole::Slashes(role.to_owned())),
        "." | ".." | DEFAULT => Err(InvalidRole::Component {
            role: role.to_owned(),
            component: component.to_owned(),
        }),
        _ if component.starts_with('-') => Err(InvalidRole::Dash(role.to_owned())),
        _ => Ok(()),
    })
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Role({})", self.as_str())
    }
}

impl PartialOrd for Role {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Role {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl hash::Hash for Role {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Role {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Role {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(role: &str) -> Result<Self, InvalidRole> {
        Self::new(role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_role_is_the_star() {
        assert_eq!(Role::new("*").unwrap(), Role::default());
        assert_eq!(Role::default().as_str(), "*");
        assert!(Role::default().is_default());
        assert!(!Role::new("web").unwrap().is_default());
    }

    #[test]
    fn a_role_is_refused_for_mesos_reasons() {
        let long = "a".repeat(MAX_ROLE_BYTES + 1);
        let refused = [
            "", "/a", "a/", "a//b", "/", ".", "..", "a/.", "a/../b", "a/*", "*/a", "-a", "a/-b",
            "a b", "a\tb", "a\u{b}", "a\u{c}", "a\r", "a\n", "a\u{7f}", &long,
        ];
        for role in refused {
            assert!(Role::new(role).is_err(), "{role:?} was taken");
        }
        for role in ["a", "a/b/c", "a-b", "a.b", "eng/web-1", "**"] {
            assert_eq!(Role::new(role).unwrap().as_str(), role);
        }
    }

    #[test]
    fn a_child_is_below_its_ancestors_only() {
        let role = |name| Role::new(name).unwrap();
        assert!(role("a/b/c").is_below(&role("a")));
        assert!(role("a/b/c").is_below(&role("a/b")));
        assert!(!role("a").is_below(&role("a")));
        assert!(!role("ab").is_below(&role("a")));
        assert!(!role("a").is_below(&Role::default()));
        assert_eq!(role("a/b/c").parent(), Some(role("a/b")));
        assert_eq!(role("a").parent(), None);
    }
}
