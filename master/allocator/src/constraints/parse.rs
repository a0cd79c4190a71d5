//! Offer constraints from the wire.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use tepui_proto::v1::scheduler::{
    AttributeConstraint,
    attribute_constraint::{
        Predicate as WirePredicate, Selector as WireSelector,
        predicate::Predicate as Asked,
        selector::{PseudoattributeType, Selector as Selected},
    },
    offer_constraints::{RoleConstraints, role_constraints::Group as WireGroup},
};

use super::{Constraint, Constraints, Group, InvalidConstraints, Predicate, Selector};
use crate::limits::{MAX_CONSTRAINT_TEXT_BYTES, MAX_CONSTRAINTS};

/// What stands around an expression that has to match a whole text.
pub(super) const WHOLE: (&str, &str) = (r"\A(?:", r")\z");

/// What a regular expression may take (Mesos: OFF-14, `--offer_constraints_re2_max_mem` and
/// `--offer_constraints_re2_max_program_size`).
///
/// Matching takes time in proportion to the text and the compiled expression whatever the
/// expression is, here as in RE2. RE2 counts instructions, of which it has one a character;
/// ours counts bytes, and has about 40 for each of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegexLimits {
    /// Bytes that matching may keep besides the compiled expression, where RE2's limit of memory
    /// stands.
    pub memory: usize,
    /// Instructions of the compiled expression, as RE2 counts them.
    pub program: usize,
}

/// Bytes of a compiled expression for each of RE2's instructions.
const BYTES_PER_INSTRUCTION: usize = 128;

impl Default for RegexLimits {
    /// 4 KB and 100, as in Mesos.
    fn default() -> Self {
        Self {
            memory: 4096,
            program: 100,
        }
    }
}

impl RegexLimits {
    /// Bytes that a compiled expression may take.
    #[must_use]
    pub const fn compiled_bytes(self) -> usize {
        self.program.saturating_mul(BYTES_PER_INSTRUCTION)
    }

    fn compile(self, pattern: &str) -> Result<Regex, InvalidConstraints> {
        if pattern.len() > self.memory.min(MAX_CONSTRAINT_TEXT_BYTES) {
            return Err(InvalidConstraints::TextTooLong);
        }
        // By itself first: with parentheses around it, `a)|(b` would be one.
        self.build(pattern, pattern)?;
        self.build(pattern, &[WHOLE.0, pattern, WHOLE.1].concat())
    }

    fn build(self, pattern: &str, whole: &str) -> Result<Regex, InvalidConstraints> {
        let mut builder = RegexBuilder::new(whole);
        builder
            .size_limit(self.compiled_bytes())
            .dfa_size_limit(self.memory);
        builder.build().map_err(|error| match error {
            regex::Error::CompiledTooBig(bytes) => InvalidConstraints::RegexTooComplex {
                pattern: pattern.to_owned(),
                bytes,
            },
            other => InvalidConstraints::Regex {
                pattern: pattern.to_owned(),
                cause: other.to_string(),
            },
        })
    }
}

impl Constraints {
    /// Checks the constraints of one role from the wire.
    pub fn parse(wire: &RoleConstraints, limits: &RegexLimits) -> Result<Self, InvalidConstraints> {
        if wire.groups.is_empty() {
            return Err(InvalidConstraints::NoGroups);
        }
        let constraints = |group: &WireGroup| group.attribute_constraints.len();
        if wire.groups.iter().map(constraints).sum::<usize>() > MAX_CONSTRAINTS {
            return Err(InvalidConstraints::TooMany);
        }
        let groups = wire.groups.iter().map(|group| group_from(group, limits));
        Ok(Self {
            groups: groups.collect::<Result<_, _>>()?,
        })
    }
}

fn group_from(wire: &WireGroup, limits: &RegexLimits) -> Result<Group, InvalidConstraints> {
    if wire.attribute_constraints.is_empty() {
        return Err(InvalidConstraints::EmptyGroup);
    }
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

fn selector_from(wire: &WireSelector) -> Result<Selector, InvalidConstraints> {
    match &wire.selector {
        Some(Selected::AttributeName(name)) if name.is_empty() => Err(InvalidConstraints::Selector),
        Some(Selected::AttributeName(name)) => Ok(Selector::Attribute(text_from(name)?)),
        Some(Selected::PseudoattributeType(kind)) => match PseudoattributeType::try_from(*kind) {
            Ok(PseudoattributeType::Hostname) => Ok(Selector::Hostname),
            Ok(PseudoattributeType::Region) => Ok(Selector::Region),
            Ok(PseudoattributeType::Zone) => Ok(Selector::Zone),
            _ => Err(InvalidConstraints::Selector),
        },
        None => Err(InvalidConstraints::Selector),
    }
}

fn predicate_from(
    wire: &WirePredicate,
    limits: &RegexLimits,
) -> Result<Predicate, InvalidConstraints> {
    match &wire.predicate {
        Some(Asked::Exists(_)) => Ok(Predicate::Exists),
        Some(Asked::NotExists(_)) => Ok(Predicate::NotExists),
        Some(Asked::TextEquals(text)) => Ok(Predicate::Equals(text_from(&text.value)?)),
        Some(Asked::TextNotEquals(text)) => Ok(Predicate::NotEquals(text_from(&text.value)?)),
        Some(Asked::TextMatches(text)) => Ok(Predicate::Matches(limits.compile(&text.regex)?)),
        Some(Asked::TextNotMatches(text)) => {
            Ok(Predicate::NotMatches(limits.compile(&text.regex)?))
        }
        None => Err(InvalidConstraints::Predicate),
    }
}

fn text_from(text: &str) -> Result<Arc<str>, InvalidConstraints> {
    if text.len() > MAX_CONSTRAINT_TEXT_BYTES {
        return Err(InvalidConstraints::TextTooLong);
    }
    Ok(Arc::from(text))
}
