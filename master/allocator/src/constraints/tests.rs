//! Which agents constraints admit, and which constraints are refused.

use tepui_model::{Attributes, FaultDomain, Resources};
use tepui_proto::v1::scheduler::{
    AttributeConstraint,
    attribute_constraint::{
        Predicate as WirePredicate, Selector as WireSelector,
        predicate::{
            Exists, NotExists, Predicate as Asked, TextEquals, TextMatches, TextNotEquals,
            TextNotMatches,
        },
        selector::{PseudoattributeType, Selector as Selected},
    },
    offer_constraints::{RoleConstraints, role_constraints::Group as WireGroup},
};

use super::*;
use crate::limits::{MAX_CONSTRAINT_TEXT_BYTES, MAX_CONSTRAINTS};

fn agent() -> AgentProfile {
    let domain = FaultDomain {
        region: "north".into(),
        zone: "a".into(),
    };
    AgentProfile {
        hostname: "node-7.example".into(),
        attributes: Attributes::parse("rack:r1;level:10;rack:r2;ports:[1-9]").unwrap(),
        domain: Some(domain),
        ..AgentProfile::new(Resources::new())
    }
}

fn named(name: &str) -> Selected {
    Selected::AttributeName(name.to_owned())
}

fn pseudo(kind: PseudoattributeType) -> Selected {
    Selected::PseudoattributeType(kind.into())
}

fn equals(value: &str) -> Asked {
    let value = value.to_owned();
    Asked::TextEquals(TextEquals { value })
}

fn not_equals(value: &str) -> Asked {
    let value = value.to_owned();
    Asked::TextNotEquals(TextNotEquals { value })
}

fn matches(regex: &str) -> Asked {
    let regex = regex.to_owned();
    Asked::TextMatches(TextMatches { regex })
}

fn not_matches(regex: &str) -> Asked {
    let regex = regex.to_owned();
    Asked::TextNotMatches(TextNotMatches { regex })
}

fn constraint(selector: Selected, predicate: Asked) -> AttributeConstraint {
    AttributeConstraint {
        selector: WireSelector {
            selector: Some(selector),
        },
        predicate: WirePredicate {
            predicate: Some(predicate),
        },
    }
}

fn groups(groups: Vec<Vec<AttributeConstraint>>) -> RoleConstraints {
    let group = |attribute_constraints| WireGroup {
        attribute_constraints,
    };
    RoleConstraints {
        groups: groups.into_iter().map(group).collect(),
    }
}

fn parse(wire: &RoleConstraints) -> Result<Constraints, InvalidConstraints> {
    Constraints::parse(wire, &RegexLimits::default())
}

fn admits(selector: Selected, predicate: Asked) -> bool {
    let wire = groups(vec![vec![constraint(selector, predicate)]]);
    parse(&wire).unwrap().admit(&agent())
}

#[test]
fn the_first_attribute_of_a_name_counts() {
    assert!(admits(named("rack"), equals("r1")));
    assert!(!admits(named("rack"), equals("r2")));
    assert!(admits(named("rack"), not_equals("r2")));
    assert!(admits(named("rack"), matches("r[0-9]")));
    assert!(!admits(named("rack"), not_matches("r.")));
}

#[test]
fn host_region_and_zone_are_as_attributes() {
    assert!(admits(
        pseudo(PseudoattributeType::Hostname),
        matches(r"node-\d+\.example")
    ));
    assert!(admits(pseudo(PseudoattributeType::Region), equals("north")));
    assert!(admits(pseudo(PseudoattributeType::Zone), not_equals("b")));
}

#[test]
fn an_expression_must_match_the_whole_text() {
    assert!(!admits(named("rack"), matches("r")));
    assert!(admits(named("rack"), not_matches("1")));
    assert!(!admits(named("rack"), matches("x|r")));
    assert!(admits(named("rack"), matches("x|r1")));
}

#[test]
fn what_is_no_text_meets_every_comparison_and_what_is_absent_none() {
    for predicate in [equals("x"), not_equals("x"), matches("x"), not_matches("x")] {
        assert!(admits(named("level"), predicate.clone()), "{predicate:?}");
        assert!(
            !admits(named("nothing"), predicate.clone()),
            "{predicate:?}"
        );
    }
    assert!(admits(named("ports"), Asked::Exists(Exists {})));
    assert!(!admits(named("ports"), Asked::NotExists(NotExists {})));
    assert!(admits(named("nothing"), Asked::NotExists(NotExists {})));
    assert!(!admits(named("nothing"), Asked::Exists(Exists {})));
}

#[test]
fn one_group_must_be_met_whole() {
    let met = || constraint(named("rack"), equals("r1"));
    let unmet = || constraint(pseudo(PseudoattributeType::Zone), equals("b"));
    let admits = |wire| parse(&groups(wire)).unwrap().admit(&agent());
    assert!(admits(vec![vec![met(), unmet()], vec![met()]]));
    assert!(!admits(vec![vec![met(), unmet()], vec![unmet()]]));
    let both = parse(&groups(vec![vec![met(), unmet()], vec![unmet()]])).unwrap();
    assert_eq!(both.objections(&agent()), ["ZONE is 'b'", "ZONE is 'b'"]);
}

#[test]
fn empty_and_endless_constraints_are_refused() {
    let met = || constraint(named("rack"), equals("r1"));
    assert_eq!(parse(&groups(vec![])), Err(InvalidConstraints::NoGroups));
    let empty = groups(vec![vec![met()], vec![]]);
    assert_eq!(parse(&empty), Err(InvalidConstraints::EmptyGroup));
    let many = groups(vec![vec![met(); MAX_CONSTRAINTS + 1]]);
    assert_eq!(parse(&many), Err(InvalidConstraints::TooMany));
    let long = "x".repeat(MAX_CONSTRAINT_TEXT_BYTES + 1);
    let long = groups(vec![vec![constraint(named("rack"), equals(&long))]]);
    assert_eq!(parse(&long), Err(InvalidConstraints::TextTooLong));
    let unknown = groups(vec![vec![constraint(
        Selected::PseudoattributeType(9),
        equals("x"),
    )]]);
    assert_eq!(parse(&unknown), Err(InvalidConstraints::Selector));
    let asks_nothing = AttributeConstraint {
        predicate: WirePredicate { predicate: None },
        ..met()
    };
    let asks_nothing = groups(vec![vec![asks_nothing]]);
    assert_eq!(parse(&asks_nothing), Err(InvalidConstraints::Predicate));
}

#[test]
fn an_expression_that_is_none_or_too_complex_is_refused() {
    let refusal = |regex: &str| {
        let wire = groups(vec![vec![constraint(named("rack"), matches(regex))]]);
        parse(&wire).err().map(|error| error.to_string())
    };
    for fine in [
        "r[0-9]+",
        "(rack|row)-[a-z]{1,3}",
        "node-[0-9]{4}.example.com",
        ".*",
        "",
    ] {
        assert_eq!(refusal(fine), None, "{fine}");
    }
    for none in ["(", "a)|(b", "[z-a]", "(?<x", r"\p{Nothing}"] {
        let refusal = refusal(none).unwrap();
        assert!(
            refusal.starts_with("Failed to construct regex"),
            "{refusal}"
        );
    }
    for costly in [
        "(a{100}){100}",
        "((((a{9}){9}){9}){9}){9}",
        r"\pL{50}",
        "[a-z]{2000}",
    ] {
        let refusal = refusal(costly).unwrap();
        assert!(refusal.contains("too complex"), "{refusal}");
    }
}
