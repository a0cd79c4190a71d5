//! Conditions on where a task may run.

use std::{fmt, str::FromStr};

use tepui_model::Offer;
use tepui_proto::v1::scheduler::{
    AttributeConstraint,
    attribute_constraint::{
        Predicate, Selector,
        predicate::{
            Exists, NotExists, Predicate as Asked, TextEquals, TextMatches, TextNotEquals,
            TextNotMatches,
        },
        selector::{PseudoattributeType, Selector as Selected},
    },
};

/// A condition on an agent, written `rack == r1`, `rack != r1`, `gpu` (has such an attribute) or
/// `!gpu` (has none). `hostname` is the agent's host name, `@region` and `@zone` are its fault
/// domain.
///
/// As in Mesos, an agent without the attribute meets `!=` and not `==`. A framework may look
/// through its offers with it, or have the master send none of other agents
/// ([`Profile::only_on`](crate::Profile::only_on), Mesos: OFF-14); there an attribute that is no
/// text meets every comparison.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Constraint {
    attribute: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Test {
    Exists,
    Absent,
    Is(String),
    IsNot(String),
}

/// The name that stands for the agent's host name.
const HOSTNAME: &str = "hostname";

/// The names that stand for the agent's fault domain.
const REGION: &str = "@region";
const ZONE: &str = "@zone";

impl Constraint {
    /// The attribute has this value.
    pub fn is(attribute: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            attribute: attribute.into(),
            test: Test::Is(value.into()),
        }
    }

    /// The attribute has another value, or there is none.
    pub fn is_not(attribute: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            attribute: attribute.into(),
            test: Test::IsNot(value.into()),
        }
    }

    /// There is such an attribute.
    pub fn exists(attribute: impl Into<String>) -> Self {
        Self {
            attribute: attribute.into(),
            test: Test::Exists,
        }
    }

    /// There is no such attribute.
    pub fn absent(attribute: impl Into<String>) -> Self {
        Self {
            attribute: attribute.into(),
            test: Test::Absent,
        }
    }

    /// The whole of the attribute's text matches a regular expression of RE2; for the master,
    /// which bounds what it may cost.
    pub fn matching(attribute: &str, regex: impl Into<String>) -> AttributeConstraint {
        let regex = regex.into();
        of_wire(attribute, Asked::TextMatches(TextMatches { regex }))
    }

    /// It does not, or there is no such attribute.
    pub fn not_matching(attribute: &str, regex: impl Into<String>) -> AttributeConstraint {
        let regex = regex.into();
        of_wire(attribute, Asked::TextNotMatches(TextNotMatches { regex }))
    }

    /// Whether the agent of `offer` meets it.
    pub fn holds(&self, offer: &Offer) -> bool {
        let domain = offer.domain.as_ref();
        let value = match self.attribute.as_str() {
            HOSTNAME => Some(offer.hostname.clone()),
            REGION => domain.map(|domain| domain.region.to_string()),
            ZONE => domain.map(|domain| domain.zone.to_string()),
            name => offer.attributes.get(name).map(ToString::to_string),
        };
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Is(wanted) => value.as_ref() == Some(wanted),
            Test::IsNot(unwanted) => value.as_ref() != Some(unwanted),
        }
    }
}

impl From<Constraint> for AttributeConstraint {
    fn from(constraint: Constraint) -> Self {
        let asked = match constraint.test {
            Test::Exists => Asked::Exists(Exists {}),
            Test::Absent => Asked::NotExists(NotExists {}),
            Test::Is(value) => Asked::TextEquals(TextEquals { value }),
            Test::IsNot(value) => Asked::TextNotEquals(TextNotEquals { value }),
        };
        of_wire(&constraint.attribute, asked)
    }
}

fn of_wire(attribute: &str, asked: Asked) -> AttributeConstraint {
    let pseudo = |kind: PseudoattributeType| Selected::PseudoattributeType(kind.into());
    let selected = match attribute {
        HOSTNAME => pseudo(PseudoattributeType::Hostname),
        REGION => pseudo(PseudoattributeType::Region),
        ZONE => pseudo(PseudoattributeType::Zone),
        name => Selected::AttributeName(name.to_owned()),
    };
    AttributeConstraint {
        selector: Selector {
            selector: Some(selected),
        },
        predicate: Predicate {
            predicate: Some(asked),
        },
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attribute = &self.attribute;
        match &self.test {
            Test::Exists => write!(f, "{attribute}"),
            Test::Absent => write!(f, "!{attribute}"),
            Test::Is(value) => write!(f, "{attribute} == {value}"),
            Test::IsNot(value) => write!(f, "{attribute} != {value}"),
        }
    }
}

/// A text that is no constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no constraint: write `rack == r1`, `rack != r1`, `gpu` or `!gpu`")]
pub struct NoConstraint(String);

impl FromStr for Constraint {
    type Err = NoConstraint;

    fn from_str(text: &str) -> Result<Self, NoConstraint> {
        let constraint = if let Some((attribute, value)) = text.split_once("==") {
            Self::is(attribute.trim(), value.trim())
        } else if let Some((attribute, value)) = text.split_once("!=") {
            Self::is_not(attribute.trim(), value.trim())
        } else if let Some(attribute) = text.trim().strip_prefix('!') {
            Self::absent(attribute.trim())
        } else {
            Self::exists(text.trim())
        };
        let name = &constraint.attribute;
        let named = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '!');
        let valued = !matches!(&constraint.test, Test::Is(v) | Test::IsNot(v) if v.is_empty());
        if named && valued {
            Ok(constraint)
        } else {
            Err(NoConstraint(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::offer;

    #[test]
    fn a_constraint_is_read_and_written_the_same() {
        for text in ["rack == r1", "rack != r1", "gpu", "!gpu", "hostname == a.b"] {
            assert_eq!(text.parse::<Constraint>().unwrap().to_string(), text);
        }
        assert_eq!("rack==r1".parse(), Ok(Constraint::is("rack", "r1")));
        for text in ["", "!", "a b", "== x", "rack ==", "!a b", "a!"] {
            assert!(text.parse::<Constraint>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_constraint_holds_where_the_attributes_say_so() {
        let offer = offer("cpus:1", "rack:r1;level:3");
        for text in [
            "rack == r1",
            "rack != r2",
            "zone != a",
            "level == 3",
            "rack",
            "!zone",
        ] {
            assert!(text.parse::<Constraint>().unwrap().holds(&offer), "{text}");
        }
        for text in [
            "rack == r2",
            "zone == a",
            "rack != r1",
            "zone",
            "!rack",
            "hostname == x",
        ] {
            assert!(!text.parse::<Constraint>().unwrap().holds(&offer), "{text}");
        }
        assert!(Constraint::is("hostname", "host-1").holds(&offer));
        assert!(!Constraint::exists("@region").holds(&offer));
        let mut offer = offer;
        offer.domain = Some("north/a".parse().unwrap());
        assert!(Constraint::is("@region", "north").holds(&offer));
        assert!(Constraint::is("@zone", "a").holds(&offer));
    }
}
