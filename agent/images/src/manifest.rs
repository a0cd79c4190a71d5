//! Manifests and indexes: which blobs an image is made of, and for which machines.

use serde::Deserialize;

use crate::{
    Digest, Error,
    limits::{MAX_LAYERS, MAX_MANIFESTS},
};

/// What is asked for, in the order of preference.
pub(crate) const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// A reference to a blob, with its size in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: Option<String>,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default)]
    pub(crate) platform: Option<Platform>,
    #[serde(default)]
    pub(crate) annotations: Option<std::collections::BTreeMap<String, String>>,
}

/// A kind of machine.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Platform {
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default)]
    pub(crate) architecture: String,
    #[serde(default)]
    pub(crate) variant: Option<String>,
}

impl Platform {
    /// The machine this runs on, by the names that images have for it.
    pub(crate) fn this() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Self {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }
    }
}

/// What an image is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) config: Descriptor,
    /// The lowest first.
    pub(crate) layers: Vec<Descriptor>,
}

/// What a registry has under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    Manifest(Manifest),
    /// Images for several kinds of machines.
    Index(Vec<Descriptor>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    schema_version: Option<u32>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

impl Document {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let raw: Raw = serde_json::from_slice(bytes)
            .map_err(|error| Error::Broken(format!("its manifest cannot be read: {error}")))?;
        if raw.schema_version != Some(2) {
            let text = "its manifest is not of schema 2; push it again with a current tool";
            return Err(Error::Unsupported(text.to_owned()));
        }
        match (raw.config, raw.layers, raw.manifests) {
            (Some(config), Some(layers), None) => manifest(config, layers),
            (None, None, Some(manifests)) if manifests.len() > MAX_MANIFESTS => {
                let count = manifests.len();
                let text =
                    format!("its index lists {count} images, at most {MAX_MANIFESTS} can be");
                Err(Error::Broken(text))
            }
            (None, None, Some(manifests)) => Ok(Self::Index(manifests)),
            // What can be read in two ways is read in different ways (CVE-2021-41190).
            _ => Err(Error::Broken(
                "its manifest is neither an image nor an index".to_owned(),
            )),
        }
    }
}

fn manifest(config: Descriptor, layers: Vec<Descriptor>) -> Result<Document, Error> {
    if layers.is_empty() || layers.len() > MAX_LAYERS {
        let count = layers.len();
        let text = format!("it has {count} layers, and 1 to {MAX_LAYERS} can be used");
        return Err(Error::Unsupported(text));
    }
    let foreign = |layer: &Descriptor| {
        let kind = layer.media_type.as_deref().unwrap_or_default();
        kind.contains("foreign") || kind.contains("encrypted")
    };
    if layers.iter().any(foreign) {
        let text = "one of its layers is encrypted, or not to be distributed";
        return Err(Error::Unsupported(text.to_owned()));
    }
    Ok(Document::Manifest(Manifest { config, layers }))
}

/// The image for this kind of machine.
pub(crate) fn choose(index: &[Descriptor], wanted: &Platform) -> Result<Descriptor, Error> {
    let fits = |platform: &Platform| {
        platform.os == wanted.os && platform.architecture == wanted.architecture
    };
    let fitting = |descriptor: &&Descriptor| descriptor.platform.as_ref().is_some_and(fits);
    let found = index.iter().find(fitting);
    // An index with one image that does not say for which machine may have it for this one.
    let only = || match index {
        [one] if one.platform.is_none() => Some(one),
        _ => None,
    };
    found.or_else(only).cloned().ok_or_else(|| {
        let platforms = index.iter().filter_map(|it| it.platform.as_ref());
        let there: Vec<_> = platforms
            .take(20)
            .map(|it| {
                let name = format!("{}/{}", it.os, it.architecture);
                it.variant
                    .as_ref()
                    .map_or(name.clone(), |variant| format!("{name}/{variant}"))
            })
            .collect();
        Error::Unsupported(format!(
            "it is for {}, and this machine is {}/{}",
            there.join(", ").escape_debug(),
            wanted.os,
            wanted.architecture
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(extra: &str) -> String {
        format!(r#"{{"digest":"{}","size":1{extra}}}"#, Digest::of(b""))
    }

    fn with_layers(count: usize) -> String {
        let layers = vec![blob(""); count].join(",");
        format!(
            r#"{{"schemaVersion":2,"config":{},"layers":[{layers}]}}"#,
            blob("")
        )
    }

    #[test]
    fn the_image_of_this_kind_of_machine_is_chosen() {
        let of = |arch: &str| {
            let platform = format!(r#","platform":{{"os":"linux","architecture":"{arch}"}}"#);
            blob(&platform)
        };
        let text = format!(
            r#"{{"schemaVersion":2,"manifests":[{},{}]}}"#,
            of("s390x"),
            of("amd64")
        );
        let Document::Index(index) = Document::read(text.as_bytes()).unwrap() else {
            panic!("an index");
        };
        let wanted = |architecture: &str| Platform {
            architecture: architecture.to_owned(),
            ..Platform::this()
        };
        assert_eq!(choose(&index, &wanted("amd64")).unwrap(), index[1]);
        let error = choose(&index, &wanted("arm64")).unwrap_err().to_string();
        assert!(error.contains("linux/s390x, linux/amd64"), "{error}");
    }

    #[test]
    fn l16_ten_thousand_layers_are_refused_and_so_is_none() {
        assert!(Document::read(with_layers(1).as_bytes()).is_ok());
        assert!(Document::read(with_layers(MAX_LAYERS).as_bytes()).is_ok());
        for count in [0, MAX_LAYERS + 1, 10_000] {
            let error = Document::read(with_layers(count).as_bytes()).unwrap_err();
            assert!(error.to_string().contains(&count.to_string()), "{error}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_or_none_is_refused() {
        let both = format!(
            r#"{{"schemaVersion":2,"config":{0},"layers":[{0}],"manifests":[{0}]}}"#,
            blob("")
        );
        for text in [
            both.as_str(),
            "{}",
            r#"{"schemaVersion":1,"fsLayers":[]}"#,
            "[",
            "",
        ] {
            assert!(Document::read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
