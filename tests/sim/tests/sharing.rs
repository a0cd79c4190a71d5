//! What the scenarios of preemption and of optimistic offers show is due to these: without them the
//! same work waits.

#![allow(clippy::expect_used, reason = "a test may panic anywhere")]

use std::{fs, path::Path};

use tepui_sim::scenario::{Figures, Group, Scenario, simulate};

/// A scenario of the examples with a part of its text changed.
fn play(name: &str, from: &str, to: &str) -> Figures {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scenarios");
    let text = fs::read_to_string(folder.join(name)).expect("the scenario is there");
    assert!(text.contains(from), "{name} does not say {from}");
    let scenario = Scenario::parse(&text.replace(from, to)).expect("it is a scenario still");
    simulate(&scenario, &mut |_| ()).unwrap_or_else(|broken| panic!("{broken}"))
}

fn group<'a>(figures: &'a Figures, name: &str) -> &'a Group {
    let mut groups = figures.groups.iter();
    groups.find(|it| it.name == name).expect("there is one")
}

#[test]
fn without_preemption_nobody_gives_way_and_the_urgent_job_waits() {
    let figures = play("preemption.toml", "preemption = {", "# {");
    let urgent = group(&figures, "urgent");
    assert_eq!((urgent.finished, figures.all.preempted), (0, 0));
    assert!(!figures.is_as_expected());
}

#[test]
fn slow_schedulers_that_do_not_share_wait_longer_and_are_never_too_late() {
    let figures = |name| play("optimistic.toml", "optimistic = true", name);
    let (apart, shared) = (figures("optimistic = false"), figures("optimistic = true"));
    assert!(shared.is_as_expected(), "{:#?}", shared.verdicts);
    let (apart, shared) = (group(&apart, "slow"), group(&shared, "slow"));
    assert_eq!(apart.late, 0);
    let wait = |group: &Group| group.waits.expect("they waited").p50;
    let waits = (wait(shared), wait(apart));
    assert!(waits.0 * 1.2 < waits.1, "{waits:?}");
}
