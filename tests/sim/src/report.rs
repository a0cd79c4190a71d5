//! A run as one HTML page that needs nothing else: plots, tables, and the scenario.

mod axis;
mod charts;
mod plot;
mod tables;

use core::time::Duration;

use crate::scenario::{Figures, Scenario};

/// The look of the page.
const STYLE: &str = include_str!("report/style.css");

/// The page of a run over the scenario of that text.
#[must_use]
pub fn page(scenario: &Scenario, text: &str, figures: &Figures) -> String {
    let title = escape(&figures.title);
    let plots: String = charts::all(figures).iter().map(plot::Plot::draw).collect();
    let verdicts = if figures.verdicts.is_empty() {
        String::new()
    } else {
        section("What was expected", &tables::verdicts(figures))
    };
    let tables = [
        section("Frameworks", &tables::groups(figures)),
        section("Roles", &tables::roles(figures)),
        format!(
            "<div class=\"pair\">{}{}</div>",
            section("Resources", &tables::utilisation(figures)),
            section("Offers", &tables::offers(figures)),
        ),
        section("Cost", &tables::cost(figures)),
        section("The scenario", &format!("<pre>{}</pre>", escape(text))),
    ]
    .concat();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>{}{}{verdicts}\
         <section class=\"plots\">{plots}</section>{tables}</main></body></html>\n",
        header(scenario, figures),
        cards(figures),
    )
}

fn section(title: &str, body: &str) -> String {
    format!("<section><h2>{title}</h2>{body}</section>")
}

fn header(scenario: &Scenario, figures: &Figures) -> String {
    let badge = match (figures.verdicts.is_empty(), figures.is_as_expected()) {
        (true, _) => "",
        (false, true) => "<span class=\"badge good\">as expected</span>",
        (false, false) => "<span class=\"badge bad\">not as expected</span>",
    };
    format!(
        "<header><p class=\"over\">Tepui simulation</p><h1>{} {badge}</h1><p class=\"about\">{}</p>\
         <p class=\"facts\">{} agents · {} frameworks · {} roles · {} of virtual time · seed {}</p>\
         </header>",
        escape(&figures.title),
        escape(scenario.about.trim()),
        tables::grouped(figures.agents.into()),
        tables::grouped(figures.all.frameworks.into()),
        tables::grouped(figures.roles.len() as u64),
        humantime::format_duration(Duration::from_secs_f64(figures.duration)),
        figures.seed,
    )
}

/// The figures that are looked at first.
fn cards(figures: &Figures) -> String {
    let all = &figures.all;
    let busiest = figures
        .utilisation
        .iter()
        .max_by(|left, right| left.mean.total_cmp(&right.mean));
    let cost = &figures.cost;
    let waits = all
        .waits
        .map(|waits| (axis::span(waits.p50), axis::span(waits.p99)));
    let (middle, late) = waits.unwrap_or_else(|| ("–".to_owned(), "–".to_owned()));
    let cards = [
        (
            "Tasks run",
            tables::grouped(all.running + all.finished),
            format!(
                "{} running, {} finished, {} lost",
                tables::grouped(all.running),
                tables::grouped(all.finished),
                tables::grouped(all.lost)
            ),
        ),
        ("Wait, median", middle, format!("99 % within {late}")),
        (
            "Busiest resource",
            busiest
                .map(|kind| tables::part(kind.mean))
                .unwrap_or_default(),
            busiest
                .map(|kind| format!("{} in tasks, mean", kind.resource))
                .unwrap_or_default(),
        ),
        (
            "Jain index",
            format!("{:.3}", figures.jain),
            "share over ideal, mean".to_owned(),
        ),
        (
            "One allocation",
            axis::span(cost.cycle_median),
            format!("99 % within {}", axis::span(cost.cycle_p99)),
        ),
        (
            "Real time",
            axis::span(cost.wall),
            cost.memory
                .map(|megabytes| format!("{} MB at most", tables::grouped(megabytes)))
                .unwrap_or_default(),
        ),
    ];
    let card = |(name, value, note): (&str, String, String)| {
        format!("<li><span>{name}</span><strong>{value}</strong><small>{note}</small></li>")
    };
    format!("<ul class=\"cards\">{}</ul>", cards.map(card).concat())
}

/// Text that is safe inside HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::simulate;

    #[test]
    fn a_page_needs_nothing_from_elsewhere_and_shows_the_scenario() {
        let text = include_str!("../../../examples/scenarios/drf-textbook.toml");
        let scenario = Scenario::parse(text).unwrap();
        let figures = simulate(&scenario, &mut |_| ()).unwrap();
        let page = page(&scenario, text, &figures);
        for foreign in ["<script", "http://", "https://", "<link", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert!(page.contains("Ghodsi et al. 2011") && page.contains("as expected"));
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert!(page.matches("<svg").count() >= 6);
        assert!(
            !page.contains("NaN") && !page.contains("inf "),
            "a number that is none"
        );
    }
}
