//! What is asked about tasks, and when.

use super::*;

fn task(name: &str) -> KnownTask {
    KnownTask {
        task_id: TaskId::new(name).unwrap(),
        agent_id: None,
    }
}

fn heard(tracked: &mut Tracked, name: &str, state: TaskState) {
    tracked.heard(&TaskStatus::new(TaskId::new(name).unwrap(), state));
}

fn names(questions: &Questions) -> Vec<&str> {
    questions
        .tasks
        .iter()
        .map(|task| task.task_id.as_str())
        .collect()
}

const INTERVAL: Duration = Duration::from_secs(600);

#[test]
fn everything_is_asked_after_each_subscription() {
    let mut tracked = Tracked::new(vec![task("a"), task("b")], INTERVAL);
    for _ in 0..2 {
        tracked.subscribed(Instant::now());
        let questions = tracked.ask(Instant::now());
        assert!(questions.everything);
        assert_eq!(names(&questions), ["a", "b"]);
        heard(&mut tracked, "a", TaskState::Running);
    }
}

#[test]
fn the_unanswered_are_asked_again_at_doubling_distances() {
    let mut tracked = Tracked::new(vec![task("a"), task("b")], INTERVAL);
    let start = Instant::now();
    tracked.ask(start);
    heard(&mut tracked, "a", TaskState::Running);
    let mut asked_at = Vec::new();
    while tracked.due() < start + INTERVAL {
        let now = tracked.due();
        let questions = tracked.ask(now);
        assert_eq!(
            (names(&questions), questions.everything),
            (vec!["b"], false)
        );
        asked_at.push((now - start).as_secs());
    }
    assert_eq!(asked_at, [15, 45, 105, 225, 465]);
    let round = tracked.ask(tracked.due());
    assert_eq!((names(&round), round.everything), (vec!["a", "b"], true));
}

#[test]
fn a_launch_that_nobody_speaks_of_is_asked_about() {
    let mut tracked = Tracked::new(Vec::new(), INTERVAL);
    let start = Instant::now();
    tracked.ask(start);
    let info = tepui_proto::v1::TaskInfo {
        task_id: tepui_proto::v1::TaskId { value: "a".into() },
        agent_id: tepui_proto::v1::AgentId {
            value: "agent".into(),
        },
        ..Default::default()
    };
    let launch: Vec<_> = crate::Operations::new().launch(vec![info]).into();
    tracked.launched(&launch, start);
    assert_eq!(tracked.due(), start + limits::FIRST_RECONCILE_RETRY);
    let questions = tracked.ask(tracked.due());
    assert_eq!(
        questions.tasks[0].agent_id.as_ref().map(AgentId::as_str),
        Some("agent")
    );
}

#[test]
fn a_kill_is_repeated_until_the_task_has_ended() {
    let mut tracked = Tracked::new(vec![task("a")], INTERVAL);
    tracked.ask(Instant::now());
    let grace = Some(Duration::from_secs(1));
    tracked.kill(&TaskId::new("a").unwrap(), grace, Instant::now());
    heard(&mut tracked, "a", TaskState::Killing);
    tracked.subscribed(Instant::now());
    assert_eq!(
        tracked.ask(Instant::now()).kills,
        [(TaskId::new("a").unwrap(), None, grace)]
    );
    heard(&mut tracked, "a", TaskState::Killed);
    tracked.subscribed(Instant::now());
    let questions = tracked.ask(Instant::now());
    assert_eq!(
        questions,
        Questions {
            everything: true,
            ..Default::default()
        }
    );
}

#[test]
fn a_task_on_an_agent_that_is_away_stays_known() {
    let mut tracked = Tracked::new(vec![task("a"), task("b"), task("c")], INTERVAL);
    heard(&mut tracked, "a", TaskState::Unreachable);
    heard(&mut tracked, "b", TaskState::Unknown);
    heard(&mut tracked, "c", TaskState::Gone);
    assert_eq!(names(&tracked.ask(Instant::now())), ["a"]);
}
