//! How a registry wants to be told who asks: the header `WWW-Authenticate`, and tokens.

use std::collections::BTreeMap;

use hyper::Uri;
use serde::Deserialize;

/// How a registry wants to be told who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// By a name and a password.
    Basic,
    /// By a token of another server.
    Bearer {
        /// The server.
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    pub(super) fn read(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut parameters = parameters(rest);
        Some(Self::Bearer {
            realm: parameters.remove("realm")?,
            service: parameters.remove("service"),
            scope: parameters.remove("scope"),
        })
    }

    /// Where to ask for a token.
    pub(super) fn address(realm: &str, service: Option<&str>, scope: &str) -> Option<Uri> {
        let mut address = realm.to_owned();
        let mut separator = if realm.contains('?') { '&' } else { '?' };
        for (name, value) in [("service", service), ("scope", Some(scope))] {
            if let Some(value) = value {
                address.push(separator);
                address.push_str(name);
                address.push('=');
                address.push_str(&escaped(value));
                separator = '&';
            }
        }
        address.parse().ok()
    }
}

/// `a="x",b=y`, with commas inside of quotes.
fn parameters(mut text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        found.insert(name, value.to_owned());
        text = rest;
    }
    found
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                escaped.push(byte.into());
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

/// The token in a server's answer.
pub(super) fn token(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        token: Option<String>,
        #[serde(default)]
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(bytes).ok()?;
    let token = answer.token.or(answer.access_token)?;
    (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_says_where_tokens_come_from() {
        let header =
            r#"Bearer realm="https://auth/token",service="reg, one",scope="repository:a:pull""#;
        let Some(Challenge::Bearer {
            realm,
            service,
            scope,
        }) = Challenge::read(header)
        else {
            panic!("a challenge");
        };
        let address = Challenge::address(&realm, service.as_deref(), &scope.unwrap()).unwrap();
        let expected = "https://auth/token?service=reg%2C%20one&scope=repository:a:pull";
        assert_eq!(address.to_string(), expected);
        assert_eq!(Challenge::read("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(Challenge::read("basic"), Some(Challenge::Basic));
        for header in ["", "Digest realm=x", "Bearer", "Bearer service=x"] {
            assert_eq!(Challenge::read(header), None, "{header}");
        }
    }

    #[test]
    fn a_token_is_one_that_can_be_sent() {
        assert_eq!(token(br#"{"token":"a.b"}"#).as_deref(), Some("a.b"));
        assert_eq!(token(br#"{"access_token":"c"}"#).as_deref(), Some("c"));
        for answer in ["{}", r#"{"token":""}"#, r#"{"token":"a\r\nb: c"}"#, "x"] {
            assert_eq!(token(answer.as_bytes()), None, "{answer}");
        }
    }
}
