//! In which form a request of an operator comes and its answer is wanted: one message, or a stream
//! of records. The order of checks and the texts are Mesos'.

use axum::http::{
    HeaderMap, HeaderName, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use tepui_edge::http::{Media, Refusal, media::accepts};

/// A stream of records, as `Content-Type` and `Accept` name it.
pub(super) const RECORDS: &str = "application/recordio";

/// In which form the records of a request are.
const RECORDS_ARE: &str = "message-content-type";

/// In which form the records of an answer may be.
const RECORDS_MAY_BE: &str = "message-accept";

/// One message, or a stream of records of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One.
    One(Media),
    /// Records.
    Records(Media),
}

impl Form {
    /// The form of a body.
    pub(super) fn of_body(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(kind) = headers.get(CONTENT_TYPE) else {
            let text = "Expecting 'Content-Type' to be present";
            return Err(Refusal::bad_request(text));
        };
        let of_records = headers.get(RECORDS_ARE);
        if kind == RECORDS {
            let missing = "Expecting 'Message-Content-Type' to be set for streaming requests";
            let kind = of_records.ok_or_else(|| Refusal::bad_request(missing))?;
            let known = [Media::Json, Media::Protobuf].into_iter();
            let known = known.into_iter().find(|media| kind == media.name());
            let media = known.ok_or_else(|| {
                unsupported(
                    "Expecting 'Message-Content-Type' of application/json or \
                     application/x-protobuf",
                )
            })?;
            return Ok(Self::Records(media));
        }
        let media = Media::of_body(headers).map_err(|_| {
            unsupported(
                "Expecting 'Content-Type' of application/json or application/x-protobuf or \
                 application/recordio",
            )
        })?;
        if of_records.is_some() {
            return Err(unsupported(
                "Expecting 'Message-Content-Type' to be not set for non-streaming requests",
            ));
        }
        Ok(Self::One(media))
    }

    /// The form of an answer: the first that the client takes.
    pub(super) fn of_answer(headers: &HeaderMap) -> Result<Self, Refusal> {
        let inner = HeaderName::from_static(RECORDS_MAY_BE);
        if let Ok(media) = Media::of_answer(headers) {
            if headers.contains_key(&inner) {
                return Err(unacceptable(
                    "Expecting 'Message-Accept' to be not set for non-streaming responses",
                ));
            }
            return Ok(Self::One(media));
        }
        if !accepts(headers, &ACCEPT, RECORDS) {
            return Err(unacceptable(
                "Expecting 'Accept' to allow application/json or application/x-protobuf or \
                 application/recordio",
            ));
        }
        let mut all = [Media::Json, Media::Protobuf].into_iter();
        let media = all.find(|media| accepts(headers, &inner, media.name()));
        media.map(Self::Records).ok_or_else(|| {
            unacceptable(
                "Expecting 'Message-Accept' to allow application/json or application/x-protobuf",
            )
        })
    }

    /// The form of one message.
    pub(super) const fn media(self) -> Media {
        match self {
            Self::One(media) | Self::Records(media) => media,
        }
    }
}

pub(super) fn unsupported(text: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
}

pub(super) fn unacceptable(text: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::NOT_ACCEPTABLE, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let parsed = all.iter().map(|(name, value)| {
            let value = value.parse().unwrap();
            (HeaderName::from_static(name), value)
        });
        parsed.collect()
    }

    #[test]
    fn records_say_in_which_form_they_are_and_single_messages_do_not() {
        let of = |all: &[_]| Form::of_body(&headers(all)).map_err(|it| it.status.as_u16());
        let (kind, inner) = ("content-type", "message-content-type");
        let json = "application/json";
        assert_eq!(of(&[]), Err(400));
        assert_eq!(of(&[(kind, "text/html")]), Err(415));
        assert_eq!(of(&[(kind, json)]), Ok(Form::One(Media::Json)));
        assert_eq!(of(&[(kind, json), (inner, json)]), Err(415));
        assert_eq!(of(&[(kind, RECORDS)]), Err(400));
        assert_eq!(of(&[(kind, RECORDS), (inner, RECORDS)]), Err(415));
        let protobuf = (inner, "application/x-protobuf");
        assert_eq!(
            of(&[(kind, RECORDS), protobuf]),
            Ok(Form::Records(Media::Protobuf))
        );
    }

    #[test]
    fn an_answer_is_of_records_only_for_who_takes_nothing_else() {
        let of = |all: &[_]| Form::of_answer(&headers(all)).map_err(|it| it.status.as_u16());
        let inner = "message-accept";
        assert_eq!(of(&[]), Ok(Form::One(Media::Json)));
        assert_eq!(of(&[(inner, "application/json")]), Err(406));
        assert_eq!(of(&[("accept", "text/html")]), Err(406));
        let records = ("accept", RECORDS);
        assert_eq!(of(&[records]), Ok(Form::Records(Media::Json)));
        let protobuf = (inner, "application/x-protobuf");
        assert_eq!(of(&[records, protobuf]), Ok(Form::Records(Media::Protobuf)));
        assert_eq!(of(&[records, (inner, "text/html")]), Err(406));
    }
}
