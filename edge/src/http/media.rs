//! The two forms of a message, and who wants which.

use axum::http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderName},
};
use prost::Message;
use serde::Serialize;
use tepui_proto::{
    Described,
    decode::{self, DecodeError},
};

use super::refusal::Refusal;

/// A form of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Mesos' JSON.
    Json,
    /// The encoding of protocol buffers.
    Protobuf,
}

impl Media {
    /// In the order in which they are tried on who takes both.
    const ALL: [Self; 2] = [Self::Json, Self::Protobuf];

    /// Its name, as in `Content-Type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/x-protobuf",
        }
    }

    /// The same as a header.
    #[must_use]
    pub const fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }

    /// The form of a body. Mesos compares the header exactly.
    pub fn of_body(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(kind) = headers.get(CONTENT_TYPE) else {
            let text = "Expecting 'Content-Type' to be present";
            return Err(Refusal::bad_request(text));
        };
        let known = Self::ALL.into_iter().find(|it| kind == it.name());
        known.ok_or_else(|| {
            Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Expecting 'Content-Type' of application/json or application/x-protobuf",
            )
        })
    }

    /// The form of an answer: the first that the client takes.
    pub fn of_answer(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut all = Self::ALL.into_iter();
        let taken = all.find(|it| accepts(headers, &ACCEPT, it.name()));
        taken.ok_or_else(|| {
            Refusal::new(
                StatusCode::NOT_ACCEPTABLE,
                "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'",
            )
        })
    }

    /// Reads a call. The texts are Mesos'.
    pub fn decode<M: Message + Default + Described>(self, body: &[u8]) -> Result<M, Refusal> {
        let refuse = |error| match (self, error) {
            (Self::Protobuf, _) => "Failed to parse body into Call protobuf".to_owned(),
            (Self::Json, DecodeError::Syntax(text)) => {
                format!("Failed to parse body into JSON: {text}")
            }
            (Self::Json, error) => format!("Failed to convert JSON into Call protobuf: {error}"),
        };
        let message = match self {
            Self::Json => decode::json(body),
            Self::Protobuf => decode::protobuf(body),
        };
        message.map_err(|error| Refusal::bad_request(refuse(error)))
    }

    /// Writes a message.
    #[must_use]
    pub fn encode<M: Message + Serialize>(self, message: &M) -> Vec<u8> {
        match self {
            Self::Protobuf => message.encode_to_vec(),
            // Our messages have nothing that JSON cannot hold, so there is no error to come.
            Self::Json => serde_json::to_vec(message).unwrap_or_default(),
        }
    }
}

/// Whether the header allows the name: it is not there, or names it, or its group, or everything,
/// and not with a quality of nothing. Of several headers the last counts.
#[must_use]
pub fn accepts(headers: &HeaderMap, header: &HeaderName, name: &str) -> bool {
    let Some(value) = headers.get_all(header).iter().next_back() else {
        return true;
    };
    let group = name.split('/').next().unwrap_or(name);
    let allows = |entry: &str| {
        let mut parts = entry.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let is_meant = kind.eq_ignore_ascii_case(name)
            || kind == "*"
            || kind == "*/*"
            || kind.strip_suffix("/*") == Some(group);
        is_meant && !parts.any(is_quality_of_nothing)
    };
    value.to_str().is_ok_and(|list| list.split(',').any(allows))
}

fn is_quality_of_nothing(parameter: &str) -> bool {
    let quality = parameter.strip_prefix("q=").map(str::trim);
    quality.is_some_and(|quality| quality.parse() == Ok(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(accepts: &[&str]) -> Option<Media> {
        let mut headers = HeaderMap::new();
        for value in accepts {
            headers.append(ACCEPT, value.parse().unwrap());
        }
        Media::of_answer(&headers).ok()
    }

    #[test]
    fn json_is_the_first_choice_whatever_the_qualities() {
        for accept in [
            "application/json",
            "*/*",
            "application/*",
            "text/html, application/*;q=0.3",
            "application/x-protobuf, application/json;q=0.1",
        ] {
            assert_eq!(answer(&[accept]), Some(Media::Json), "{accept}");
        }
        assert_eq!(answer(&[]), Some(Media::Json));
    }

    #[test]
    fn a_quality_of_nothing_excludes() {
        let accept = "application/json;q=0, application/x-protobuf";
        assert_eq!(answer(&[accept]), Some(Media::Protobuf));
        assert_eq!(answer(&["text/html"]), None);
        assert_eq!(answer(&["*/*;q=0.0"]), None);
        assert_eq!(answer(&[""]), None);
    }

    #[test]
    fn of_several_headers_the_last_counts() {
        let accepts = ["application/json", "application/x-protobuf"];
        assert_eq!(answer(&accepts), Some(Media::Protobuf));
    }

    #[test]
    fn the_type_of_a_body_is_compared_exactly() {
        let body = |kind: &'static str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
            Media::of_body(&headers).map_err(|refusal| refusal.status.as_u16())
        };
        assert_eq!(body("application/json"), Ok(Media::Json));
        assert_eq!(body("application/json; charset=utf-8"), Err(415));
        assert_eq!(body("Application/JSON"), Err(415));
        assert_eq!(Media::of_body(&HeaderMap::new()).unwrap_err().status, 400);
    }
}
