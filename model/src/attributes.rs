//! Attributes: what an agent says of itself and the master does not interpret.

use std::{fmt, str::FromStr, sync::Arc};

use tepui_proto::v1::{self, value};

use crate::{
    ParseError, Quantity, Ranges, ResourceError, Set, Value,
    limits::MAX_ITEMS,
    resources::{check_name, parse_collection, parse_items},
};

/// The value of an attribute (Mesos: ATT-01).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttributeValue {
    /// A number.
    Scalar(Quantity),
    /// Numbers.
    Ranges(Ranges),
    /// Named items.
    Set(Set),
    /// Any other text.
    Text(Arc<str>),
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(quantity) => quantity.fmt(formatter),
            Self::Ranges(ranges) => ranges.fmt(formatter),
            Self::Set(set) => set.fmt(formatter),
            Self::Text(text) => formatter.write_str(text),
        }
    }
}

/// A name and a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attribute {
    /// The name; several attributes may have the same.
    pub name: Arc<str>,
    /// The value.
    pub value: AttributeValue,
}

/// The attributes of an agent in the order given. Cheap to copy, because every offer has them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attributes(Arc<[Attribute]>);

impl Attributes {
    /// Reads `rack:r1;zone:a;level:10;range:[1-5]`: what is neither a number nor ranges nor a set
    /// is text.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let attribute = |(name, value): (&str, &str)| {
            check_name(name)?;
            Ok(Attribute {
                name: Arc::from(name),
                value: parse_value(name, value)?,
            })
        };
        parse_items(text)?
            .into_iter()
            .map(attribute)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The attributes in the order given.
    #[must_use]
    pub fn as_slice(&self) -> &[Attribute] {
        &self.0
    }

    /// The attributes in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &Attribute> + '_ {
        self.0.iter()
    }

    /// The value of the first attribute of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.0
            .iter()
            .find(|attribute| *attribute.name == *name)
            .map(|attribute| &attribute.value)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The attributes for the wire.
    #[must_use]
    pub fn to_proto(&self) -> Vec<v1::Attribute> {
        self.0.iter().map(v1::Attribute::from).collect()
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl FromIterator<Attribute> for Attributes {
    fn from_iter<I: IntoIterator<Item = Attribute>>(attributes: I) -> Self {
        Self(attributes.into_iter().collect())
    }
}

impl FromStr for Attributes {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Attribute { name, value }) in self.0.iter().enumerate() {
            let semicolon = if index == 0 { "" } else { ";" };
            write!(formatter, "{semicolon}{name}:{value}")?;
        }
        Ok(())
    }
}

/// Numbers too large for a quantity, and `nan` or `inf`, are text.
fn parse_value(name: &str, text: &str) -> Result<AttributeValue, ParseError> {
    if let Some(value) = parse_collection(name, text)? {
        return Ok(value.into());
    }
    let number = text.parse::<Quantity>().map(AttributeValue::Scalar);
    Ok(number.unwrap_or_else(|_| AttributeValue::Text(Arc::from(text))))
}

impl From<Value> for AttributeValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Scalar(quantity) => Self::Scalar(quantity),
            Value::Ranges(ranges) => Self::Ranges(ranges),
            Value::Set(set) => Self::Set(set),
        }
    }
}

impl From<&Attribute> for v1::Attribute {
    fn from(attribute: &Attribute) -> Self {
        let mut wire = Self {
            name: attribute.name.to_string(),
            ..Self::default()
        };
        let kind = match &attribute.value {
            AttributeValue::Scalar(quantity) => {
                wire.scalar = Some(value::Scalar {
                    value: quantity.as_f64(),
                });
                value::Type::Scalar
            }
            AttributeValue::Ranges(ranges) => {
                wire.ranges = Some(ranges.into());
                value::Type::Ranges
            }
            AttributeValue::Set(set) => {
                wire.set = Some(set.into());
                value::Type::Set
            }
            AttributeValue::Text(text) => {
                wire.text = Some(value::Text {
                    value: text.to_string(),
                });
                value::Type::Text
            }
        };
        wire.r#type = kind.into();
        wire
    }
}

impl TryFrom<&v1::Attribute> for Attribute {
    type Error = ResourceError;

    fn try_from(wire: &v1::Attribute) -> Result<Self, ResourceError> {
        check_name(&wire.name)?;
        let quantity = |scalar: &value::Scalar| {
            Quantity::from_f64(scalar.value).map_err(|cause| ResourceError::Quantity {
                name: wire.name.clone(),
                cause,
            })
        };
        let value = match (
            wire.r#type(),
            &wire.scalar,
            &wire.ranges,
            &wire.set,
            &wire.text,
        ) {
            (value::Type::Scalar, Some(scalar), ..) => AttributeValue::Scalar(quantity(scalar)?),
            (value::Type::Ranges, _, Some(ranges), ..) => {
                AttributeValue::Ranges(ranges.try_into()?)
            }
            (value::Type::Set, _, _, Some(set), _) => AttributeValue::Set(set.try_into()?),
            (value::Type::Text, .., Some(text)) => {
                AttributeValue::Text(Arc::from(text.value.as_str()))
            }
            _ => return Err(ResourceError::Type(wire.name.clone())),
        };
        Ok(Self {
            name: Arc::from(wire.name.as_str()),
            value,
        })
    }
}

impl TryFrom<&[v1::Attribute]> for Attributes {
    type Error = ResourceError;

    fn try_from(wire: &[v1::Attribute]) -> Result<Self, ResourceError> {
        if wire.len() > MAX_ITEMS {
            return Err(ResourceError::TooMany {
                what: "attributes",
                most: MAX_ITEMS,
            });
        }
        wire.iter()
            .map(Attribute::try_from)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_parsed_and_printed() {
        let text = "rack:r1;zone:a;level:10;range:[1-5];disks:{sda,sdb};url:http://h:80/";
        let attributes = Attributes::parse(text).unwrap();
        assert_eq!(attributes.to_string(), text);
        let level = AttributeValue::Scalar(Quantity::from_units(10));
        assert_eq!(attributes.get("level"), Some(&level));
        let url = AttributeValue::Text(Arc::from("http://h:80/"));
        assert_eq!(attributes.get("url"), Some(&url));
        assert_eq!(attributes.get("row"), None);
    }

    #[test]
    fn attributes_go_over_the_wire_and_back() {
        let attributes = Attributes::parse("a:-1.5;b:[1-2,9-9];c:{x};d:text;a:nan").unwrap();
        let wire = attributes.to_proto();
        assert_eq!(Attributes::try_from(wire.as_slice()).unwrap(), attributes);
        let first = attributes.get("a");
        assert_eq!(
            first,
            Some(&AttributeValue::Scalar(Quantity::from_millis(-1500)))
        );
    }

    #[test]
    fn a_malformed_text_or_message_is_refused() {
        for text in ["rack", ":x", "a:[1-2", "a:{x", "a:[b]"] {
            assert!(Attributes::parse(text).is_err(), "{text} was taken");
        }
        let empty = v1::Attribute {
            name: "a".to_owned(),
            ..Default::default()
        };
        assert_eq!(
            Attribute::try_from(&empty),
            Err(ResourceError::Type("a".to_owned()))
        );
    }
}
