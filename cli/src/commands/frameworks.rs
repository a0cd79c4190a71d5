//! `tepui frameworks`: who schedules on the cluster.

use std::process::ExitCode;

use tepui_sdk::v1::{
    self,
    master::response::get_frameworks::Framework,
    scheduler::{
        AttributeConstraint, OfferConstraints,
        attribute_constraint::{
            predicate::Predicate,
            selector::{PseudoattributeType, Selector},
        },
    },
};

use super::ps::scalar;
use crate::{
    arguments::Read,
    client,
    failure::Failure,
    output::{self, Column},
};

const COLUMNS: [Column; 9] = [
    Column::text("NAME"),
    Column::text("ID"),
    Column::text("STATE"),
    Column::text("ROLES"),
    Column::number("CPUS"),
    Column::number("MEM"),
    Column::number("OFFERS"),
    Column::wide("URL"),
    Column::wide("CONSTRAINTS"),
];

/// Prints the frameworks, ended ones last.
pub(crate) async fn run(read: Read) -> Result<ExitCode, Failure> {
    let operator = client::connect(&read.master.master).await?;
    let found = operator.frameworks().await?;
    let current = found.frameworks.iter().map(|it| {
        row(
            it,
            if it.active {
                "active"
            } else if it.connected {
                "inactive"
            } else {
                "disconnected"
            },
        )
    });
    let completed = found
        .completed_frameworks
        .iter()
        .map(|it| row(it, "completed"));
    output::print(read.output, &found, &COLUMNS, current.chain(completed))?;
    Ok(ExitCode::SUCCESS)
}

fn row(framework: &Framework, state: &str) -> Vec<String> {
    let info = &framework.framework_info;
    vec![
        info.name.clone(),
        info.id
            .as_ref()
            .map(|it| it.value.clone())
            .unwrap_or_default(),
        state.to_owned(),
        roles_of(info),
        output::number(scalar(&framework.allocated_resources, "cpus")),
        output::number(scalar(&framework.allocated_resources, "mem")),
        framework.offers.len().to_string(),
        info.webui_url.clone().unwrap_or_default(),
        framework
            .offer_constraints
            .as_ref()
            .map(constraints)
            .unwrap_or_default(),
    ]
}

/// A framework without MULTI_ROLE has one role, in a field that Mesos calls deprecated.
fn roles_of(info: &v1::FrameworkInfo) -> String {
    if info.roles.is_empty() {
        info.role().to_owned()
    } else {
        info.roles.join(",")
    }
}

/// As in `web: rack == r1 & !gpu | hostname =~ spare-.*`.
fn constraints(stated: &OfferConstraints) -> String {
    let roles = stated.role_constraints.iter().map(|(role, constraints)| {
        let groups = constraints.groups.iter().map(|group| {
            let all = group.attribute_constraints.iter().map(constraint);
            all.collect::<Vec<_>>().join(" & ")
        });
        format!("{role}: {}", groups.collect::<Vec<_>>().join(" | "))
    });
    roles.collect::<Vec<_>>().join("; ")
}

fn constraint(stated: &AttributeConstraint) -> String {
    let name = match &stated.selector.selector {
        Some(Selector::AttributeName(name)) => name.as_str(),
        Some(Selector::PseudoattributeType(kind)) => match PseudoattributeType::try_from(*kind) {
            Ok(PseudoattributeType::Hostname) => "hostname",
            Ok(PseudoattributeType::Region) => "@region",
            Ok(PseudoattributeType::Zone) => "@zone",
            _ => "?",
        },
        None => "?",
    };
    match &stated.predicate.predicate {
        Some(Predicate::Exists(_)) => name.to_owned(),
        Some(Predicate::NotExists(_)) => format!("!{name}"),
        Some(Predicate::TextEquals(text)) => format!("{name} == {}", text.value),
        Some(Predicate::TextNotEquals(text)) => format!("{name} != {}", text.value),
        Some(Predicate::TextMatches(text)) => format!("{name} =~ {}", text.regex),
        Some(Predicate::TextNotMatches(text)) => format!("{name} !~ {}", text.regex),
        None => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tepui_sdk::{Constraint, v1::scheduler::offer_constraints};

    use super::*;

    #[test]
    fn constraints_read_as_they_are_written() {
        let groups = [
            vec![
                Constraint::is("rack", "r1").into(),
                Constraint::absent("gpu").into(),
            ],
            vec![Constraint::matching("hostname", "spare-.*")],
        ];
        let group = |attribute_constraints| offer_constraints::role_constraints::Group {
            attribute_constraints,
        };
        let role = offer_constraints::RoleConstraints {
            groups: groups.into_iter().map(group).collect(),
        };
        let stated = OfferConstraints {
            role_constraints: [("web".to_owned(), role)].into(),
        };
        let text = constraints(&stated);
        assert_eq!(text, "web: rack == r1 & !gpu | hostname =~ spare-.*");
    }
}
