//! What the core promises, one promise at a time.

use std::time::Duration;

use tepui_sdk::model::TaskState::{self, *};

use super::{harness::*, *};
use crate::{
    ids::Place,
    limits,
    plan::{Shuffle, Sink},
    spec::Builtin,
};

const SECOND: Duration = Duration::from_secs(1);

/// A job of two maps and two reduces whose maps are done, on agents a and b.
fn mapped() -> Harness {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    assert_eq!(
        shown(&harness.offer(&["a", "b"])),
        ["j-1.0.0.1 on a", "j-1.0.1.1 on b"]
    );
    harness.update("j-1.0.0.1", Finished);
    assert_eq!(names(&harness.update("j-1.0.1.1", Finished)), ["revive"]);
    harness
}

/// As `mapped`, with the reduces launched on agents c and d.
fn reducing() -> Harness {
    let mut harness = mapped();
    assert_eq!(
        shown(&harness.offer(&["c", "d"])),
        ["j-1.1.0.1 on c", "j-1.1.1.1 on d"]
    );
    harness
}

fn shuffle(launched: &Launched) -> &Shuffle {
    match &launched.plan.source {
        Source::Shuffle(shuffle) => shuffle,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_job_goes_from_maps_to_reduces_to_its_result() {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    let maps = harness.offer(&["a", "b"]);
    assert_eq!(shown(&maps), ["j-1.0.0.1 on a", "j-1.0.1.1 on b"]);
    assert_eq!(maps[0].plan.source, Source::Lines(vec!["a".into()]));
    assert_eq!(
        maps[0].plan.sink,
        Sink::Partitions {
            count: 2,
            sum: true
        }
    );
    for task in ["j-1.0.0.1", "j-1.0.1.1"] {
        harness.update(task, Running);
        assert!(
            harness.offer(&["a"]).is_empty(),
            "reduces wait for every map"
        );
        harness.update(task, Finished);
    }
    let reduces = harness.offer(&["a", "b"]);
    assert_eq!(shown(&reduces), ["j-1.1.0.1 on a", "j-1.1.1.1 on b"]);
    assert_eq!(reduces[1].plan.work.builtin, Some(Builtin::Sum));
    assert_eq!(reduces[1].plan.sink, Sink::Result);
    let Shuffle {
        framework,
        agents,
        outputs,
    } = shuffle(&reduces[1]);
    assert_eq!(
        (framework.as_str(), agents.as_slice()),
        ("f", ["a:5051", "b:5051"].map(String::from).as_slice())
    );
    assert_eq!(outputs, &[(0, 1), (1, 1)]);
    for task in ["j-1.1.0.1", "j-1.1.1.1"] {
        assert_eq!(harness.job().state, JobState::Running);
        assert_eq!(
            names(&harness.update(task, Finished)),
            [format!("collect {task}")]
        );
        harness.collect(task, Ok(()));
    }
    assert_eq!(harness.job().state, JobState::Succeeded);
    assert_eq!(harness.job().progress().done_of(), (4, 4));
}

#[test]
fn a_task_runs_the_worker_with_what_the_job_file_says() {
    let file = TWO_BY_TWO.replace("cpus: 1", "cpus: 1, mem: 100, env: {COLOUR: red}");
    let launched = Harness::with_job(&file).offer(&["a"]);
    let info = &launched[0].info;
    assert_eq!(info.name, "j map 0");
    let command = info.command.as_ref().unwrap();
    assert_eq!(
        command.value.as_deref(),
        Some("exec \"$TEPUI_EXECUTABLE\" batch-worker")
    );
    let variables = &command.environment.as_ref().unwrap().variables;
    let mut named = variables
        .iter()
        .map(|v| (v.name.as_str(), v.value.as_deref().unwrap()));
    assert!(named.clone().any(|variable| variable == ("COLOUR", "red")));
    assert!(named.any(|variable| variable == ("TEPUI_BATCH_PARTITION", "0")));
    let scalar = |name: &str| {
        let of_name = info.resources.iter().find(|resource| resource.name == name);
        of_name
            .and_then(|resource| resource.scalar.as_ref())
            .map(|scalar| scalar.value)
    };
    assert_eq!((scalar("cpus"), scalar("mem")), (Some(1.0), Some(100.0)));
}

#[test]
fn offers_are_asked_for_when_there_is_work_and_only_then() {
    let mut harness = Harness::new();
    assert_eq!(harness.subscribe(), ["suppress"]);
    let effects = harness.apply(Event::Offers(vec![offer("a", "cpus:4;mem:4096")]));
    assert_eq!(names(&effects), ["decline 1"]);
    let (_, effects) = harness.submit(TWO_BY_TWO).unwrap();
    assert_eq!(names(&effects), ["revive"]);
    let offers = ["a", "b", "c"]
        .map(|name| offer(name, "cpus:4;mem:4096"))
        .into();
    let effects = names(&harness.apply(Event::Offers(offers)));
    assert_eq!(
        effects,
        [
            "launch 1 on offer-a",
            "launch 1 on offer-b",
            "decline 1",
            "suppress"
        ]
    );
    assert_eq!(harness.subscribe(), ["suppress"]);
    let (_, effects) = harness.submit(TWO_BY_TWO).unwrap();
    assert_eq!(names(&effects), ["revive"]);
    assert_eq!(harness.subscribe(), ["suppress", "revive"]);
}

#[test]
fn no_task_is_launched_before_the_framework_has_a_name() {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    harness.offer(&["a"]);
    let mut effects = Effects::new();
    harness.core.begin_again(harness.now, &mut effects);
    harness.keep(effects);
    assert_eq!(harness.core.framework(), None);
    assert_eq!(harness.recover().framework, None);
    harness.wait(SECOND);
    assert!(harness.offer(&["a"]).is_empty());
    harness.subscribe();
    assert_eq!(
        shown(&harness.offer(&["a"])),
        ["j-1.0.0.2 on a", "j-1.0.1.2 on a"]
    );
}

#[test]
fn results_that_are_here_outlive_the_framework_that_made_them() {
    let mut harness = reducing();
    harness.update("j-1.1.0.1", Finished);
    harness.collect("j-1.1.0.1", Ok(()));
    let mut effects = Effects::new();
    harness.core.begin_again(harness.now, &mut effects);
    harness.keep(effects);
    harness.subscribe();
    harness.wait(SECOND);
    assert_eq!(
        shown(&harness.offer(&["a"])),
        ["j-1.0.0.2 on a", "j-1.0.1.2 on a"]
    );
    for task in ["j-1.0.0.2", "j-1.0.1.2"] {
        harness.update(task, Finished);
    }
    assert_eq!(shown(&harness.offer(&["a"])), ["j-1.1.1.2 on a"]);
}

#[test]
fn what_finds_no_room_says_why() {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    let offers = vec![offer("a", "cpus:0.5;mem:4096"), offer("b", "cpus:4;mem:10")];
    assert_eq!(names(&harness.apply(Event::Offers(offers))), ["decline 2"]);
    let obstacle = &harness.job().obstacle;
    assert!(obstacle.contains("too little cpus in 1"), "{obstacle}");
    assert!(obstacle.contains("too little mem in 1"), "{obstacle}");
    harness.offer(&["c"]);
    assert_eq!(harness.job().obstacle, "");
}

#[test]
fn a_task_that_failed_is_tried_again_later_and_elsewhere() {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    harness.offer(&["a", "b"]);
    harness.fail("j-1.0.0.1", "cannot open /x", &[]);
    assert!(harness.offer(&["a", "b"]).is_empty(), "not at once");
    let due = harness.core.next_wake(harness.now).unwrap();
    assert_eq!(due - harness.now, limits::RETRY_PAUSE);
    assert_eq!(names(&harness.wait(limits::RETRY_PAUSE)), ["revive"]);
    assert_eq!(harness.core.next_wake(harness.now), None);
    // Agent a is the less busy one, but the task failed there.
    assert_eq!(shown(&harness.offer(&["a", "b"])), ["j-1.0.0.2 on b"]);
    assert_eq!(harness.task(0, 0).message, "cannot open /x");
}

#[test]
fn a_job_fails_when_a_task_has_used_up_its_retries_and_takes_the_others_along() {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    harness.offer(&["a", "b"]);
    harness.fail("j-1.0.0.1", "bad", &[]);
    harness.wait(SECOND);
    harness.offer(&["a"]);
    let effects = harness.fail("j-1.0.0.2", "worse", &[]);
    assert_eq!(names(&effects), ["kill j-1.0.1.1"]);
    let job = harness.job();
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(
        job.reason,
        "task 0 of stage 0 failed 2 times; at last: worse"
    );
    assert_eq!(job.ended, Some(harness.now));
    assert!(
        harness
            .update("j-1.0.1.1", Killed)
            .iter()
            .all(|e| matches!(e, Effect::Changed(_)))
    );
}

#[test]
fn a_failure_without_a_report_is_told_in_the_agents_words() {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    harness.offer(&["a"]);
    let mut failed = status("j-1.0.0.1", Failed);
    failed.message = Some("Memory limit exceeded".into());
    harness.apply(Event::Update(failed));
    let attempt = "j-1.0.0.1".parse().unwrap();
    harness.apply(Event::Inspected {
        attempt,
        report: None,
    });
    assert_eq!(harness.task(0, 0).message, "Memory limit exceeded");
    assert_eq!(
        (harness.task(0, 0).failures, harness.task(0, 0).losses),
        (1, 0)
    );
}

#[test]
fn a_lost_task_is_tried_again_and_its_retries_are_not_used_up() {
    for state in [
        Lost,
        Dropped,
        Unreachable,
        Gone,
        GoneByOperator,
        Unknown,
        Killed,
    ] {
        let mut harness = Harness::with_job(TWO_BY_TWO);
        for attempt in 1..=5 {
            assert!(!harness.offer(&["a", "b", "c"]).is_empty(), "{state:?}");
            harness.update(&format!("j-1.0.0.{attempt}"), state);
            harness.wait(SECOND * 60);
        }
        assert_eq!(harness.job().state, JobState::Running);
        assert_eq!(
            (harness.task(0, 0).failures, harness.task(0, 0).losses),
            (0, 5)
        );
    }
}

#[test]
fn a_task_that_is_lost_for_ever_ends_its_job() {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    for attempt in 1..=limits::LOSSES + 1 {
        assert_eq!(harness.job().state, JobState::Running);
        harness.offer(&["a"]);
        harness.update(&format!("j-1.0.0.{attempt}"), Lost);
        harness.wait(SECOND * 60);
    }
    assert_eq!(harness.job().state, JobState::Failed);
    let reason = &harness.job().reason;
    assert!(
        reason.starts_with("task 0 of stage 0 was lost 51 times"),
        "{reason}"
    );
}

#[test]
fn a_task_that_no_agent_can_take_ends_its_job() {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    harness.offer(&["a"]);
    let mut error = status("j-1.0.0.1", TaskState::Error);
    error.message = Some("Task uses invalid resources".into());
    assert_eq!(
        names(&harness.apply(Event::Update(error))),
        ["kill j-1.0.0.1", "kill j-1.0.1.1"]
    );
    assert!(harness.job().reason.contains("Task uses invalid resources"));
}

#[test]
fn an_output_that_cannot_be_fetched_is_made_again_before_it_is_fetched_again() {
    let mut harness = reducing();
    harness.fail("j-1.1.0.1", "cannot fetch", &[(1, 1)]);
    harness.wait(SECOND);
    // Only the lost map: the reduce waits for it.
    assert_eq!(shown(&harness.offer(&["c", "d"])), ["j-1.0.1.2 on c"]);
    // The other reduce missed the same output: it is being made already.
    harness.fail("j-1.1.1.1", "cannot fetch", &[(1, 1)]);
    assert_eq!(harness.task(0, 1).losses, 1);
    harness.update("j-1.0.1.2", Finished);
    harness.wait(SECOND);
    let reduces = harness.offer(&["c", "d"]);
    assert_eq!(reduces.len(), 2);
    let Shuffle {
        agents, outputs, ..
    } = shuffle(&reduces[0]);
    assert_eq!(agents, &["a:5051", "c:5051"]);
    assert_eq!(outputs, &[(0, 1), (1, 2)]);
    assert_eq!(harness.job().progress().failures, 0);
    assert_eq!(harness.job().progress().losses, 3);
}

#[test]
fn outputs_of_a_lost_agent_are_made_again_while_they_are_read_and_not_after() {
    let mut harness = reducing();
    harness.apply(Event::AgentLost(agent("a")));
    harness.wait(SECOND);
    assert_eq!(shown(&harness.offer(&["b"])), ["j-1.0.0.2 on b"]);
    harness.update("j-1.0.0.2", Finished);
    for task in ["j-1.1.0.1", "j-1.1.1.1"] {
        harness.update(task, Finished);
    }
    harness.apply(Event::AgentLost(agent("b")));
    assert!(matches!(harness.task(0, 0).state, State::Done(_)));
    harness.wait(SECOND);
    assert!(harness.offer(&["c"]).is_empty());
}

#[test]
fn a_result_that_cannot_be_collected_is_made_again() {
    let mut harness = reducing();
    harness.update("j-1.1.0.1", Finished);
    harness.collect("j-1.1.0.1", Err("agent c is gone".into()));
    harness.wait(SECOND);
    assert_eq!(shown(&harness.offer(&["c", "d"])), ["j-1.1.0.2 on d"]);
    assert!(harness.task(1, 0).message.ends_with("agent c is gone"));
}

#[test]
fn an_attempt_that_was_given_up_is_ended_when_it_comes_back_and_changes_nothing() {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    harness.offer(&["a", "b"]);
    harness.update("j-1.0.0.1", Unreachable);
    harness.wait(SECOND);
    harness.offer(&["b"]);
    let before = harness.task(0, 0).clone();
    assert_eq!(
        names(&harness.update("j-1.0.0.1", Running)),
        ["kill j-1.0.0.1"]
    );
    assert!(names(&harness.update("j-1.0.0.1", Finished)).is_empty());
    assert_eq!(harness.task(0, 0), &before);
    for stranger in ["k-9.0.0.1", "j-1.7.0.1", "j-1.0.0.9"] {
        assert_eq!(
            names(&harness.update(stranger, Running)),
            [format!("kill {stranger}")]
        );
    }
    assert!(names(&harness.update("not-ours", Running)).is_empty());
}

#[test]
fn a_repeated_update_changes_nothing() {
    let mut harness = mapped();
    let before = harness.job().clone();
    for state in [Running, Finished, Lost, Failed] {
        harness.update("j-1.0.0.1", state);
    }
    // RUNNING after the end can only be an old word: the attempt is done, and ending it is safe.
    assert_eq!(harness.job(), &before);
}

#[test]
fn a_cancelled_job_ends_its_tasks_and_stays_ended() {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    harness.offer(&["a", "b"]);
    harness.update("j-1.0.0.1", Running);
    let mut effects = Effects::new();
    let id = JobId::new("j", 1);
    harness.core.cancel(harness.now, &id, &mut effects).unwrap();
    let effects = harness.keep(effects);
    assert_eq!(names(&effects), ["kill j-1.0.0.1", "kill j-1.0.1.1"]);
    harness.update("j-1.0.0.1", Killed);
    harness.update("j-1.0.1.1", Finished);
    assert!(harness.offer(&["a"]).is_empty());
    assert_eq!(harness.job().state, JobState::Cancelled);
    let mut effects = Effects::new();
    let again = harness.core.cancel(harness.now, &id, &mut effects);
    assert_eq!(again, Err(CancelError::Ended(id)));
    let unknown = JobId::new("k", 7);
    let error = harness
        .core
        .cancel(harness.now, &unknown, &mut effects)
        .unwrap_err();
    assert_eq!(error.to_string(), "there is no job k-7");
}

#[test]
fn the_oldest_job_is_served_first_and_the_next_takes_what_is_left() {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    harness.submit(TWO_BY_TWO).unwrap();
    let offers = vec![offer("a", "cpus:3;mem:4096")];
    let effects = harness.apply(Event::Offers(offers));
    let tasks: Vec<_> = launched(&effects)
        .iter()
        .map(|l| l.attempt.to_string())
        .collect();
    assert_eq!(tasks, ["j-1.0.0.1", "j-1.0.1.1", "j-2.0.0.1"]);
}

#[test]
fn a_new_life_goes_on_where_the_old_one_ended() {
    let mut harness = reducing();
    harness.update("j-1.1.0.1", Finished);
    harness.update("j-1.1.1.1", Failed);
    let effects = names(&harness.restart());
    assert_eq!(
        effects,
        ["collect j-1.1.0.1", "inspect j-1.1.1.1", "suppress"]
    );
    let attempt = "j-1.1.1.1".parse().unwrap();
    harness.apply(Event::Inspected {
        attempt,
        report: None,
    });
    harness.wait(SECOND);
    let reduces = harness.offer(&["c", "d"]);
    assert_eq!(shown(&reduces), ["j-1.1.1.2 on c"]);
    assert_eq!(shuffle(&reduces[0]).outputs, [(0, 1), (1, 1)]);
    let live: Vec<_> = harness
        .core
        .live()
        .map(|(attempt, _)| attempt.to_string())
        .collect();
    assert_eq!(live, ["j-1.1.1.2"]);
}

#[test]
fn the_number_of_a_job_is_never_given_again() {
    let mut harness = Harness::with_job(TWO_BY_TWO);
    harness.submit(TWO_BY_TWO).unwrap();
    harness.restart();
    assert_eq!(harness.submit(TWO_BY_TWO).unwrap().0.as_str(), "j-3");
}

#[test]
fn one_answer_to_offers_has_a_limit_and_asks_for_more() {
    let line = "x".repeat(100_000);
    let lines: Vec<_> = (0..50).map(|n| format!("'{n}{line}'")).collect();
    let file = |lines: &[String]| {
        let lines = lines.join(", ");
        format!(
            "{{name: j, cpus: 0.01, input: {{lines: [{lines}]}}, \
             stages: [{{map: {{command: cat}}}}]}}"
        )
    };
    let mut harness = Harness::new();
    let mut big = Vec::new();
    for lines in lines.chunks(10) {
        big.push(harness.submit(&file(lines)).unwrap().0);
    }
    let effects = harness.apply(Event::Offers(vec![offer("a", "cpus:100;mem:100000")]));
    let bytes: usize = launched(&effects)
        .iter()
        .map(|l| l.plan.encode().unwrap().len())
        .sum();
    assert!((limits::LAUNCH_BYTES..limits::LAUNCH_BYTES + limits::PLAN_BYTES).contains(&bytes));
    assert_eq!(names(&effects), ["launch 42 on offer-a", "revive"]);
}

#[test]
fn one_answer_to_offers_launches_so_many_tasks_and_asks_for_more() {
    let lines = vec!["x"; limits::PARTITIONS as usize].join(", ");
    let file = format!(
        "{{name: j, cpus: 0.01, input: {{lines: [{lines}]}}, \
         stages: [{{map: {{command: cat}}, partitions: 512}}]}}"
    );
    let mut harness = Harness::new();
    harness.submit(&file).unwrap();
    harness.submit(&file).unwrap();
    let effects = harness.apply(Event::Offers(vec![offer("a", "cpus:100;mem:1000000")]));
    assert_eq!(names(&effects), ["launch 1000 on offer-a", "revive"]);
}

#[test]
fn jobs_beyond_the_limit_are_refused_and_the_oldest_ended_ones_forgotten() {
    let mut harness = Harness::new();
    for _ in 0..limits::JOBS_UNFINISHED {
        harness.submit(TWO_BY_TWO).unwrap();
    }
    assert!(matches!(
        harness.submit(TWO_BY_TWO),
        Err(SubmitError::TooMany)
    ));
    let mut forgotten = Vec::new();
    for number in 1..=limits::JOBS_FINISHED as u64 + 2 {
        let mut effects = Effects::new();
        harness
            .core
            .cancel(harness.now, &JobId::new("j", number), &mut effects)
            .unwrap();
        let effects = names(&harness.keep(effects));
        forgotten.extend(
            effects
                .into_iter()
                .filter(|name| name.starts_with("forget")),
        );
        harness.submit(TWO_BY_TWO).unwrap();
    }
    assert_eq!(forgotten, ["forget j-1", "forget j-2"]);
    assert!(harness.core.job(&JobId::new("j", 1)).is_none());
    assert!(
        !harness
            .store
            .keys()
            .any(|(_, key)| key.starts_with("j-1.") || key == "j-1")
    );
}

#[test]
fn a_job_whose_plan_is_too_long_is_refused_when_it_is_submitted() {
    let line = "x".repeat(limits::PLAN_BYTES);
    let error = Harness::new().submit(&TWO_BY_TWO.replace("[a, b]", &format!("[{line}]")));
    let error = error.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("more partitions"), "{error}");
}

#[test]
fn a_damaged_record_is_named() {
    let harness = reducing();
    let with = |family: Family, key: &str, value: &[u8]| {
        let read = |kind: Family| {
            let mut store = harness.store.clone();
            store.insert((family, key.to_owned()), value.to_vec());
            let of = store.into_iter().filter(|((family, _), _)| *family == kind);
            of.map(|((_, key), value)| (key, value)).collect()
        };
        Recovered::read(read).unwrap_err().to_string()
    };
    assert!(with(Family::Jobs, "j-1", b"{}").contains("\"j-1\" of Jobs cannot be read"));
    let task = serde_json::to_vec(harness.task(0, 0)).unwrap();
    for key in ["j-1.5.0", "j-1.0.7", "k-1.0.0", "x"] {
        assert!(with(Family::Tasks, key, &task).contains(&format!("{key:?} of Tasks belongs")));
    }
    assert!(with(Family::Framework, "id", b"\"\"").contains("the framework's id"));
}

#[test]
fn a_place_is_named_in_full() {
    let place = Place {
        stage: 1,
        partition: 2,
    };
    assert_eq!(job::Named(place).to_string(), "task 2 of stage 1");
}
