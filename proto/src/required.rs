//! Which required fields a message lacks. Decoding gives those the zero value of their kind, so
//! this looks at the bytes.

use std::borrow::Cow;

use prost::{
    bytes::Buf,
    encoding::{WireType, decode_key, decode_varint},
};

use crate::table::{Described, Kind, Label, Message};

/// The most paths that are listed.
const PATHS: usize = 32;
/// The deepest that messages are looked into; decoding refuses deeper ones.
const DEPTH: usize = 100;

/// The paths of required fields that the encoded message lacks, as `accept.offer_ids[1].value`, in
/// the order in which protobuf's own library lists them. Bytes that are no message lack nothing.
#[must_use]
pub fn missing_required<M: Described>(bytes: &[u8]) -> Vec<String> {
    let mut search = Search::default();
    search.visit(M::message(), bytes, DEPTH);
    search.missing
}

#[derive(Default)]
struct Search {
    /// Where the search stands.
    path: String,
    missing: Vec<String>,
}

impl Search {
    fn visit(&mut self, message: &'static Message, bytes: &[u8], depth: usize) {
        let fields = message.fields();
        let mut seen: u128 = 0;
        let mut inner: Vec<(usize, &[u8])> = Vec::new();
        let mut rest = bytes;
        while let Some((number, value)) = next_field(&mut rest) {
            let Some(index) = fields.iter().position(|field| field.number == number) else {
                continue;
            };
            seen |= 1 << index;
            if let (Kind::Message(_), Some(value)) = (fields[index].kind, value) {
                inner.push((index, value));
            }
        }
        for (index, field) in fields.iter().enumerate() {
            let is_missing = field.label == Label::Required && seen & (1 << index) == 0;
            if is_missing && self.missing.len() < PATHS {
                self.missing.push(format!("{}{}", self.path, field.name));
            }
        }
        if depth > 0 {
            self.descend(message, inner, depth - 1);
        }
    }

    /// Visits the messages within, by field number. One that is not repeated but comes in pieces is
    /// the sum of them.
    fn descend(&mut self, message: &'static Message, mut inner: Vec<(usize, &[u8])>, depth: usize) {
        let fields = message.fields();
        inner.sort_by_key(|(index, _)| fields[*index].number);
        for pieces in inner.chunk_by(|a, b| a.0 == b.0) {
            let field = &fields[pieces[0].0];
            let Kind::Message(kind) = field.kind else {
                continue;
            };
            if field.label == Label::Repeated {
                for (count, (_, bytes)) in pieces.iter().enumerate() {
                    self.step(&format!("{}[{count}].", field.name), kind, bytes, depth);
                }
            } else {
                let whole = match pieces {
                    [(_, only)] => Cow::Borrowed(*only),
                    several => Cow::Owned(several.iter().flat_map(|it| it.1).copied().collect()),
                };
                self.step(&format!("{}.", field.name), kind, &whole, depth);
            }
        }
    }

    fn step(&mut self, name: &str, kind: &'static Message, bytes: &[u8], depth: usize) {
        if self.missing.len() >= PATHS {
            return;
        }
        let length = self.path.len();
        self.path.push_str(name);
        self.visit(kind, bytes, depth);
        self.path.truncate(length);
    }
}

/// The next field's number, and its bytes if it has a length.
pub(crate) fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Option<&'a [u8]>)> {
    if rest.is_empty() {
        return None;
    }
    let (number, kind) = decode_key(rest).ok()?;
    let fixed = match kind {
        WireType::Varint => {
            decode_varint(rest).ok()?;
            return Some((number, None));
        }
        WireType::LengthDelimited => {
            let length = usize::try_from(decode_varint(rest).ok()?).ok()?;
            let value = rest.get(..length)?;
            rest.advance(length);
            return Some((number, Some(value)));
        }
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        WireType::StartGroup | WireType::EndGroup => return None,
    };
    *rest = rest.get(fixed..)?;
    Some((number, None))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::v1::{self, scheduler};

    /// The bytes of a field that holds a message.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
    }

    #[test]
    fn missing_fields_are_listed_with_their_paths_outer_ones_first() {
        let subscribe = field(1, &[]);
        let bytes = field(3, &subscribe);
        let missing = missing_required::<scheduler::Call>(&bytes);
        let expected = [
            "subscribe.framework_info.user",
            "subscribe.framework_info.name",
        ];
        assert_eq!(missing, expected);
    }

    #[test]
    fn an_element_of_a_list_is_named_by_its_index() {
        let accept = [field(1, &field(1, b"o")), field(1, &[])].concat();
        let missing = missing_required::<scheduler::Call>(&field(4, &accept));
        assert_eq!(missing, ["accept.offer_ids[1].value"]);
    }

    #[test]
    fn a_message_in_two_pieces_is_one() {
        let piece = |number, text: &[u8]| field(1, &field(number, text));
        let subscribe = [piece(1, b"user"), piece(2, b"name")].concat();
        assert!(missing_required::<scheduler::Call>(&field(3, &subscribe)).is_empty());
    }

    #[test]
    fn a_message_that_is_whole_lacks_nothing_and_garbage_neither() {
        let info = v1::FrameworkInfo {
            user: "a".into(),
            ..Default::default()
        };
        assert!(missing_required::<v1::FrameworkInfo>(&info.encode_to_vec()).is_empty());
        for garbage in [&[0xff; 30][..], &[0x0a, 0xff, 0xff, 0x03], &[0x0b, 0x0c]] {
            let missing = missing_required::<v1::FrameworkInfo>(garbage);
            assert!(missing.len() <= 2, "{missing:?}");
        }
    }

    #[test]
    fn the_list_of_missing_fields_has_an_end() {
        let accept: Vec<u8> = field(1, &[]).repeat(60);
        let missing = missing_required::<scheduler::Call>(&field(4, &accept));
        assert_eq!(missing.len(), PATHS);
    }
}
