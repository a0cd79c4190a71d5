//! How much memory a message takes once it is decoded. Two bytes can stand for an element of a list
//! that takes a thousand, so that what was small on its way fills a machine.

use crate::{
    required::next_field,
    table::{Described, Field, Kind, Label, Message},
};

/// The most that a decoded message may take, in bytes. The largest that make sense, which are
/// questions about a million tasks, take half of it.
pub const MESSAGE_ROOM: usize = 128 << 20;

/// The deepest that messages are looked into; decoding refuses deeper ones.
const DEPTH: usize = 100;

/// Why a message is not decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message that takes more than {MESSAGE_ROOM} bytes of memory; send it in parts")]
pub struct TooHeavy;

/// Looks whether there is room for the encoded message.
///
/// # Errors
/// When there is not.
pub fn check<M: Described>(bytes: &[u8]) -> Result<(), TooHeavy> {
    // Nothing takes more than this for a byte, and most messages are small.
    let mut left = MESSAGE_ROOM;
    spend(M::message(), bytes, DEPTH, &mut left)
}

/// Takes from the room what the message points to, as long as there is enough.
fn spend(
    message: &'static Message,
    mut bytes: &[u8],
    depth: usize,
    left: &mut usize,
) -> Result<(), TooHeavy> {
    while let Some((number, value)) = next_field(&mut bytes) {
        let Some(field) = message.numbered(number) else {
            continue;
        };
        let cost = cost(field, value);
        *left = left.checked_sub(cost).ok_or(TooHeavy)?;
        if let (Kind::Message(inner), Some(value), 1..) = (field.kind, value, depth) {
            spend(inner, value, depth - 1, left)?;
        }
    }
    Ok(())
}

/// What one occurrence of a field takes, without what it points to if it is a message.
fn cost(field: &Field, value: Option<&[u8]>) -> usize {
    let length = value.map_or(0, <[u8]>::len);
    let is_list = field.label == Label::Repeated;
    match field.kind {
        Kind::Message(inner) if is_list => inner.size(),
        // One is within the message that holds it.
        Kind::Message(_) => 0,
        Kind::String | Kind::Bytes if is_list => size_of::<String>() + length,
        Kind::String | Kind::Bytes => length,
        // A list of numbers has a byte for each at least.
        _ if is_list => size_of::<u64>() * length.max(1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::v1::{self, scheduler};

    /// A field of that number with these bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        prost::encoding::encode_varint(bytes.len() as u64, &mut out);
        out.extend_from_slice(bytes);
        out
    }

    #[test]
    fn a_list_of_nothing_weighs_what_its_elements_take() {
        let element = size_of::<v1::OfferId>();
        let fit = MESSAGE_ROOM / element;
        let ids = |count| field(4, &field(1, &[]).repeat(count));
        assert_eq!(check::<scheduler::Call>(&ids(fit)), Ok(()));
        assert_eq!(check::<scheduler::Call>(&ids(fit + 1)), Err(TooHeavy));
        // The number of bytes is nothing special.
        assert!(ids(fit + 1).len() < 16 << 20);
    }

    #[test]
    fn large_elements_weigh_more_and_text_its_length() {
        let count = MESSAGE_ROOM / size_of::<v1::Resource>() + 1;
        let request = field(1, &field(2, &[]).repeat(count));
        assert!(request.len() < 16 << 20);
        assert_eq!(
            check::<scheduler::Call>(&field(11, &request)),
            Err(TooHeavy)
        );
        let text = vec![b'x'; 15 << 20];
        let info = v1::FrameworkInfo {
            name: String::from_utf8(text).unwrap(),
            ..Default::default()
        };
        assert_eq!(check::<v1::FrameworkInfo>(&info.encode_to_vec()), Ok(()));
    }

    #[test]
    fn garbage_and_depth_come_to_an_end() {
        assert_eq!(check::<v1::FrameworkInfo>(&[0xff; 30]), Ok(()));
        let mut nested = Vec::new();
        for _ in 0..1000 {
            nested = field(2, &nested);
        }
        assert_eq!(check::<v1::ContainerId>(&nested), Ok(()));
    }
}
