//! Secrets of tasks: by value, or by reference to what the agent's operator keeps (Mesos: SEC-01).

use std::{fmt, path::PathBuf};

use tepui_proto::v1::{self, Volume, secret, volume::source};

use super::Unplannable;
use crate::volumes::is_safe;

/// What is in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// The name of a secret that the agent's operator keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReference {
    /// The name.
    pub name: String,
    /// Which of several under that name.
    pub key: Option<String>,
}

/// Where a secret is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// Here.
    Value(Secret),
    /// With the agent's operator.
    Reference(SecretReference),
}

/// A secret that a container finds as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    /// The path in the container: absolute, or from the sandbox.
    pub container_path: PathBuf,
    /// What is in it.
    pub source: SecretSource,
}

/// A secret is what its type says, and nothing else.
pub(super) fn source(secret: &v1::Secret) -> Result<SecretSource, Unplannable> {
    let value = |value: &secret::Value| SecretSource::Value(Secret(value.data.clone()));
    let reference = |reference: &secret::Reference| {
        SecretSource::Reference(SecretReference {
            name: reference.name.clone(),
            key: reference.key.clone(),
        })
    };
    match (secret.r#type(), &secret.value, &secret.reference) {
        (secret::Type::Value | secret::Type::Unknown, Some(it), None) => Ok(value(it)),
        (secret::Type::Reference | secret::Type::Unknown, None, Some(it)) => Ok(reference(it)),
        _ => Err(Unplannable::Invalid(
            "A secret has either a 'value' or a 'reference', as its type says".to_owned(),
        )),
    }
}

/// Whether a volume is a secret.
pub(super) fn is_secret(volume: &Volume) -> bool {
    let source = volume.source.as_ref();
    source.is_some_and(|source| source.r#type() == source::Type::Secret)
}

/// The secrets among `ContainerInfo.volumes`.
pub(super) fn files(container: Option<&v1::ContainerInfo>) -> Result<Vec<SecretFile>, Unplannable> {
    let volumes = container.iter().flat_map(|container| &container.volumes);
    let secrets = volumes.filter(|volume| is_secret(volume));
    secrets.map(file).collect()
}

fn file(volume: &Volume) -> Result<SecretFile, Unplannable> {
    let invalid = |message: &str| Unplannable::Invalid(message.to_owned());
    let container_path = PathBuf::from(&volume.container_path);
    if !is_safe(&container_path) {
        let path = volume.container_path.escape_debug();
        return Err(Unplannable::Invalid(format!(
            "The container path '{path}' of a secret must not be empty or contain '..'"
        )));
    }
    if volume.host_path.is_some() || volume.image.is_some() {
        return Err(invalid(
            "A volume has exactly one of 'host_path', 'image' and 'source'",
        ));
    }
    let secret = volume.source.as_ref().and_then(|it| it.secret.as_ref());
    let secret = secret.ok_or_else(|| invalid("The source of a volume is incomplete"))?;
    Ok(SecretFile {
        container_path,
        source: source(secret)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: secret::Type, value: Option<&str>, name: Option<&str>) -> v1::Secret {
        v1::Secret {
            r#type: Some(kind.into()),
            value: value.map(|text| secret::Value {
                data: text.as_bytes().to_vec(),
            }),
            reference: name.map(|name| secret::Reference {
                name: name.to_owned(),
                key: Some("k".to_owned()),
            }),
        }
    }

    fn volume(path: &str, secret: Option<v1::Secret>) -> Volume {
        Volume {
            mode: v1::volume::Mode::Ro.into(),
            container_path: path.to_owned(),
            source: Some(v1::volume::Source {
                r#type: Some(source::Type::Secret.into()),
                secret,
                ..v1::volume::Source::default()
            }),
            ..Volume::default()
        }
    }

    #[test]
    fn a_secret_is_what_its_type_says() {
        use secret::Type::{Reference, Unknown, Value};
        let value = SecretSource::Value(Secret(b"hush".to_vec()));
        assert_eq!(source(&asked(Value, Some("hush"), None)), Ok(value.clone()));
        assert_eq!(source(&asked(Unknown, Some("hush"), None)), Ok(value));
        let reference = source(&asked(Reference, None, Some("db"))).unwrap();
        let expected = SecretReference {
            name: "db".to_owned(),
            key: Some("k".to_owned()),
        };
        assert_eq!(reference, SecretSource::Reference(expected));
        for wrong in [
            asked(Value, None, Some("db")),
            asked(Reference, Some("hush"), None),
            asked(Value, Some("hush"), Some("db")),
            asked(Unknown, None, None),
        ] {
            assert!(source(&wrong).is_err());
        }
    }

    #[test]
    fn a_volume_can_be_a_secret_and_nothing_of_it_is_printed() {
        let secret = asked(secret::Type::Value, Some("hush"), None);
        let found = file(&volume("etc/token", Some(secret.clone()))).unwrap();
        assert_eq!(found.container_path, PathBuf::from("etc/token"));
        assert!(!format!("{found:?}").contains("hush"));
        for path in ["", "../x", "/"] {
            assert!(file(&volume(path, Some(secret.clone()))).is_err(), "{path}");
        }
        assert!(file(&volume("token", None)).is_err());
        let mut twice = volume("token", Some(secret));
        twice.host_path = Some("/srv".to_owned());
        assert!(file(&twice).is_err());
    }
}
