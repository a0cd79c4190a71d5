//! Gangs in a scenario: one that runs in part, or not at all, is seen, and one that loses a member
//! starts anew as a whole.

#![allow(clippy::expect_used, reason = "a test may panic anywhere")]

use tepui_sim::scenario::{Figures, Group, Scenario, simulate};

/// A gang of four tasks that each fill an agent, on some agents.
fn play(agents: &str, more: &str) -> Figures {
    let text = format!(
        "title = 'a gang'\nduration = '5m'\n{agents}\n[[frameworks]]\nname = 'gang'\n\
         behaviour = 'gang'\ntask = 'cpus:2'\ntasks = 4\njobs = 2\nlasts = '1m'\n{more}\n\
         [expect]\ngroups.gang = {{ gangs = 2, gang_partly = '10ms' }}\n"
    );
    let scenario = Scenario::parse(&text).expect("the scenario is one");
    simulate(&scenario, &mut |_| ()).unwrap_or_else(|broken| panic!("{broken}"))
}

fn class(count: u32, more: &str) -> String {
    format!("[[agents]]\ncount = {count}\nresources = 'cpus:2'\n{more}\n")
}

/// The figures of the gang, and which expectations of it are met.
fn come_out(figures: &Figures) -> (&Group, Vec<bool>) {
    let met = figures.verdicts.iter().map(|verdict| verdict.is_met);
    (&figures.groups[0], met.collect())
}

#[test]
fn gangs_start_whole_and_one_after_the_other() {
    let figures = play(&class(4, ""), "");
    let (gang, met) = come_out(&figures);
    assert_eq!((gang.gangs, gang.finished, gang.launched), (2, 8, 8));
    assert_eq!(met, [true, true]);
}

#[test]
fn a_gang_that_does_not_fit_launches_nothing_and_is_missed() {
    let figures = play(&class(3, ""), "");
    let (gang, met) = come_out(&figures);
    assert_eq!((gang.gangs, gang.launched, gang.pending), (0, 0, 4));
    assert_eq!(met, [false, false]);
}

#[test]
fn a_gang_of_which_some_tasks_start_late_is_seen_in_part() {
    let agents = class(2, "") + &class(2, "task_start = '20s'");
    let figures = play(&agents, "");
    let (gang, met) = come_out(&figures);
    assert_eq!(gang.gangs, 2);
    assert!((gang.longest_partly - 20.0).abs() < 0.1, "{gang:?}");
    assert_eq!(met, [true, false]);
}

#[test]
fn a_gang_that_loses_a_member_starts_anew_as_a_whole() {
    let lost = "[[faults]]\nkind = 'agent-loss'\nat = '30s'\nfor = '20s'\n";
    let figures = play(&class(4, ""), lost);
    let (gang, met) = come_out(&figures);
    assert_eq!((gang.lost, gang.moved), (1, 3), "{gang:?}");
    assert_eq!((gang.gangs, gang.finished, gang.launched), (3, 8, 12));
    assert_eq!(met, [false, true]);
}

#[test]
fn a_gang_that_no_master_takes_is_refused() {
    let text = "title = 'a'\nduration = '1s'\n[[agents]]\ncount = 1\nresources = 'cpus:1'\n\
                [[frameworks]]\nname = 'g'\nbehaviour = 'gang'\ntask = 'cpus:1'\nlasts = '1s'\n";
    let refused = Scenario::parse(&format!("{text}tasks = 513\n")).unwrap_err();
    let text = "frameworks 'g': a gang has at most 512 tasks";
    assert_eq!(refused.to_string(), text);
}
