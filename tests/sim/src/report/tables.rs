//! The figures of a run as HTML tables.

use core::fmt::Write as _;

use super::{axis::span, escape};
use crate::scenario::{Figures, Group};

/// Roles that the table shows.
const ROLES: usize = 20;

/// A table: its head, then its rows. Columns from the second on hold numbers.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let cells = |tag: &str, cells: &mut dyn Iterator<Item = String>| {
        let mut row = String::from("<tr>");
        for cell in cells {
            // Writing to a string cannot fail.
            let _ = write!(row, "<{tag}>{cell}</{tag}>");
        }
        row + "</tr>"
    };
    let head = cells("th", &mut head.iter().map(|cell| (*cell).to_owned()));
    let rows = rows
        .into_iter()
        .map(|row| cells("td", &mut row.iter().map(|it| escape(it))));
    let rows: String = rows.collect();
    format!("<div class=\"scroll\"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>")
}

pub(super) fn part(value: f64) -> String {
    format!("{:.1} %", value * 100.0)
}

/// A count with thin spaces between thousands.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

pub(super) fn groups(figures: &Figures) -> String {
    let row = |group: &Group| {
        let wait = |value: fn(&crate::scenario::Waits) -> f64| {
            group
                .waits
                .as_ref()
                .map_or_else(|| "–".to_owned(), |waits| span(value(waits)))
        };
        vec![
            group.name.clone(),
            group.frameworks.to_string(),
            grouped(group.launched),
            grouped(group.running),
            grouped(group.finished),
            grouped(group.lost),
            grouped(group.preempted),
            grouped(group.late),
            grouped(group.moved),
            grouped(group.pending),
            if group.gangs > 0 {
                grouped(group.gangs)
            } else {
                "–".to_owned()
            },
            wait(|waits| waits.p50),
            wait(|waits| waits.p90),
            wait(|waits| waits.p99),
            wait(|waits| waits.max),
        ]
    };
    let several = (figures.groups.len() > 1).then_some(&figures.all);
    let head = [
        "Frameworks",
        "Count",
        "Launched",
        "Running",
        "Finished",
        "Lost",
        "Preempted",
        "Too late",
        "Moved",
        "Waiting",
        "Whole gangs",
        "Wait p50",
        "p90",
        "p99",
        "Longest",
    ];
    table(&head, figures.groups.iter().chain(several).map(row))
}

pub(super) fn roles(figures: &Figures) -> String {
    let mut roles: Vec<_> = figures.roles.iter().collect();
    if roles.len() > ROLES {
        roles.sort_by(|left, right| right.share.total_cmp(&left.share));
    }
    let rows = roles.iter().take(ROLES).map(|role| {
        let shares = [role.share, role.ideal, role.last_share].map(part);
        [
            vec![role.name.clone(), role.weight.to_string()],
            shares.to_vec(),
        ]
        .concat()
    });
    let head = [
        "Role",
        "Weight",
        "Share, mean",
        "Ideal, mean",
        "Share at the end",
    ];
    let mut text = table(&head, rows);
    if let Some(more) = roles.len().checked_sub(ROLES).filter(|more| *more > 0) {
        let _ = write!(
            text,
            "<p class=\"note\">And {more} more with smaller shares.</p>"
        );
    }
    text
}

pub(super) fn utilisation(figures: &Figures) -> String {
    let rows = figures.utilisation.iter().map(|kind| {
        let cells = [kind.mean, kind.peak, kind.offered].map(part);
        [vec![kind.resource.clone()], cells.to_vec()].concat()
    });
    table(&["Resource", "Used, mean", "Peak", "In offers, mean"], rows)
}

pub(super) fn offers(figures: &Figures) -> String {
    let offers = figures.offers;
    let rows = [
        ("Made", offers.made),
        ("Accepted", offers.accepted),
        ("Declined", offers.declined),
        ("Rescinded", offers.rescinded),
        ("Not answered in time", offers.timed_out),
    ];
    let rows = rows.map(|(name, count)| vec![name.to_owned(), grouped(count)]);
    table(&["Offers", "Count"], rows)
}

pub(super) fn cost(figures: &Figures) -> String {
    let cost = &figures.cost;
    let cycles = vec![
        vec![
            "Allocations".to_owned(),
            grouped(cost.cycles),
            span(cost.cycle_total),
        ],
        vec!["median".to_owned(), String::new(), span(cost.cycle_median)],
        vec!["p99".to_owned(), String::new(), span(cost.cycle_p99)],
        vec!["longest".to_owned(), String::new(), span(cost.cycle_max)],
    ];
    let events = cost
        .by_event
        .iter()
        .map(|kind| vec![kind.event.to_owned(), grouped(kind.count), span(kind.total)]);
    let all = vec![
        "All events".to_owned(),
        grouped(cost.events),
        span(cost.core),
    ];
    let events: Vec<_> = events.chain([all]).collect();
    let head = ["Real time on this machine", "Count", "Time"];
    table(&head, events.into_iter().chain(cycles))
}

pub(super) fn verdicts(figures: &Figures) -> String {
    let rows = figures.verdicts.iter().map(|verdict| {
        let met = if verdict.is_met {
            "✓ met"
        } else {
            "✗ not met"
        };
        vec![
            verdict.figure.clone(),
            verdict.expected.clone(),
            verdict.found.clone(),
            met.to_owned(),
        ]
    });
    table(&["Expectation", "Expected", "Found", ""], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart_and_text_is_escaped() {
        assert_eq!(grouped(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(grouped(999), "999");
        assert!(table(&["a"], [vec!["<b>".to_owned()]]).contains("<td>&lt;b&gt;</td>"));
    }
}
