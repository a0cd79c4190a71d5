//! Mesos' JSON, read into the bytes of a message in one pass over the text, by the table.
//!
//! The rules are those of Mesos' own converter. Keys are the names in the `.proto` file, and
//! unknown ones are ignored. `null` is unset. A number or a truth may be given as a string, one
//! value where a list is due is a list of one. The unknown name of an optional enum's value is
//! ignored, a number in place of the name refused.

use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use prost::encoding::{WireType, encode_key, encode_varint};
use serde::de::{
    self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};

use crate::{
    decode::DecodeError,
    table::{Field, Kind, Label, Message},
};

/// Bytes as people write them, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of the message that the text describes.
pub(crate) fn to_wire(message: &'static Message, text: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let text = std::str::from_utf8(text).map_err(|error| DecodeError::Syntax(error.to_string()))?;
    let mut out = Vec::with_capacity(text.len());
    let mut from = serde_json::Deserializer::from_str(text);
    let content = Content {
        message,
        out: &mut out,
    };
    match content.deserialize(&mut from).and_then(|()| from.end()) {
        Ok(()) => Ok(out),
        Err(error) => Err(reason(text, &error)),
    }
}

/// Whether the text is at fault or what it says. A text that is no JSON is at fault even if what it
/// says went wrong before.
fn reason(text: &str, error: &serde_json::Error) -> DecodeError {
    if !error.is_data() {
        return DecodeError::Syntax(error.to_string());
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return DecodeError::Syntax(error.to_string());
    }
    let text = error.to_string();
    // The library adds the place; Mesos does not.
    let end = text.rfind(" at line ").unwrap_or(text.len());
    DecodeError::Conversion(text[..end].to_owned())
}

/// The fields of a message, from an object.
struct Content<'a> {
    message: &'static Message,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Content<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Content<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(Key(self.message))? {
            match field {
                Some(field) => map.next_value_seed(Value {
                    field,
                    out: self.out,
                })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The key of an object: the field that it names, if there is one.
struct Key(&'static Message);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.named(name))
    }
}

/// The value of a field, or an element of it.
struct Value<'a> {
    field: &'static Field,
    out: &'a mut Vec<u8>,
}

impl Value<'_> {
    fn varint(self, value: u64) {
        encode_key(self.field.number, WireType::Varint, self.out);
        encode_varint(value, self.out);
    }

    fn bytes(self, bytes: &[u8]) {
        encode_key(self.field.number, WireType::LengthDelimited, self.out);
        encode_varint(bytes.len() as u64, self.out);
        self.out.extend_from_slice(bytes);
    }

    fn float(self, value: f64) {
        if matches!(self.field.kind, Kind::Float) {
            encode_key(self.field.number, WireType::ThirtyTwoBit, self.out);
            self.out.extend_from_slice(&(value as f32).to_le_bytes());
        } else {
            encode_key(self.field.number, WireType::SixtyFourBit, self.out);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn unexpected<E: de::Error>(&self, what: &str) -> E {
        let name = self.field.name;
        E::custom(format!("Not expecting a JSON {what} for field '{name}'"))
    }

    /// A number of any kind. A fraction is cut off an integer, as C++ does.
    fn number<E: de::Error>(self, number: serde_json::Number) -> Result<(), E> {
        let name = self.field.name;
        let out_of_range = || E::custom(format!("{number} is out of range for field '{name}'"));
        let whole = || {
            let cut = number.as_f64().filter(|value| value.abs() < 2f64.powi(63));
            let whole = number.as_i128().or(cut.map(|value| value.trunc() as i128));
            whole.ok_or_else(out_of_range)
        };
        let value = match self.field.kind {
            Kind::Double | Kind::Float => {
                let value = number.as_f64().ok_or_else(out_of_range)?;
                self.float(value);
                return Ok(());
            }
            Kind::Int32 => i32::try_from(whole()?).ok().map(|it| i64::from(it) as u64),
            Kind::Int64 => i64::try_from(whole()?).ok().map(|it| it as u64),
            Kind::Uint32 => u32::try_from(whole()?).ok().map(u64::from),
            Kind::Uint64 => u64::try_from(whole()?).ok(),
            _ => return Err(self.unexpected("number")),
        };
        self.varint(value.ok_or_else(out_of_range)?);
        Ok(())
    }

    fn enumeration<E: de::Error>(
        self,
        values: &[(&'static str, i32)],
        name: &str,
    ) -> Result<(), E> {
        match values.binary_search_by_key(&name, |(name, _)| *name) {
            Ok(index) => self.varint(i64::from(values[index].1) as u64),
            Err(_) if self.field.label == Label::Required => {
                return Err(E::custom(format!("Failed to find enum for '{name}'")));
            }
            // A newer client knows more values than this program.
            Err(_) => {}
        }
        Ok(())
    }

    /// A number in quotes, or one of the infinities, for which JSON has no number.
    fn quoted_number<E: de::Error>(self, text: &str) -> Result<(), E> {
        let is_float = matches!(self.field.kind, Kind::Double | Kind::Float);
        match text {
            "Infinity" if is_float => self.float(f64::INFINITY),
            "-Infinity" if is_float => self.float(f64::NEG_INFINITY),
            _ => {
                let number = serde_json::from_str(text).map_err(|error| {
                    let name = self.field.name;
                    E::custom(format!(
                        "Failed to parse '{text}' as a JSON number for field '{name}': {error}"
                    ))
                })?;
                return self.number(number);
            }
        }
        Ok(())
    }

    /// Writes a message, whose length is known only at its end.
    fn message<E>(
        field: &Field,
        out: &mut Vec<u8>,
        content: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        encode_key(field.number, WireType::LengthDelimited, out);
        let start = out.len();
        content(out)?;
        let mut prefix = Vec::with_capacity(10);
        encode_varint((out.len() - start) as u64, &mut prefix);
        out.splice(start..start, prefix);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value for field '{}'", self.field.name)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        if !matches!(self.field.kind, Kind::Bool) {
            return Err(self.unexpected("boolean"));
        }
        self.varint(u64::from(value));
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.number(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.number(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        let number = serde_json::Number::from_f64(value);
        self.number(number.ok_or_else(|| E::invalid_value(Unexpected::Float(value), &"a number"))?)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        match self.field.kind {
            Kind::String => self.bytes(text.as_bytes()),
            Kind::Bytes => {
                let name = self.field.name;
                let bytes = BASE64.decode(text).map_err(|error| {
                    E::custom(format!(
                        "Failed to base64 decode bytes field '{name}': {error}"
                    ))
                })?;
                self.bytes(&bytes);
            }
            Kind::Enum(values) => return self.enumeration(values, text),
            Kind::Bool => match text {
                "true" => self.varint(1),
                "false" => self.varint(0),
                _ => {
                    let name = self.field.name;
                    return Err(E::custom(format!(
                        "Failed to parse '{text}' as a JSON boolean for field '{name}'"
                    )));
                }
            },
            Kind::Message(_) => return Err(self.unexpected("string")),
            _ => return self.quoted_number(text),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.field.label != Label::Repeated {
            return Err(self.unexpected("array"));
        }
        let field = self.field;
        loop {
            let out = &mut *self.out;
            if list.next_element_seed(Value { field, out })?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Kind::Message(message) = self.field.kind else {
            return Err(self.unexpected("object"));
        };
        if !message.is_map_entry() {
            return Self::message(self.field, self.out, |out| {
                Content { message, out }.visit_map(map)
            });
        }
        let [key, value] = message.fields() else {
            return Err(self.unexpected("object"));
        };
        while let Some(name) = map.next_key::<String>()? {
            Self::message(self.field, self.out, |out| {
                let (field, out) = (key, &mut *out);
                Value { field, out }.visit_str::<A::Error>(&name)?;
                let (field, out) = (value, out);
                map.next_value_seed(Value { field, out })
            })?;
        }
        Ok(())
    }
}
