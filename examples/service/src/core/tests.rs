//! The service framework, event by event, in a time of its own.

mod played;

use tepui_sdk::model::TaskState::{self, *};

use self::played::{PLAIN, Play, WEB};
use super::*;

#[test]
fn the_wanted_instances_are_launched_and_spread_over_the_agents() {
    let mut play = Play::with(WEB);
    assert_eq!(play.said(), ["app web", "revive"]);
    play.offer(&[
        ("one", "cpus:4;mem:999;ports:[1-9]"),
        ("two", "cpus:4;mem:999;ports:[1-9]"),
    ]);
    let expected = [
        "instance web.1 Launching",
        "instance web.2 Launching",
        "instance web.3 Launching",
        "identity next 4",
        "launch web.1 web.3 on one",
        "launch web.2 on two",
        "suppress",
    ];
    assert_eq!(play.said(), expected);
    assert_eq!(play.status().instances[0].ports[0].number, 1);
}

#[test]
fn the_first_instance_is_launched_where_its_image_is_and_the_next_beside_it() {
    let app = "{name: web, replicas: 2, image: 'of-two:1', cpus: 0.1, mem: 32}";
    let mut play = Play::with(app);
    play.offer(&[("one", "cpus:4;mem:999"), ("two", "cpus:4;mem:999")]);
    let said = play.said();
    let launches: Vec<_> = said.iter().filter(|it| it.starts_with("launch")).collect();
    assert_eq!(launches, ["launch web.2 on one", "launch web.1 on two"]);
}

#[test]
fn a_launch_is_recorded_before_it_is_made() {
    // The shell commits every record of a batch first: here it is enough that they are in it.
    let mut play = Play::with(WEB);
    play.said();
    play.offer(&[("one", "cpus:4;mem:999;ports:[1-9]")]);
    let said = play.said();
    let launch = said
        .iter()
        .position(|text| text.starts_with("launch"))
        .unwrap();
    assert_eq!(
        said[..launch]
            .iter()
            .filter(|t| t.starts_with("instance"))
            .count(),
        3
    );
}

#[test]
fn what_does_not_fit_is_declined_and_the_reason_told() {
    let mut play = Play::with(WEB);
    play.said();
    play.offer(&[
        ("one", "cpus:0.05;mem:999;ports:[1-9]"),
        ("two", "cpus:1;mem:999"),
    ]);
    assert_eq!(play.said(), ["decline one", "decline two"]);
    let waiting = play.status().waiting;
    assert_eq!(
        waiting,
        "no offer fits: 1 have too little cpus, 1 have too few ports"
    );
}

#[test]
fn offers_that_nobody_wants_are_declined() {
    let mut play = Play::running(WEB);
    play.offer(&[("one", "cpus:4;mem:999;ports:[1-9]")]);
    assert_eq!(play.said(), ["decline one"]);
}

#[test]
fn a_failed_instance_is_replaced_after_a_pause_that_grows() {
    let mut play = Play::running(PLAIN);
    play.report("web.2", Failed, "Command exited with status 1");
    assert_eq!(play.said(), ["instance web.2 gone"]);
    let waiting = play.status().waiting;
    assert!(
        waiting.contains("launches again in 1.0 s; web.2 failed"),
        "{waiting}"
    );
    assert!(waiting.contains("status 1"), "{waiting}");
    play.pass(999);
    assert!(play.said().is_empty());
    play.pass(1);
    assert_eq!(play.said(), ["revive"]);
    play.offer(&[("one", "cpus:4;mem:999;ports:[1-9]")]);
    assert!(play.said().contains(&"launch web.4 on one".to_owned()));
    play.report("web.4", Finished, "");
    assert!(
        play.status().waiting.contains("again in 1.1 s"),
        "{}",
        play.status().waiting
    );
}

#[test]
fn an_instance_that_is_lost_without_fault_is_replaced_at_once() {
    for state in [Killed, Dropped, Gone, GoneByOperator, Lost, Unknown] {
        let mut play = Play::running(WEB);
        play.report("web.2", state, "");
        assert_eq!(play.said(), ["instance web.2 gone", "revive"], "{state:?}");
    }
}

#[test]
fn an_instance_out_of_reach_is_replaced_and_ended_when_it_comes_back() {
    let mut play = Play::running(WEB);
    play.report("web.2", Unreachable, "");
    assert_eq!(play.said(), ["instance web.2 gone", "kill web.2", "revive"]);
    play.report("web.2", Running, "");
    assert_eq!(play.said(), ["kill web.2"]);
    play.report("web.2", Killed, "");
    assert!(play.said().is_empty());
}

#[test]
fn a_task_that_no_record_knows_is_killed_if_it_lives() {
    let mut play = Play::running(WEB);
    for state in [Running, Finished, Unreachable] {
        play.report("old.1", state, "");
        play.report("strange", state, "");
    }
    assert_eq!(play.said(), ["kill old.1", "kill strange"]);
}

#[test]
fn scaling_down_ends_the_youngest_and_remembers_it() {
    let mut play = Play::running(WEB);
    play.act(|core, now, effects| core.scale(now, "web", 1, effects).unwrap());
    let expected = [
        "app web",
        "instance web.3 Ending",
        "kill web.3",
        "instance web.2 Ending",
        "kill web.2",
    ];
    assert_eq!(play.said(), expected);
    play.report("web.3", Killed, "");
    play.report("web.2", Killed, "");
    assert_eq!(play.said(), ["instance web.3 gone", "instance web.2 gone"]);
    assert_eq!(play.status().instances.len(), 1);
}

#[test]
fn scaling_up_asks_for_offers_again() {
    let mut play = Play::running(WEB);
    play.act(|core, now, effects| core.scale(now, "web", 5, effects).unwrap());
    assert_eq!(play.said(), ["app web", "revive"]);
    assert_eq!(play.status().waiting, "no offer yet");
    // Wanting more than before clears the filters; wanting less of it does not.
    play.act(|core, now, effects| core.scale(now, "web", 4, effects).unwrap());
    assert_eq!(play.said(), ["app web"]);
}

#[test]
fn the_same_app_again_changes_nothing_and_another_version_replaces_it() {
    let mut play = Play::running(PLAIN);
    play.deploy(PLAIN);
    assert_eq!(play.said(), ["app web"]);
    assert_eq!(play.status().version, 1);
    play.deploy(&PLAIN.replace("mem: 32", "mem: 64"));
    assert_eq!(play.said(), ["app web", "revive"]);
    assert_eq!(play.status().version, 2);
    play.offer(&[("one", "cpus:4;mem:999;ports:[1-9]")]);
    play.said();
    assert_eq!((play.status().ready, play.status().up_to_date), (3, 0));
    for (new, old) in [("web.4", "web.1"), ("web.5", "web.2"), ("web.6", "web.3")] {
        play.report(new, Running, "");
        assert_eq!(
            play.said(),
            [format!("instance {old} Ending"), format!("kill {old}")]
        );
    }
}

#[test]
fn a_removed_app_is_forgotten_when_its_last_instance_has_ended() {
    let mut play = Play::running(WEB);
    play.act(|core, now, effects| core.remove(now, "web", effects).unwrap());
    play.said();
    for task in ["web.1", "web.2"] {
        play.report(task, Killed, "");
    }
    assert!(play.core.status("web", play.now).is_ok());
    play.said();
    play.report("web.3", Killed, "");
    assert_eq!(play.said(), ["instance web.3 gone", "app web gone"]);
    assert!(play.core.status("web", play.now).is_err());
}

#[test]
fn the_agent_is_told_how_to_check_each_instance() {
    let mut play = Play::with(WEB);
    play.offer(&[("one", "cpus:4;mem:999;ports:[7-9]")]);
    let checks = play.health_checks();
    assert_eq!(checks.len(), 3);
    let check = &checks[1];
    assert_eq!(check.http.as_ref().unwrap().port, 8);
    assert_eq!(
        (check.interval_seconds, check.consecutive_failures),
        (Some(2.0), Some(2))
    );
}

#[test]
fn an_instance_is_ready_when_its_agent_says_that_it_is_well() {
    let mut play = Play::running(WEB);
    assert_eq!((play.status().running, play.status().ready), (3, 0));
    for task in ["web.1", "web.2", "web.3"] {
        play.healthy(task, true);
    }
    assert_eq!((play.status().ready, play.said().len()), (3, 0));
    play.healthy("web.2", false);
    assert_eq!(play.status().ready, 2);
    play.restart();
    for task in ["web.1", "web.2", "web.3"] {
        play.healthy(task, true);
    }
    assert_eq!(play.status().ready, 3);
}

#[test]
fn an_instance_that_its_agent_killed_as_unhealthy_is_replaced_after_a_pause() {
    let mut play = Play::running(WEB);
    play.healthy("web.2", false);
    play.said();
    play.end_unhealthy("web.2");
    assert_eq!(play.said(), ["instance web.2 gone"]);
    assert!(
        play.status()
            .waiting
            .contains("launches again in 1.0 s; web.2 was killed")
    );
}

#[test]
fn a_restart_takes_up_where_the_records_end() {
    let mut play = Play::running(WEB);
    play.act(|core, now, effects| core.scale(now, "web", 2, effects).unwrap());
    play.restart();
    assert_eq!(play.said(), ["kill web.3", "suppress"]);
    let tasks: Vec<_> = play
        .core
        .tasks()
        .map(|(task, _)| task.to_string())
        .collect();
    assert_eq!(tasks, ["web.1", "web.2", "web.3"]);
    assert_eq!(play.status().running, 0);
    play.report("web.1", Running, "");
    // Nobody knows of the second: its launch never reached the master.
    play.report("web.2", Unknown, "");
    assert_eq!(play.status().running, 1);
    assert_eq!(play.said(), ["instance web.2 gone", "revive"]);
    // Numbers are never used again.
    play.offer(&[("one", "cpus:4;mem:999;ports:[1-9]")]);
    assert!(play.said().contains(&"launch web.4 on one".to_owned()));
}

#[test]
fn a_framework_that_was_torn_down_begins_anew_with_the_same_apps() {
    let mut play = Play::running(WEB);
    play.act(|core, now, effects| core.forget_life(now, effects));
    let said = play.said();
    assert!(said.contains(&"instance web.1 gone".to_owned()), "{said:?}");
    assert_eq!(said.last().map(String::as_str), Some("revive"));
    assert_eq!(play.core.framework_id(), None);
    assert_eq!(play.status().instances.len(), 0);
}

#[test]
fn a_request_that_cannot_be_taken_changes_nothing() {
    let mut play = Play::running(WEB);
    let twice = format!("{WEB}\n---\n{WEB}");
    let apps = crate::spec::from_yaml(&twice).unwrap();
    play.act(|core, now, effects| {
        assert_eq!(
            core.deploy(now, apps, effects),
            Err(Refusal::Twice("web".into()))
        );
        assert_eq!(core.scale(now, "no", 1, effects), Err(unknown("no")));
        assert_eq!(core.remove(now, "no", effects), Err(unknown("no")));
        let replicas = limits::MAX_REPLICAS + 1;
        let refusal = Err(Refusal::TooManyReplicas { replicas });
        assert_eq!(core.scale(now, "web", replicas, effects), refusal);
    });
    assert!(play.said().is_empty());
}

#[test]
fn there_are_never_more_apps_than_the_limit() {
    let mut play = Play::with(WEB);
    let one = crate::spec::from_yaml(WEB).unwrap().remove(0);
    let app = |n: usize| App {
        name: format!("app-{n}").parse().unwrap(),
        ..one.clone()
    };
    play.act(|core, now, effects| {
        let fill = (1..limits::MAX_APPS).map(app).collect();
        core.deploy(now, fill, effects).unwrap();
        let one_more = vec![app(limits::MAX_APPS)];
        assert_eq!(
            core.deploy(now, one_more, effects),
            Err(Refusal::TooManyApps)
        );
        // One that is there already may still be changed.
        core.deploy(now, vec![app(1)], effects).unwrap();
    });
}

#[test]
fn a_repeated_report_changes_nothing() {
    let mut play = Play::running(WEB);
    play.report("web.1", Running, "");
    play.report("web.1", TaskState::Staging, "");
    assert!(play.said().is_empty());
    assert_eq!(play.status().running, 3);
}
