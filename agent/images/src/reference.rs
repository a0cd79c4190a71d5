//! References: the names that people give to images, as in `busybox:1.36` or
//! `host:5000/a/b@sha256:…`.

use std::{fmt, str::FromStr};

use crate::{Digest, limits::MAX_REFERENCE_BYTES};

/// The longest name of a repository, and the longest tag.
const MAX_REPOSITORY_BYTES: usize = 255;
const MAX_TAG_BYTES: usize = 128;

/// The tag that is meant when none is given.
const LATEST: &str = "latest";

/// The name of an image, as docker has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The registry, with its port if there is one. None for the agent's default.
    pub registry: Option<String>,
    /// What it is called there.
    pub repository: String,
    /// The version that is wanted.
    pub tag: String,
    /// The content that is wanted: then the tag says nothing.
    pub digest: Option<Digest>,
}

/// A text that names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' does not name an image: {problem}")]
pub struct InvalidReference {
    text: String,
    problem: &'static str,
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        parse(text).map_err(|problem| InvalidReference {
            text: text
                .chars()
                .take(200)
                .collect::<String>()
                .escape_debug()
                .to_string(),
            problem,
        })
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    if text.len() > MAX_REFERENCE_BYTES {
        return Err("it is too long");
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => {
            let digest = digest.parse();
            (
                rest,
                Some(digest.map_err(|_| "its digest must be 'sha256:' and 64 digits")?),
            )
        }
        None => (text, None),
    };
    let (registry, rest) = match rest.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
            (Some(first.to_owned()), rest)
        }
        _ => (None, rest),
    };
    let (repository, tag) = rest.split_once(':').unwrap_or((rest, LATEST));
    if registry
        .as_deref()
        .is_some_and(|registry| !is_host(registry))
    {
        return Err("its registry must be a host, with a port if need be");
    }
    if repository.is_empty() || repository.len() > MAX_REPOSITORY_BYTES {
        return Err("it has no name, or too long a one");
    }
    if !repository.split('/').all(is_component) {
        return Err("its name may have small letters, digits, and '.', '_' and '-' between them");
    }
    if !is_tag(tag) {
        return Err("its tag may have letters, digits, '_', '.' and '-', and begins with no dot");
    }
    Ok(Reference {
        registry,
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        digest,
    })
}

/// A host by name or address, and a port.
pub(crate) fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_name = || {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let parts = host.split('.');
        !host.is_empty()
            && parts
                .into_iter()
                .all(|part| !part.is_empty() && part.bytes().all(plain))
    };
    let good_host = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_name(),
    };
    good_host && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn is_component(part: &str) -> bool {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = bytes.first().is_some_and(plain) && bytes.last().is_some_and(plain);
    let separator = |byte: &u8| matches!(byte, b'.' | b'_' | b'-');
    ends && bytes.iter().all(|byte| plain(byte) || separator(byte)) && !part.contains("..")
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let first = tag.bytes().next().is_some_and(word);
    let rest = |byte: u8| word(byte) || byte == b'.' || byte == b'-';
    first && tag.len() <= MAX_TAG_BYTES && tag.bytes().all(rest)
}

impl Reference {
    /// What is asked for in a registry: the digest if there is one, or else the tag.
    #[must_use]
    pub fn version(&self) -> String {
        match &self.digest {
            Some(digest) => digest.to_string(),
            None => self.tag.clone(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(formatter, "{registry}/")?;
        }
        match &self.digest {
            Some(digest) => write!(formatter, "{}@{digest}", self.repository),
            None => write!(formatter, "{}:{}", self.repository, self.tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<String>, String, String) {
        let reference: Reference = text.parse().unwrap();
        (
            reference.registry.clone(),
            reference.repository.clone(),
            reference.version(),
        )
    }

    #[test]
    fn references_are_read_as_docker_reads_them() {
        let own = |registry: Option<&str>, name: &str, version: &str| {
            (
                registry.map(str::to_owned),
                name.to_owned(),
                version.to_owned(),
            )
        };
        assert_eq!(parts("busybox"), own(None, "busybox", "latest"));
        assert_eq!(parts("a/b-c:1.2"), own(None, "a/b-c", "1.2"));
        let local = own(Some("localhost:5000"), "busybox", "latest");
        assert_eq!(parts("localhost:5000/busybox"), local);
        assert_eq!(parts("[::1]:80/x:y"), own(Some("[::1]:80"), "x", "y"));
        let digest = Digest::of(b"").to_string();
        let exact = own(Some("quay.io"), "a/b", &digest);
        assert_eq!(parts(&format!("quay.io/a/b:v1@{digest}")), exact);
    }

    #[test]
    fn texts_that_lead_elsewhere_name_no_image() {
        let long = "a".repeat(2000);
        for text in [
            "",
            "..",
            "a/../b",
            "a//b",
            "A",
            "a:",
            "a:.x",
            "a b",
            "a@sha256:1",
            "a.b:x/c",
            "a?b",
            "host:99999/a",
            "-a",
            "a.b/c#d",
            &long,
            "http://a.b/c",
            "a\0",
            "a.b:80/",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
