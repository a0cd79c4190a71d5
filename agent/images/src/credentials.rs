//! Who the agent is to registries: docker's own file of credentials.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

/// How docker's file calls docker's own registry.
const DOCKER: [&str; 3] = ["index.docker.io", "docker.io", "registry-1.docker.io"];

/// Names and passwords, by registry. They are in no log.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials(BTreeMap<String, Basic>);

/// A name and a password, as HTTP sends them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Basic(String);

/// A file of credentials that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credentials cannot be read: {0}")]
pub struct InvalidCredentials(String);

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
}

impl Credentials {
    /// Reads `{"auths": {"HOST": {"auth": "..."}}}`, as `docker login` writes it.
    ///
    /// # Errors
    /// What is wrong with it, without what is secret in it.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidCredentials> {
        let file: File = serde_json::from_slice(bytes).map_err(|error| {
            // The error's own text may hold a part of the file.
            InvalidCredentials(format!("line {}, column {}", error.line(), error.column()))
        })?;
        let mut known = BTreeMap::new();
        for (name, auth) in file.auths {
            if let Some(basic) = auth.basic(&name)? {
                known.insert(host(&name).to_owned(), basic);
            }
        }
        Ok(Self(known))
    }

    /// What to say to this registry.
    pub(crate) fn of(&self, host: &str) -> Option<&Basic> {
        let docker = DOCKER.contains(&host);
        let found = || DOCKER.iter().find_map(|name| self.0.get(*name));
        self.0.get(host).or_else(|| docker.then(found).flatten())
    }

    /// The same, and these besides or instead.
    #[must_use]
    pub fn with(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

impl Auth {
    fn basic(self, name: &str) -> Result<Option<Basic>, InvalidCredentials> {
        let wrong = |what: &str| InvalidCredentials(format!("'auth' of {name:?} {what}"));
        let joined = match (self.auth, self.username, self.password) {
            (Some(auth), ..) if !auth.is_empty() => {
                let bytes = STANDARD
                    .decode(auth.trim())
                    .map_err(|_| wrong("is no base64"))?;
                String::from_utf8(bytes).map_err(|_| wrong("is no text"))?
            }
            (_, Some(name), Some(password)) => format!("{name}:{password}"),
            _ => return Ok(None),
        };
        if !joined.contains(':') {
            return Err(wrong("has no password"));
        }
        Ok(Some(Basic(format!("Basic {}", STANDARD.encode(joined)))))
    }
}

impl Basic {
    /// The value of the header.
    pub(crate) fn header(&self) -> &str {
        &self.0
    }
}

/// The host of `https://host/v1/`.
fn host(name: &str) -> &str {
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    name.split('/').next().unwrap_or(name)
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for Basic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Basic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_own_file_is_read_and_its_secrets_are_not_shown() {
        let text = br#"{"auths":{"https://index.docker.io/v1/":{"auth":"YTpiOmM="},
            "localhost:5000":{"username":"u","password":"p"},"empty":{}},"credsStore":"x"}"#;
        let credentials = Credentials::read(text).unwrap();
        let header = |host| credentials.of(host).map(Basic::header);
        assert_eq!(header("registry-1.docker.io"), Some("Basic YTpiOmM="));
        assert_eq!(header("localhost:5000"), Some("Basic dTpw"));
        assert_eq!(header("empty"), None);
        assert_eq!(header("localhost"), None);
        assert!(!format!("{credentials:?}").contains("dTpw"));
    }

    #[test]
    fn a_file_that_cannot_be_read_says_where_but_not_what() {
        for text in [
            r#"{"auths":{"a":{"auth":"%%"}}}"#,
            r#"{"auths":{"a":{"auth":"c2VjcmV0"}}}"#,
            "secret",
        ] {
            let error = Credentials::read(text.as_bytes()).unwrap_err().to_string();
            assert!(
                !error.contains("secret") && !error.contains("c2VjcmV0"),
                "{error}"
            );
        }
    }
}
