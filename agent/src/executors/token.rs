//! Tokens of executors: who calls is the executor that the agent has started (Mesos: AUT-04). They
//! are JSON web tokens, signed with HMAC and SHA-256 by a key that only the agent has.

use std::{collections::BTreeMap, fmt, io, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::Value;
use tepui_agent_core::ExecutorKey;
use tepui_model::ContainerId;

use crate::limits;

/// Where executors find theirs.
pub(crate) const VARIABLE: &str = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN";

/// For whom the endpoint of executors asks who calls.
const REALM: &str = "mesos-agent-executor";

/// What every token of ours begins with.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// The key of an agent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tokens {
    key: Arc<hmac::Key>,
    /// Whether calls without one are refused.
    demanded: bool,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Tokens");
        shown
            .field("demanded", &self.demanded)
            .finish_non_exhaustive()
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims(BTreeMap<String, String>);

/// Why nobody is believed to call, as it is answered: what `WWW-Authenticate` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unauthorized(pub(crate) String);

impl Unauthorized {
    fn plain() -> Self {
        Self(format!("Bearer realm=\"{REALM}\""))
    }

    fn because(text: &str) -> Self {
        let Self(plain) = Self::plain();
        Self(format!(
            "{plain}, error=\"invalid_token\", error_description=\"{text}\""
        ))
    }
}

impl Tokens {
    /// Reads the key, which is all of a file.
    pub(crate) fn read(path: &Path, demanded: bool) -> io::Result<Self> {
        let key = std::fs::read(path)?;
        if key.is_empty() || key.len() > limits::TOKEN_KEY_BYTES {
            let most = limits::TOKEN_KEY_BYTES;
            let text = format!("a key has 1 to {most} bytes, and this has {}", key.len());
            return Err(io::Error::other(text));
        }
        Ok(Self::new(&key, demanded))
    }

    fn new(key: &[u8], demanded: bool) -> Self {
        Self {
            key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)),
            demanded,
        }
    }

    /// The token of an executor, which is good for as long as its container.
    pub(crate) fn of(&self, executor: &ExecutorKey, container: &ContainerId) -> String {
        let claims = serde_json::json!({
            "fid": executor.framework.as_str(),
            "eid": executor.executor.as_str(),
            "cid": container.as_str(),
        });
        let [header, claims] =
            [HEADER.to_owned(), claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part));
        let signed = format!("{header}.{claims}");
        let signature = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Who calls, by the header `Authorization`; none if nobody asks.
    pub(crate) fn who(&self, header: Option<&[u8]>) -> Result<Option<Claims>, Unauthorized> {
        if !self.demanded {
            return Ok(None);
        }
        let Some(header) = header else {
            return Err(Unauthorized::plain());
        };
        let malformed = || Unauthorized::because("Malformed 'Authorization' header");
        let header = std::str::from_utf8(header).map_err(|_| malformed())?;
        let (scheme, token) = header.split_once(' ').ok_or_else(malformed)?;
        if scheme != "Bearer" {
            let scheme: String = scheme.chars().filter(char::is_ascii_alphanumeric).collect();
            return Err(Unauthorized::because(&format!(
                "Scheme '{scheme}' unrecognized"
            )));
        }
        let claims = self.open(token);
        let claims =
            claims.map_err(|problem| Unauthorized::because(&format!("Invalid JWT: {problem}")))?;
        Ok(Some(claims))
    }

    /// What a token says, if it is one of ours.
    fn open(&self, token: &str) -> Result<Claims, &'static str> {
        let parts: Vec<&str> = token.splitn(4, '.').collect();
        let [header, claims, signature] = parts.as_slice() else {
            return Err("Expected 3 components in token");
        };
        let decode = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| "Failed to base64url-decode")
        };
        // Nothing of it is looked at before it is known that we have written it.
        let signed = &token[..header.len() + 1 + claims.len()];
        hmac::verify(&self.key, signed.as_bytes(), &decode(signature)?)
            .map_err(|_| "Token signature does not match")?;
        let object = |part: &str| -> Result<serde_json::Map<String, Value>, &'static str> {
            serde_json::from_slice(&decode(part)?).map_err(|_| "Failed to parse into JSON")
        };
        let header = object(header)?;
        if header.get("typ") != Some(&"JWT".into()) || header.get("alg") != Some(&"HS256".into()) {
            return Err("Token has another type or algorithm than JWT and HS256");
        }
        let claims = object(claims)?.into_iter();
        let texts = claims.filter_map(|(name, value)| match value {
            Value::String(text) => Some((name, text)),
            _ => None,
        });
        Ok(Claims(texts.collect()))
    }
}

impl Claims {
    /// Looks whether they are those of an executor, in Mesos' words.
    pub(crate) fn check(
        &self,
        executor: &ExecutorKey,
        container: &ContainerId,
    ) -> Result<(), String> {
        let has = |name: &str, value: &str| self.0.get(name).is_some_and(|it| it == value);
        let (framework, id) = (&executor.framework, &executor.executor);
        let refuse = |what: String| {
            let claims = self
                .0
                .iter()
                .map(|(name, value)| format!("{name}: {value}"));
            let claims = claims.collect::<Vec<_>>().join(", ");
            Err(format!(
                "Authenticated principal '{{ {claims} }}' does not contain {what}"
            ))
        };
        if !has("fid", framework.as_str()) {
            let what = "which is set in the call";
            return refuse(format!(
                "an 'fid' claim with the framework ID {framework}, {what}"
            ));
        }
        if !has("eid", id.as_str()) {
            let what = "which is set in the call";
            return refuse(format!("an 'eid' claim with the executor ID {id}, {what}"));
        }
        if !has("cid", container.as_str()) {
            return refuse("a 'cid' claim with the correct active ContainerID".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tepui_model::{ExecutorId, FrameworkId};

    use super::*;

    fn key(executor: &str) -> ExecutorKey {
        ExecutorKey::new(
            &FrameworkId::new("f").unwrap(),
            &ExecutorId::new(executor).unwrap(),
        )
    }

    fn container(id: &str) -> ContainerId {
        ContainerId::new(id).unwrap()
    }

    fn header(token: &str) -> Vec<u8> {
        format!("Bearer {token}").into_bytes()
    }

    #[test]
    fn a_token_says_whose_it_is_and_is_good_for_nobody_else() {
        let tokens = Tokens::new(b"secret", true);
        let token = tokens.of(&key("e"), &container("c"));
        let claims = tokens.who(Some(&header(&token))).unwrap().unwrap();
        assert_eq!(claims.check(&key("e"), &container("c")), Ok(()));
        let other = claims.check(&key("other"), &container("c")).unwrap_err();
        assert!(
            other.contains("'eid' claim with the executor ID other"),
            "{other}"
        );
        let again = claims.check(&key("e"), &container("d")).unwrap_err();
        assert!(
            again.ends_with("a 'cid' claim with the correct active ContainerID"),
            "{again}"
        );
    }

    /// By the example of RFC 7515, A.1, with its key.
    #[test]
    fn tokens_are_those_of_the_standard() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let tokens = Tokens::new(&URL_SAFE_NO_PAD.decode(key).unwrap(), true);
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                     dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let claims = tokens.open(token).unwrap();
        assert_eq!(claims.0["iss"], "joe");
    }

    #[test]
    fn what_is_no_token_of_ours_is_refused() {
        let tokens = Tokens::new(b"secret", true);
        let good = tokens.of(&key("e"), &container("c"));
        let foreign = Tokens::new(b"other", true).of(&key("e"), &container("c"));
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let claims = good.split('.').nth(1).unwrap();
        for token in [
            "",
            "a.b",
            "a.b.c",
            &foreign,
            &good[..good.len() - 2],
            &format!("{none}.{claims}."),
            &format!("{good}.x"),
        ] {
            assert!(tokens.who(Some(&header(token))).is_err(), "{token}");
        }
        let Unauthorized(plain) = tokens.who(None).unwrap_err();
        assert_eq!(plain, "Bearer realm=\"mesos-agent-executor\"");
        assert!(
            tokens
                .who(Some(b"Basic abc"))
                .unwrap_err()
                .0
                .contains("Scheme 'Basic'")
        );
        assert_eq!(Tokens::new(b"secret", false).who(None), Ok(None));
    }
}
