//! Every scenario of `examples/scenarios` is a test: it is run, the large ones at a part of their
//! size, and what it expects must come out.
//!
//! `TEPUI_SIM_REPORTS` names a folder that their reports are written to, `TEPUI_SIM_SCENARIO` the
//! only one that is run, and with `TEPUI_SIM_FULL=1` the large ones are run at their full size.

#![allow(clippy::expect_used, reason = "a test may panic anywhere")]

use std::{env, fs, path::Path};

use tepui_sim::{
    report,
    scenario::{Figures, Scenario, simulate},
};

/// The part of a scenario that is run here, so that each takes a few seconds at most.
fn scale(name: &str) -> f64 {
    match name {
        _ if env::var_os("TEPUI_SIM_FULL").is_some() => 1.0,
        "large" => 0.005,
        "paper" => 0.02,
        _ => 1.0,
    }
}

/// The name and the text of each scenario.
fn texts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scenarios");
    let entries = fs::read_dir(folder).expect("the scenarios are there");
    let paths = entries.flatten().map(|entry| entry.path());
    let paths = paths.filter(|path| path.extension().is_some_and(|it| it == "toml"));
    let mut texts: Vec<(String, String)> = paths
        .map(|path| {
            let name = path.file_stem().unwrap_or_default();
            let text = fs::read_to_string(&path).expect("a scenario can be read");
            (name.to_string_lossy().into_owned(), text)
        })
        .collect();
    texts.sort();
    texts
}

fn play(scenario: &Scenario) -> Figures {
    simulate(scenario, &mut |_| ()).unwrap_or_else(|broken| panic!("{broken}"))
}

#[test]
fn every_scenario_comes_out_as_it_says() {
    let texts = texts();
    assert!(texts.len() >= 9, "{} scenarios", texts.len());
    let only = env::var("TEPUI_SIM_SCENARIO").ok();
    let is_asked_for = |name: &str| only.as_ref().is_none_or(|only| only == name);
    for (name, text) in texts.into_iter().filter(|(name, _)| is_asked_for(name)) {
        let scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let scenario = scenario.scaled(scale(&name)).unwrap();
        let figures = play(&scenario);
        if let Some(folder) = env::var_os("TEPUI_SIM_REPORTS") {
            let path = Path::new(&folder).join(format!("{name}.html"));
            fs::write(path, report::page(&scenario, &text, &figures)).unwrap();
        }
        let cost = &figures.cost;
        println!(
            "{name}: {:.1} s, {:?} MB, {} allocations of {:.2} ms (median), {:.2} ms (p99), {:.2} \
             ms (longest), {} events in {:.1} s of the master",
            cost.wall,
            cost.memory,
            cost.cycles,
            cost.cycle_median * 1e3,
            cost.cycle_p99 * 1e3,
            cost.cycle_max * 1e3,
            cost.events,
            cost.core,
        );
        assert!(!figures.verdicts.is_empty(), "{name} expects nothing");
        let missed = figures.verdicts.iter().filter(|verdict| !verdict.is_met);
        let missed: Vec<_> = missed.collect();
        assert!(missed.is_empty(), "{name}: {missed:#?}");
    }
}

#[test]
fn the_same_scenario_and_seed_give_the_same_figures() {
    let (_, text) = texts()
        .into_iter()
        .find(|(name, _)| name == "bad-day")
        .unwrap();
    let scenario = Scenario::parse(&text).unwrap();
    let figures = play(&scenario).without_cost();
    assert_eq!(figures, play(&scenario).without_cost());
    let other = Scenario {
        seed: 8,
        ..scenario
    };
    assert_ne!(figures, play(&other).without_cost());
}

#[test]
fn what_is_wrong_with_a_scenario_is_said_with_its_place() {
    let whole = "title = 'a'\nduration = '1s'\n[[agents]]\ncount = 1\nresources = 'cpus:1'\n";
    Scenario::parse(whole).unwrap();
    let said = |more: &str| {
        Scenario::parse(&format!("{whole}{more}"))
            .unwrap_err()
            .to_string()
    };
    let unknown = said("rack = 2\n");
    assert!(
        unknown.contains("line 6") && unknown.contains("unknown field `rack`"),
        "{unknown}"
    );
    let group = "[[frameworks]]\nname = 'f'\nbehaviour = 'dead'\n";
    assert_eq!(
        said(&format!("{group}tasks = 3\n")),
        "frameworks 'f': the key tasks means nothing for behaviour dead"
    );
    assert_eq!(
        said(&group.replace("dead", "batch")),
        "frameworks 'f': batch needs the key task"
    );
    let twice = said(&format!("{group}{group}"));
    assert_eq!(twice, "frameworks 'f': there is another group of that name");
    let span = said("[[faults]]\nkind = 'agent-loss'\nat = 'soon'\n");
    assert!(
        span.contains("line 8") && span.contains("'soon' is not a span of time"),
        "{span}"
    );
    let rack = said("[[events]]\nat = '1s'\ndrain = { rack = 'r0', for = '1s' }\n");
    assert_eq!(rack, "events, the 1.: no agents are in rack r0");
    let two = said(
        "[[events]]\nat = '1s'\nquota = { role = 'a' }\nweight = { role = 'a', weight = 1 }\n",
    );
    assert_eq!(
        two,
        "events, the 1.: it says one thing that happens: weight, quota, drain, or maintenance"
    );
    let quota =
        said("[[roles]]\nname = 'a'\nquota = { guarantees = 'cpus:2', limits = 'cpus:1' }\n");
    assert_eq!(quota, "roles 'a': a guarantee is at most the limit");
    let stranger = said("[expect]\ngroups.g.tasks_lost = 0\n");
    assert_eq!(stranger, "expect: no frameworks are named 'g'");
    let none = Scenario::parse(&whole.replace("count = 1", "count = 0")).unwrap_err();
    assert_eq!(
        none.to_string(),
        "agents: count is 0; it is at least 1 and at most 200000"
    );
}
