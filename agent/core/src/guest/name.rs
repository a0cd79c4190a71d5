//! Names of containers that are inside of others: the ids from the outermost to their own.

use std::fmt;

use tepui_model::ContainerId;
use tepui_proto::v1;

use crate::limits::CONTAINER_DEPTH;

/// The ids of a container and of those that it is in, the outermost first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerName(Vec<ContainerId>);

impl ContainerName {
    /// Reads a name.
    ///
    /// # Errors
    /// Why it is none, as Mesos says it.
    pub fn read(id: &v1::ContainerId) -> Result<Self, String> {
        let mut ids = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            if ids.len() == CONTAINER_DEPTH {
                return Err(format!("it is more than {CONTAINER_DEPTH} deep"));
            }
            let own = one(&id.value).map_err(|error| match ids.len() {
                0 => error,
                depth => format!(
                    "{}{error}",
                    "'ContainerID.parent' is invalid: ".repeat(depth)
                ),
            })?;
            ids.push(own);
            next = id.parent.as_deref();
        }
        ids.reverse();
        Ok(Self(ids))
    }

    /// The name of the container that it is in.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        (!rest.is_empty()).then(|| Self(rest.to_vec()))
    }

    /// Its own id.
    #[must_use]
    pub fn own(&self) -> Option<&ContainerId> {
        self.0.last()
    }

    /// The ids, the outermost first.
    #[must_use]
    pub fn ids(&self) -> &[ContainerId] {
        &self.0
    }
}

impl From<&ContainerName> for v1::ContainerId {
    fn from(name: &ContainerName) -> Self {
        let mut outer = None;
        let mut id = Self::default();
        for own in &name.0 {
            id = Self {
                value: own.to_string(),
                parent: outer.take().map(Box::new),
            };
            outer = Some(id.clone());
        }
        id
    }
}

impl fmt::Display for ContainerName {
    /// Mesos' form, which is why no id may have a period.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.0.iter().map(ContainerId::as_str).collect();
        formatter.write_str(&ids.join("."))
    }
}

fn one(value: &str) -> Result<ContainerId, String> {
    let id = ContainerId::new(value).map_err(|error| error.to_string())?;
    if value.contains(['.', ' ']) {
        let value = value.escape_debug();
        return Err(format!(
            "'ContainerID.value' '{value}' contains invalid characters"
        ));
    }
    Ok(id)
}

/// Looks whether the id in a field of a call is a name, and one of a container inside of another if
/// it must be.
///
/// # Errors
/// What is wrong, in Mesos' words.
pub fn check_container_id(field: &str, id: &v1::ContainerId, nested: bool) -> Result<(), String> {
    ContainerName::read(id)
        .map_err(|error| format!("'{field}.container_id' is invalid: {error}"))?;
    if nested && id.parent.is_none() {
        return Err(format!(
            "Expecting '{field}.container_id.parent' to be present"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ids: &[&str]) -> v1::ContainerId {
        let mut outer: Option<Box<v1::ContainerId>> = None;
        for value in ids {
            outer = Some(Box::new(v1::ContainerId {
                value: (*value).to_owned(),
                parent: outer,
            }));
        }
        *outer.unwrap()
    }

    #[test]
    fn a_name_is_written_from_the_outermost_on() {
        let name = ContainerName::read(&id(&["a", "b", "c"])).unwrap();
        assert_eq!(name.to_string(), "a.b.c");
        assert_eq!(name.own().unwrap().as_str(), "c");
        assert_eq!(name.parent().unwrap().to_string(), "a.b");
        assert_eq!(v1::ContainerId::from(&name), id(&["a", "b", "c"]));
        assert_eq!(ContainerName::read(&id(&["a"])).unwrap().parent(), None);
    }

    #[test]
    fn what_is_no_name_is_refused_in_mesos_words() {
        let refusal = |ids: &[&str], nested| check_container_id("x", &id(ids), nested).unwrap_err();
        let text =
            "'x.container_id' is invalid: 'ContainerID.value' 'a.b' contains invalid characters";
        assert_eq!(refusal(&["a.b"], false), text);
        assert_eq!(
            refusal(&["a"], true),
            "Expecting 'x.container_id.parent' to be present"
        );
        let text = "'x.container_id' is invalid: 'ContainerID.parent' is invalid: \
                    'ContainerID.value' 'p p' contains invalid characters";
        assert_eq!(refusal(&["p p", "a"], true), text);
        let deep = vec!["a"; CONTAINER_DEPTH + 1];
        assert!(refusal(&deep, true).contains("deep"));
        assert_eq!(check_container_id("x", &id(&["a", "b"]), true), Ok(()));
    }
}
