//! Which agents constraints admit, and which constraints are refused.

use tepui_model::{Attributes, FaultDomain, Resources, Role};
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
use crate::limits::{MAX_CONSTRAINT_TEXT_BYTES, MAX_CONSTRAINTS, MAX_EXPRESSIONS};

fn role() -> Role {
    Role::new("a").unwrap()
}

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
    Constraints::parse(&role(), wire, &RegexLimits::default())
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
fn what_is_no_text_meets_every_comparison_and_what_is_absent_is_nothing() {
    for predicate in [equals("x"), not_equals("x"), matches("x"), not_matches("x")] {
        assert!(admits(named("level"), predicate.clone()), "{predicate:?}");
    }
    for predicate in [equals("x"), matches(".*")] {
        assert!(
            !admits(named("nothing"), predicate.clone()),
            "{predicate:?}"
        );
    }
    for predicate in [not_equals("x"), not_matches(".*")] {
        assert!(admits(named("nothing"), predicate.clone()), "{predicate:?}");
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

fn refusal(wire: &RoleConstraints) -> String {
    parse(wire).unwrap_err().to_string()
}

#[test]
fn empty_constraints_are_refused_in_the_words_of_mesos() {
    let met = || constraint(named("rack"), equals("r1"));
    assert_eq!(
        refusal(&groups(vec![])),
        "'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role a"
    );
    assert_eq!(
        refusal(&groups(vec![vec![met()], vec![]])),
        "'OfferConstraints::RoleConstraints::groups' for role a contains an empty \
         RoleConstraints::Group"
    );
    let selects = |selector| AttributeConstraint {
        selector: WireSelector { selector },
        ..met()
    };
    let one = |constraint| refusal(&groups(vec![vec![met(), constraint]]));
    let said = "A role a has an invalid 'AttributeConstraint': ";
    let unknown = Some(Selected::PseudoattributeType(9));
    assert_eq!(
        one(selects(unknown)),
        format!("{said}Unknown pseudoattribute type")
    );
    assert_eq!(
        one(selects(None)),
        format!(
            "{said}Exactly one of 'AttributeConstraint::Selector::name' or \
             'AttributeConstraint::Selector::pseudoattribute_type' must be set"
        )
    );
    let asks_nothing = AttributeConstraint {
        predicate: WirePredicate { predicate: None },
        ..met()
    };
    assert_eq!(one(asks_nothing), format!("{said}Unknown predicate type"));
}

#[test]
fn endless_constraints_are_refused() {
    let met = || constraint(named("rack"), equals("r1"));
    assert!(parse(&groups(vec![vec![met()]; MAX_CONSTRAINTS])).is_ok());
    let many = groups(vec![vec![met()]; MAX_CONSTRAINTS + 1]);
    assert_eq!(parse(&many), Err(InvalidConstraints::TooMany(role())));
    let regex = || constraint(named("rack"), matches("r."));
    assert!(parse(&groups(vec![vec![regex()]; MAX_EXPRESSIONS])).is_ok());
    let many = groups(vec![vec![regex()]; MAX_EXPRESSIONS + 1]);
    assert_eq!(
        parse(&many),
        Err(InvalidConstraints::TooManyExpressions(role()))
    );
    let long = "x".repeat(MAX_CONSTRAINT_TEXT_BYTES + 1);
    for predicate in [equals(&long), matches(&long)] {
        let wire = groups(vec![vec![constraint(named("rack"), predicate)]]);
        assert!(refusal(&wire).contains("4096"), "{}", refusal(&wire));
    }
}

#[test]
fn expressions_that_would_run_long_elsewhere_do_not() {
    // Backtracking would take 2^200 steps for each.
    let agent = AgentProfile {
        hostname: "a".repeat(200).as_str().into(),
        ..agent()
    };
    for regex in ["(a*)*b", "(a|a)*b", "(a|aa)*b", "(.*)(.*)(.*)x", "(a+)+b"] {
        let constraint = constraint(pseudo(PseudoattributeType::Hostname), matches(regex));
        let constraints = parse(&groups(vec![vec![constraint]])).unwrap();
        assert!(!constraints.admit(&agent), "{regex}");
    }
}

#[test]
fn an_expression_that_is_none_or_too_complex_is_refused() {
    let refusal = |regex: &str| {
        let wire = groups(vec![vec![constraint(named("rack"), matches(regex))]]);
        let refusal = parse(&wire).err().map(|error| error.to_string());
        refusal.map(|text| text.replace("A role a has an invalid 'AttributeConstraint': ", ""))
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
