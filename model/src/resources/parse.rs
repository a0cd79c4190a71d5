//! Reads Mesos' text form of resources.

use std::str::FromStr;

use super::{
    ParseError, Ranges, ResourceError, Resources, Set, Traits, Value,
    proto::{TypeCheck, check_name},
};
use crate::{InvalidQuantity, Quantity, Role, limits::MAX_ITEMS, limits::MAX_TEXT_BYTES};

impl Resources {
    /// Reads `cpus:4;mem:8192;ports:[31000-32000];cpus(role):1;disks:{a,b}`.
    ///
    /// What names no role is reserved to `default_role` (an agent's `--default-role`); `*` leaves
    /// it unreserved. Empty ranges and sets are nothing; a scalar must be positive.
    pub fn parse(text: &str, default_role: &Role) -> Result<Self, ParseError> {
        let mut resources = Self::new();
        let mut types = TypeCheck::default();
        for (key, value) in parse_items(text)? {
            let (name, role) = split_role(key)?;
            check_name(name)?;
            let role = match role {
                Some(role) => Role::new(role).map_err(ResourceError::from)?,
                None => default_role.clone(),
            };
            let value = parse_value(name, value)?;
            types.check(name, &value)?;
            resources.insert(&Traits::reserved(role), name, &value);
        }
        Ok(resources)
    }
}

impl FromStr for Resources {
    type Err = ParseError;

    /// Reads the text form; what names no role is unreserved.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text, &Role::default())
    }
}

/// Splits `key:value;key:value` into pairs. Empty parts are passed over, as in Mesos.
pub(crate) fn parse_items(text: &str) -> Result<Vec<(&str, &str)>, ParseError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(ParseError::TooLong(MAX_TEXT_BYTES));
    }
    let mut items = Vec::new();
    for item in text
        .split(';')
        .map(str::trim)
        .filter(|item| !item.is_empty())
    {
        let malformed = || ParseError::Colon(item.to_owned());
        let (key, value) = item.split_once(':').ok_or_else(malformed)?;
        if items.len() == MAX_ITEMS {
            return Err(ResourceError::TooMany {
                what: "items",
                most: MAX_ITEMS,
            }
            .into());
        }
        items.push((key.trim(), value.trim()));
    }
    Ok(items)
}

/// `name(role)` or `name`.
fn split_role(key: &str) -> Result<(&str, Option<&str>), ParseError> {
    let malformed = || ParseError::Parentheses(key.to_owned());
    match key.split_once('(') {
        None if key.contains(')') => Err(malformed()),
        None => Ok((key, None)),
        Some((name, rest)) => {
            let role = rest.strip_suffix(')').ok_or_else(malformed)?;
            Ok((name.trim(), Some(role.trim())))
        }
    }
}

fn parse_value(name: &str, text: &str) -> Result<Value, ParseError> {
    if text.contains(':') {
        return Err(ParseError::Colon(format!("{name}:{text}")));
    }
    if let Some(value) = parse_collection(name, text)? {
        return Ok(value);
    }
    match text.parse::<Quantity>() {
        Ok(quantity) if quantity.is_positive() => Ok(Value::Scalar(quantity)),
        Ok(_) => Err(ResourceError::NotPositive {
            name: name.to_owned(),
        }
        .into()),
        Err(InvalidQuantity::NotANumber(_)) => Err(ParseError::Value {
            name: name.to_owned(),
            value: text.to_owned(),
        }),
        Err(cause) => Err(ResourceError::Quantity {
            name: name.to_owned(),
            cause,
        }
        .into()),
    }
}

/// `[1-10,20-30]` or `{a,b}`; nothing if the text is neither.
pub(crate) fn parse_collection(name: &str, text: &str) -> Result<Option<Value>, ParseError> {
    let unclosed = || ParseError::Unclosed {
        name: name.to_owned(),
        value: text.to_owned(),
    };
    if let Some(rest) = text.strip_prefix('[') {
        let inside = rest.strip_suffix(']').ok_or_else(unclosed)?;
        let pairs: Vec<_> = parts(inside).map(parse_range).collect::<Result<_, _>>()?;
        return Ok(Some(Value::Ranges(Ranges::from_pairs(pairs)?)));
    }
    if let Some(rest) = text.strip_prefix('{') {
        let inside = rest.strip_suffix('}').ok_or_else(unclosed)?;
        return Ok(Some(Value::Set(Set::from_items(parts(inside))?)));
    }
    Ok(None)
}

fn parts(inside: &str) -> impl Iterator<Item = &str> {
    inside
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// `begin-end`, or one number.
fn parse_range(text: &str) -> Result<(u64, u64), ParseError> {
    let number = |text: &str| {
        text.trim()
            .parse()
            .map_err(|_| ParseError::Range(text.to_owned()))
    };
    let (begin, end) = text.split_once('-').unwrap_or((text, text));
    Ok((number(begin)?, number(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        text.parse::<Resources>().unwrap().to_string()
    }

    fn refusal(text: &str) -> String {
        text.parse::<Resources>().unwrap_err().to_string()
    }

    #[test]
    fn spaces_empty_parts_and_repetitions_are_taken() {
        assert_eq!(parsed(""), "");
        assert_eq!(parsed(" ; ;"), "");
        assert_eq!(parsed("cpus : 4 ; mem: 1024;"), "cpus:4;mem:1024");
        assert_eq!(parsed("cpus:1;cpus:2.5"), "cpus:3.5");
        assert_eq!(parsed("ports:[ 3 - 4 , 1-2, 9]"), "ports:[1-4,9-9]");
        assert_eq!(parsed("ports:[];disks:{}"), "");
        assert_eq!(
            parsed("cpus( eng/web ):1;disks:{ b, a }"),
            "disks:{a,b};cpus(eng/web):1"
        );
        assert_eq!(parsed("cpus(*):1"), "cpus:1");
    }

    #[test]
    fn what_names_no_role_is_reserved_to_the_default_role() {
        let role = Role::new("web").unwrap();
        let resources = Resources::parse("cpus:4;mem(*):64", &role).unwrap();
        assert_eq!(resources.to_string(), "mem:64;cpus(web):4");
    }

    #[test]
    fn a_malformed_text_is_refused_with_what_is_wrong() {
        assert!(refusal("cpus").starts_with("missing or extra ':' in 'cpus'"));
        assert!(refusal("cpus:1:2").starts_with("missing or extra ':'"));
        assert!(refusal("cpus(a:1").starts_with("mismatched parentheses"));
        assert!(refusal("cpus)a(:1").starts_with("mismatched parentheses"));
        assert!(refusal("ports:[1-2").contains("is not closed"));
        assert!(refusal("disks:{a").contains("is not closed"));
        assert!(refusal("ports:[1-2-3]").contains("is not a range"));
        assert!(refusal("ports:[-1-3]").contains("is not a range"));
        assert!(refusal("rack:r1").contains("is not a number, ranges or a set"));
        assert_eq!(refusal(":4"), "Empty resource name");
    }

    #[test]
    fn what_is_well_formed_but_wrong_is_refused() {
        assert_eq!(
            refusal("cpus:0"),
            "Invalid scalar resource 'cpus': value <= 0"
        );
        assert_eq!(
            refusal("cpus:-1"),
            "Invalid scalar resource 'cpus': value <= 0"
        );
        assert!(refusal("cpus:inf").contains("finite"));
        assert!(refusal("cpus(a b):1").contains("whitespace"));
        assert!(refusal("cpus:[1-2]").contains("must be of type SCALAR"));
        assert!(refusal("ports:3").contains("must be of type RANGES"));
        assert!(refusal("x:3;x:{a}").contains("different types"));
        assert!(refusal("ports:[1-3,2-4]").contains("overlapping"));
        assert!(refusal("disks:{a,a}").contains("duplicated element 'a'"));
    }

    #[test]
    fn a_text_beyond_its_limits_is_refused() {
        let spaces = " ".repeat(MAX_TEXT_BYTES);
        assert_eq!(parsed(&spaces), "");
        assert!(refusal(&format!("{spaces} ")).contains("longer than"));
        let items = "x:1;".repeat(MAX_ITEMS);
        assert_eq!(parsed(&items), format!("x:{MAX_ITEMS}"));
        assert!(refusal(&format!("{items}x:1")).contains("more than 16384 items"));
    }
}
