//! Offer constraints from the wire.

use std::sync::Arc;

use tepui_model::Role;
use tepui_proto::v1::scheduler::{
    AttributeConstraint,
    attribute_constraint::{
        Predicate as WirePredicate, Selector as WireSelector,
        predicate::Predicate as Asked,
        selector::{PseudoattributeType, Selector as Selected},
    },
    offer_constraints::{RoleConstraints, role_constraints::Group as WireGroup},
};

use super::{
    Constraint, Constraints, Group, InvalidConstraint, InvalidConstraints, Predicate, RegexLimits,
    Selector, expression::Expression,
};
use crate::limits::{MAX_CONSTRAINT_TEXT_BYTES, MAX_CONSTRAINTS, MAX_EXPRESSIONS};

impl Constraints {
    /// Checks the constraints of one role from the wire.
    pub fn parse(
        role: &Role,
        wire: &RoleConstraints,
        limits: &RegexLimits,
    ) -> Result<Self, InvalidConstraints> {
        if wire.groups.is_empty() {
            return Err(InvalidConstraints::NoGroups(role.clone()));
        }
        let is_empty = |group: &WireGroup| group.attribute_constraints.is_empty();
        if wire.groups.iter().any(is_empty) {
            return Err(InvalidConstraints::EmptyGroup(role.clone()));
        }
        let all = || {
            let groups = wire.groups.iter();
            groups.flat_map(|group| &group.attribute_constraints)
        };
        if all().count() > MAX_CONSTRAINTS {
            return Err(InvalidConstraints::TooMany(role.clone()));
        }
        if all().filter(|wire| has_expression(wire)).count() > MAX_EXPRESSIONS {
            return Err(InvalidConstraints::TooManyExpressions(role.clone()));
        }
        let groups = wire.groups.iter().map(|group| group_from(group, limits));
        let groups = groups.collect::<Result<_, _>>();
        let in_role = |cause| InvalidConstraints::Constraint {
            role: role.clone(),
            cause,
        };
        Ok(Self {
            groups: groups.map_err(in_role)?,
        })
    }
}

fn has_expression(wire: &AttributeConstraint) -> bool {
    matches!(
        wire.predicate.predicate,
        Some(Asked::TextMatches(_) | Asked::TextNotMatches(_))
    )
}

fn group_from(wire: &WireGroup, limits: &RegexLimits) -> Result<Group, InvalidConstraint> {
    let constraint = |wire: &AttributeConstraint| {
        Ok(Constraint {
            selector: selector_from(&wire.selector)?,
            predicate: predicate_from(&wire.predicate, limits)?,
        })
    };
    let constraints = wire.attribute_constraints.iter().map(constraint);
    Ok(Group {
        constraints: constraints.collect::<Result<_, _>>()?,
    })
}

fn selector_from(wire: &WireSelector) -> Result<Selector, InvalidConstraint> {
    match &wire.selector {
        Some(Selected::AttributeName(name)) => Ok(Selector::Attribute(text_from(name)?)),
        Some(Selected::PseudoattributeType(kind)) => match PseudoattributeType::try_from(*kind) {
            Ok(PseudoattributeType::Hostname) => Ok(Selector::Hostname),
            Ok(PseudoattributeType::Region) => Ok(Selector::Region),
            Ok(PseudoattributeType::Zone) => Ok(Selector::Zone),
            _ => Err(InvalidConstraint::Pseudoattribute),
        },
        None => Err(InvalidConstraint::NoSelector),
    }
}

fn predicate_from(
    wire: &WirePredicate,
    limits: &RegexLimits,
) -> Result<Predicate, InvalidConstraint> {
    match &wire.predicate {
        Some(Asked::Exists(_)) => Ok(Predicate::Exists),
        Some(Asked::NotExists(_)) => Ok(Predicate::NotExists),
        Some(Asked::TextEquals(text)) => Ok(Predicate::Equals(text_from(&text.value)?)),
        Some(Asked::TextNotEquals(text)) => Ok(Predicate::NotEquals(text_from(&text.value)?)),
        Some(Asked::TextMatches(text)) => {
            Ok(Predicate::Matches(Expression::new(&text.regex, *limits)?))
        }
        Some(Asked::TextNotMatches(text)) => Ok(Predicate::NotMatches(Expression::new(
            &text.regex,
            *limits,
        )?)),
        None => Err(InvalidConstraint::Predicate),
    }
}

fn text_from(text: &str) -> Result<Arc<str>, InvalidConstraint> {
    if text.len() > MAX_CONSTRAINT_TEXT_BYTES {
        return Err(InvalidConstraint::TextTooLong);
    }
    Ok(Arc::from(text))
}
