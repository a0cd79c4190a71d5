//! Offer constraints: which agents a framework can use at all (Mesos: OFF-14).

mod error;
mod expression;
mod parse;

use std::sync::Arc;

use tepui_model::AttributeValue;

use self::expression::Expression;
pub use self::{
    error::{InvalidConstraint, InvalidConstraints},
    expression::RegexLimits,
};
use crate::agents::AgentProfile;

/// Which agents a framework can use in one role: those that one of the groups admits
/// (Mesos: OFF-14).
#[derive(Clone, Debug, PartialEq)]
pub struct Constraints {
    groups: Vec<Group>,
}

/// Constraints that an agent must all meet.
#[derive(Clone, Debug, PartialEq)]
struct Group {
    constraints: Vec<Constraint>,
}

/// A predicate on one property of an agent.
#[derive(Clone, Debug, PartialEq)]
struct Constraint {
    selector: Selector,
    predicate: Predicate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Selector {
    Hostname,
    Region,
    Zone,
    /// The first attribute of that name.
    Attribute(Arc<str>),
}

#[derive(Clone, Debug, PartialEq)]
enum Predicate {
    Exists,
    NotExists,
    Equals(Arc<str>),
    NotEquals(Arc<str>),
    /// The whole text matches.
    Matches(Expression),
    NotMatches(Expression),
}

/// What a selector finds.
enum Property<'a> {
    Absent,
    Text(&'a str),
    /// An attribute that is no text.
    Other,
}

impl Constraints {
    /// Whether the framework can use that agent.
    #[must_use]
    pub fn admit(&self, agent: &AgentProfile) -> bool {
        self.groups.iter().any(|group| group.is_met_by(agent))
    }

    /// The first constraint of each group that excludes that agent, in words; nothing if the
    /// framework can use it.
    #[must_use]
    pub fn objections(&self, agent: &AgentProfile) -> Vec<String> {
        if self.admit(agent) {
            return Vec::new();
        }
        let unmet = |group: &Group| group.first_unmet(agent).map(ToString::to_string);
        self.groups.iter().filter_map(unmet).collect()
    }

    /// Whether no constraint is about the agent itself rather than its kind.
    pub(crate) fn is_about_kinds(&self) -> bool {
        let mut constraints = self.groups.iter().flat_map(|group| &group.constraints);
        constraints.all(|constraint| constraint.selector != Selector::Hostname)
    }
}

impl Group {
    fn is_met_by(&self, agent: &AgentProfile) -> bool {
        self.first_unmet(agent).is_none()
    }

    fn first_unmet(&self, agent: &AgentProfile) -> Option<&Constraint> {
        self.constraints
            .iter()
            .find(|constraint| !constraint.is_met_by(agent))
    }
}

impl Constraint {
    /// Texts are compared with texts only: what exists and is none meets every comparison. What is
    /// absent is and matches nothing, so it meets those that want it not to.
    fn is_met_by(&self, agent: &AgentProfile) -> bool {
        let property = self.selector.of(agent);
        match (&self.predicate, property) {
            (Predicate::NotExists, property) => matches!(property, Property::Absent),
            (Predicate::NotEquals(_) | Predicate::NotMatches(_), Property::Absent) => true,
            (_, Property::Absent) => false,
            (Predicate::Exists, _) | (_, Property::Other) => true,
            (Predicate::Equals(wanted), Property::Text(text)) => **wanted == *text,
            (Predicate::NotEquals(unwanted), Property::Text(text)) => **unwanted != *text,
            (Predicate::Matches(regex), Property::Text(text)) => regex.matches(text),
            (Predicate::NotMatches(regex), Property::Text(text)) => !regex.matches(text),
        }
    }
}

impl Selector {
    fn of<'a>(&self, agent: &'a AgentProfile) -> Property<'a> {
        let domain = agent.domain.as_ref();
        match self {
            Self::Hostname => Property::Text(&agent.hostname),
            Self::Region => domain.map_or(Property::Absent, |it| Property::Text(&it.region)),
            Self::Zone => domain.map_or(Property::Absent, |it| Property::Text(&it.zone)),
            Self::Attribute(name) => match agent.attributes.get(name) {
                None => Property::Absent,
                Some(AttributeValue::Text(text)) => Property::Text(text),
                Some(_) => Property::Other,
            },
        }
    }
}

impl std::fmt::Display for Constraint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match &self.selector {
            Selector::Hostname => "HOSTNAME",
            Selector::Region => "REGION",
            Selector::Zone => "ZONE",
            Selector::Attribute(name) => name,
        };
        match &self.predicate {
            Predicate::Exists => write!(formatter, "{name} exists"),
            Predicate::NotExists => write!(formatter, "{name} does not exist"),
            Predicate::Equals(text) => write!(formatter, "{name} is '{text}'"),
            Predicate::NotEquals(text) => write!(formatter, "{name} is not '{text}'"),
            Predicate::Matches(regex) => write!(formatter, "{name} matches '{regex}'"),
            Predicate::NotMatches(regex) => {
                write!(formatter, "{name} does not match '{regex}'")
            }
        }
    }
}

#[cfg(test)]
mod tests;
