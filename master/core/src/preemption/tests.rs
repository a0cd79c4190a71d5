//! Tests of the module that this one belongs to.

use tepui_model::{FrameworkInfo, Reason, TaskId, TaskState};
use tepui_proto::{services, v1};

use super::*;
use crate::{
    Action, AgentCommand, Config, FrameworkEvent, InverseOffer, Notice, OperatorCall,
    OperatorReply,
    calls::Ask as Wish,
    limits::WASTE_BACKOFF,
    testing::{Cluster, Node, Scheduler, config, names, of_roles, resources, seconds, task_info},
};

const PATIENCE: Duration = Duration::from_secs(30);
const NOTICE: Duration = Duration::from_secs(20);

fn eager() -> Config {
    Config {
        preemption: Some(Preemption {
            patience: PATIENCE,
            notice: NOTICE,
        }),
        offer_timeout: None,
        ..config()
    }
}

fn wish(text: &str, priority: i32) -> Wish {
    Wish {
        role: None,
        agent_id: None,
        resources: resources(text),
        count: 1,
        gang: None,
        priority,
    }
}

fn with_budget(info: &FrameworkInfo, budget: u32) -> FrameworkInfo {
    let wire = v1::FrameworkInfo {
        tepui_preemption_budget: Some(budget),
        ..v1::FrameworkInfo::clone(&info.wire)
    };
    FrameworkInfo::try_from(wire).unwrap()
}

fn prioritize(cluster: &mut Cluster, role: &str, priority: i32) {
    let one = services::RolePriority {
        role: role.to_owned(),
        priority: Some(priority),
    };
    let call = OperatorCall::UpdatePriorities(vec![one]);
    cluster.operate(call).unwrap();
}

/// A cluster in which tasks `low0`.. of role low fill one agent of 4 CPUs, and somebody in role
/// high.
struct Stage {
    cluster: Cluster,
    node: Node,
    low: Scheduler,
    high: Scheduler,
}

impl Stage {
    fn new(config: Config, low: FrameworkInfo) -> Self {
        Self::with_task_priorities(config, low, [0; 4])
    }

    fn with_task_priorities(config: Config, low: FrameworkInfo, priorities: [i32; 4]) -> Self {
        let mut cluster = Cluster::with(config);
        let low = cluster.subscribe(low);
        let node = cluster.register("one", "cpus:4;mem:1024");
        cluster.settle();
        let offer = cluster.offer(&low);
        let tasks = priorities
            .iter()
            .zip(0..)
            .map(|(priority, at)| v1::TaskInfo {
                tepui_priority: Some(*priority),
                ..task_info(&format!("low{at}"), &node.id, "cpus:1;mem:256")
            });
        cluster.accept(&low, &[&offer.id], tasks.collect());
        for at in 0..4 {
            cluster.report(&node, &low.id, &format!("low{at}"), TaskState::Running);
        }
        let high = cluster.subscribe(of_roles(&["high"]));
        cluster.settle();
        cluster.events(low.connection);
        cluster.commands(node.connection);
        Self {
            cluster,
            node,
            low,
            high,
        }
    }

    /// With the role high before the role low.
    fn ranked() -> Self {
        let mut stage = Self::new(eager(), of_roles(&["low"]));
        prioritize(&mut stage.cluster, "high", 10);
        stage
    }

    fn ask(&mut self, wishes: Vec<Wish>) {
        let connection = self.high.connection;
        self.cluster.call(connection, Action::Request(wishes));
        self.cluster.settle();
    }

    /// Time passes, and the agent is heard of.
    fn pass(&mut self, mut span: Duration) {
        while !span.is_zero() {
            let part = span.min(seconds(10));
            self.cluster.pass(part);
            let connection = self.node.connection;
            self.cluster.apply(crate::Event::AgentPong { connection });
            span -= part;
        }
    }

    /// What the low framework heard of inverse offers: those that came, and how many went.
    fn notices(&mut self) -> (Vec<InverseOffer>, usize) {
        let (mut came, mut went) = (Vec::new(), 0);
        for event in self.cluster.events(self.low.connection) {
            match event {
                FrameworkEvent::InverseOffers(offers) => came.extend(offers),
                FrameworkEvent::RescindInverseOffer(_) => went += 1,
                _ => {}
            }
        }
        (came, went)
    }

    fn kills(&mut self) -> Vec<String> {
        let commands = self.cluster.commands(self.node.connection);
        let mut names = names(&commands);
        names.retain(|name| name.starts_with("kill"));
        names
    }

    fn end(&mut self, task: &str, state: TaskState) {
        let id = self.low.id.clone();
        self.cluster.report(&self.node, &id, task, state);
        self.cluster.settle();
    }

    fn plans(&self) -> usize {
        self.cluster.master.preemptions.plans.len()
    }
}

#[test]
fn an_ask_that_waits_too_long_gives_notice_then_kills_then_is_offered_the_room() {
    let mut stage = Stage::ranked();
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE - seconds(1));
    assert_eq!(stage.notices().0, [], "it is patient");
    stage.pass(seconds(1));
    let (came, _) = stage.notices();
    let [notice] = &came[..] else {
        panic!("{came:?}");
    };
    assert_eq!(notice.agent_id, stage.node.id);
    let lost = [(crate::testing::role("low"), resources("cpus:2;mem:512"))];
    assert_eq!(notice.resources, lost);
    let start = notice.unavailability.start;
    let left = start.since(stage.cluster.now);
    assert!(left <= NOTICE && left > NOTICE - seconds(1), "{left:?}");
    assert_eq!(stage.kills(), [""; 0], "notice comes first");
    stage.pass(NOTICE);
    assert_eq!(stage.kills(), ["kill low0", "kill low1"]);
    stage.pass(seconds(60));
    assert_eq!(stage.kills(), [""; 0], "nothing is killed twice");
    stage.end("low0", TaskState::Gone);
    stage.end("low1", TaskState::Gone);
    let offer = stage.cluster.offer(&stage.high.clone());
    assert_eq!(offer.resources, resources("cpus:2;mem:512"));
    assert_eq!(stage.plans(), 0);
    assert_eq!(stage.notices().1, 1, "the notice is over");
    stage.pass(seconds(300));
    assert_eq!(stage.kills(), [""; 0]);
}

#[test]
fn the_kill_says_by_whom_and_operators_hear_of_the_notice() {
    let mut stage = Stage::ranked();
    stage.ask(vec![wish("cpus:1;mem:64", 0)]);
    stage.cluster.notices.clear();
    stage.pass(PATIENCE);
    let told = stage
        .cluster
        .notices
        .iter()
        .find_map(|notice| match notice {
            Notice::TaskUpdated { status, state, .. } => Some((status.clone(), *state)),
            _ => None,
        });
    let (status, state) = told.unwrap();
    assert_eq!(
        (status.state, state),
        (TaskState::Running, TaskState::Running)
    );
    assert_eq!(status.reason, Some(Reason::ContainerPreempted));
    let words = "in role high of priority 10";
    let message = status.message.unwrap();
    assert!(message.starts_with("Preempted by '"), "{message}");
    assert!(message.contains(words), "{message}");
    let task_id = v1::TaskId {
        value: "low0".to_owned(),
    };
    let subject = Some(services::explain_request::Subject::TaskId(task_id));
    let request = OperatorCall::Explain(Box::new(services::ExplainRequest { subject }));
    let answer = stage.cluster.operate(request);
    let Ok(OperatorReply::Explanation(found)) = answer else {
        panic!("{answer:?}");
    };
    assert!(found.summary.contains(words), "{}", found.summary);
    let subject = services::explain_request::Subject::FrameworkId((&stage.high.id).into());
    let subject = Some(subject);
    let request = OperatorCall::Explain(Box::new(services::ExplainRequest { subject }));
    let answer = stage.cluster.operate(request);
    let Ok(OperatorReply::Explanation(found)) = answer else {
        panic!("{answer:?}");
    };
    let making = "room is made in role high for 1 asks, for which 1 tasks end";
    assert!(found.summary.contains(making), "{}", found.summary);
    stage.pass(NOTICE);
    let commands = stage.cluster.commands(stage.node.connection);
    let why = commands.iter().find_map(|command| match command {
        AgentCommand::KillTask { preempted, .. } => preempted.clone(),
        _ => None,
    });
    assert!(why.unwrap().ends_with(words));
}

#[test]
fn without_the_setting_nobody_gives_way() {
    let mut stage = Stage::new(config(), of_roles(&["low"]));
    prioritize(&mut stage.cluster, "high", 10);
    stage.ask(vec![wish("cpus:2;mem:512", 9)]);
    stage.pass(seconds(600));
    assert_eq!((stage.notices().0, stage.kills()), (vec![], vec![]));
}

#[test]
fn equals_and_betters_are_safe() {
    for priority in [0, -1] {
        let mut stage = Stage::new(eager(), of_roles(&["low"]));
        prioritize(&mut stage.cluster, "high", priority);
        stage.ask(vec![wish("cpus:2;mem:512", 9)]);
        stage.pass(seconds(600));
        assert_eq!((stage.notices().0, stage.kills()), (vec![], vec![]));
    }
}

#[test]
fn inside_a_role_the_priority_of_ask_and_task_decides() {
    let priorities = [3, 1, 2, 1];
    let mut stage = Stage::with_task_priorities(eager(), of_roles(&["high"]), priorities);
    stage.ask(vec![wish("cpus:3;mem:512", 2)]);
    stage.pass(PATIENCE + NOTICE);
    assert_eq!(stage.kills(), [""; 0], "two tasks are not enough");
    stage.ask(vec![wish("cpus:2;mem:512", 2)]);
    stage.pass(PATIENCE + NOTICE + seconds(1));
    assert_eq!(stage.kills(), ["kill low1", "kill low3"]);
}

#[test]
fn a_budget_of_one_lets_one_task_end_at_a_time() {
    let info = with_budget(&of_roles(&["low"]), 1);
    let mut stage = Stage::new(eager(), info);
    prioritize(&mut stage.cluster, "high", 10);
    let twice = Wish {
        count: 2,
        ..wish("cpus:1;mem:256", 0)
    };
    stage.ask(vec![twice]);
    stage.pass(PATIENCE + NOTICE + seconds(1));
    assert_eq!(stage.kills(), ["kill low0"]);
    stage.pass(seconds(600));
    assert_eq!(stage.kills(), [""; 0], "the first has not ended");
    stage.end("low0", TaskState::Gone);
    stage.pass(NOTICE + seconds(2));
    assert_eq!(stage.kills(), ["kill low1"]);
    let none = with_budget(&of_roles(&["low"]), 0);
    let mut stage = Stage::new(eager(), none);
    prioritize(&mut stage.cluster, "high", 10);
    stage.ask(vec![wish("cpus:1;mem:256", 0)]);
    stage.pass(seconds(600));
    assert_eq!(stage.kills(), [""; 0], "a budget of none");
}

#[test]
fn an_ask_that_is_withdrawn_takes_the_notice_along() {
    let mut stage = Stage::ranked();
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE);
    assert_eq!(stage.notices().0.len(), 1);
    stage.ask(Vec::new());
    assert_eq!((stage.notices().1, stage.plans()), (1, 0));
    assert_eq!(stage.cluster.master.allocator.holds().count(), 0);
    stage.pass(seconds(300));
    assert_eq!(stage.kills(), [""; 0]);
}

#[test]
fn an_ask_that_is_served_elsewhere_takes_the_notice_along() {
    let mut stage = Stage::ranked();
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE);
    assert_eq!(stage.notices().0.len(), 1);
    stage.cluster.register("two", "cpus:2;mem:512");
    stage.cluster.settle();
    assert_eq!(stage.cluster.offers(&stage.high.clone()).len(), 1);
    assert_eq!((stage.notices().1, stage.plans()), (1, 0));
    stage.pass(NOTICE);
    assert_eq!(stage.kills(), [""; 0]);
}

#[test]
fn tasks_that_end_in_time_need_no_kill_and_their_room_is_for_who_asked() {
    let mut stage = Stage::ranked();
    let other = stage.cluster.subscribe(of_roles(&["high"]));
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE);
    stage.notices();
    stage.end("low0", TaskState::Finished);
    assert_eq!(stage.cluster.offers(&other), [], "it is set aside");
    stage.end("low1", TaskState::Finished);
    let offer = stage.cluster.offer(&stage.high.clone());
    assert_eq!(offer.resources, resources("cpus:2;mem:512"));
    assert_eq!((stage.notices().1, stage.kills()), (1, vec![]));
    stage.pass(seconds(300));
    assert_eq!(stage.kills(), [""; 0]);
}

#[test]
fn nobody_ends_for_somebody_who_refused_the_agent() {
    let mut stage = Stage::ranked();
    stage.end("low0", TaskState::Finished);
    let offer = stage.cluster.offer(&stage.high.clone());
    let high = stage.high.clone();
    let filters = tepui_model::Filters::refuse(seconds(500));
    stage.cluster.decline(&high, &offer.id, filters);
    // What it refused is a part of what it would be offered.
    stage.ask(vec![wish("cpus:1;mem:128", 0)]);
    stage.pass(seconds(400));
    assert_eq!(stage.kills(), [""; 0]);
}

#[test]
fn a_priority_that_changes_during_the_notice_counts() {
    let mut stage = Stage::ranked();
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE);
    assert_eq!(stage.notices().0.len(), 1);
    prioritize(&mut stage.cluster, "low", 10);
    assert_eq!((stage.notices().1, stage.plans()), (1, 0));
    stage.pass(seconds(300));
    assert_eq!(stage.kills(), [""; 0]);
}

#[test]
fn a_new_master_knows_nothing_of_notices_and_begins_anew() {
    let mut stage = Stage::ranked();
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE);
    assert_eq!(stage.plans(), 1);
    stage.cluster.restart();
    assert_eq!(stage.plans(), 0);
    assert_eq!(stage.cluster.master.allocator.holds().count(), 0);
    stage.pass(NOTICE * 2);
    assert_eq!(stage.kills(), [""; 0]);
}

#[test]
fn an_agent_that_is_lost_takes_its_plans_along() {
    let mut stage = Stage::ranked();
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE);
    assert_eq!(stage.plans(), 1);
    let connection = stage.node.connection;
    stage
        .cluster
        .apply(crate::Event::AgentDisconnected { connection });
    stage.cluster.pass(seconds(600));
    assert_eq!(stage.plans(), 0);
}

#[test]
fn the_fewest_victims_of_the_lowest_priority_are_taken_over_all_agents() {
    let mut stage = Stage::ranked();
    prioritize(&mut stage.cluster, "low", 5);
    let cheap = stage.cluster.subscribe(of_roles(&["cheap"]));
    prioritize(&mut stage.cluster, "cheap", 20);
    let second = stage.cluster.register("two", "cpus:2;mem:512");
    stage.cluster.settle();
    stage.cluster.launch(&cheap, "cheap", "cpus:2;mem:512");
    stage
        .cluster
        .report(&second, &cheap.id, "cheap", TaskState::Running);
    prioritize(&mut stage.cluster, "cheap", 0);
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE + NOTICE + seconds(1));
    assert_eq!(stage.kills(), [""; 0]);
    let commands = stage.cluster.commands(second.connection);
    assert!(names(&commands).contains(&"kill cheap".to_owned()));
}

/// The offer that is made once these have been killed for the ask.
fn offer_after(stage: &mut Stage, victims: &[&str]) -> OfferId {
    let kills: Vec<String> = victims.iter().map(|it| format!("kill {it}")).collect();
    assert_eq!(stage.kills(), kills);
    for victim in victims {
        stage.end(victim, TaskState::Gone);
    }
    stage.cluster.offer(&stage.high.clone()).id.clone()
}

/// Declines the offer; the low framework fills the room with a task.
fn waste(stage: &mut Stage, offer: &OfferId, task: &str) {
    let (high, low) = (stage.high.clone(), stage.low.clone());
    stage.cluster.events(low.connection);
    let filters = tepui_model::Filters::refuse(seconds(5));
    stage.cluster.decline(&high, offer, filters);
    stage.cluster.settle();
    stage.cluster.launch(&low, task, "cpus:2;mem:512");
    stage
        .cluster
        .report(&stage.node, &low.id, task, TaskState::Running);
}

/// Nobody ends for the high framework for so long, though it asks; then somebody does.
fn expect_backoff(stage: &mut Stage, backoff: Duration) {
    let little = seconds(5);
    stage.pass(backoff - little);
    assert_eq!((stage.notices().0, stage.kills()), (vec![], vec![]));
    stage.pass(little * 2);
    assert_eq!(stage.notices().0.len(), 1);
    stage.pass(NOTICE);
}

#[test]
fn who_wastes_the_room_that_tasks_ended_for_preempts_nobody_for_twice_as_long_each_time() {
    let mut stage = Stage::ranked();
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE + NOTICE + seconds(1));
    let offer = offer_after(&mut stage, &["low0", "low1"]);
    waste(&mut stage, &offer, "low4");
    let subject = services::explain_request::Subject::FrameworkId((&stage.high.id).into());
    let subject = Some(subject);
    let request = OperatorCall::Explain(Box::new(services::ExplainRequest { subject }));
    let Ok(OperatorReply::Explanation(found)) = stage.cluster.operate(request) else {
        panic!("it is known");
    };
    let words = "nobody ends for it for another";
    assert!(found.summary.contains(words), "{}", found.summary);
    expect_backoff(&mut stage, WASTE_BACKOFF);
    let offer = offer_after(&mut stage, &["low2", "low3"]);
    waste(&mut stage, &offer, "low5");
    expect_backoff(&mut stage, WASTE_BACKOFF * 2);
    let offer = offer_after(&mut stage, &["low4"]);
    let high = stage.high.clone();
    let used = task_info("high0", &stage.node.id, "cpus:2;mem:512");
    stage.cluster.accept(&high, &[&offer], vec![used]);
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE + NOTICE + seconds(1));
    let offer = offer_after(&mut stage, &["low5"]);
    waste(&mut stage, &offer, "low6");
    expect_backoff(&mut stage, WASTE_BACKOFF);
}

#[test]
fn who_asks_for_something_else_after_the_kill_has_wasted_it() {
    let mut stage = Stage::ranked();
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE + NOTICE + seconds(1));
    assert_eq!(stage.kills(), ["kill low0", "kill low1"]);
    stage.ask(vec![wish("cpus:4;mem:1024", 0)]);
    stage.notices();
    stage.end("low0", TaskState::Gone);
    stage.end("low1", TaskState::Gone);
    let low = stage.low.clone();
    let offers = stage.cluster.offers(&low);
    let ids: Vec<&OfferId> = offers.iter().map(|offer| &offer.id).collect();
    let task = task_info("low4", &stage.node.id, "cpus:2;mem:512");
    stage.cluster.accept(&low, &ids, vec![task]);
    stage
        .cluster
        .report(&stage.node, &low.id, "low4", TaskState::Running);
    expect_backoff(&mut stage, WASTE_BACKOFF);
    assert_eq!(stage.kills(), ["kill low2", "kill low3", "kill low4"]);
}

#[test]
fn a_small_offer_that_is_used_besides_takes_no_backoff_away() {
    let mut stage = Stage::ranked();
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE + NOTICE + seconds(1));
    let offer = offer_after(&mut stage, &["low0", "low1"]);
    waste(&mut stage, &offer, "low4");
    // Something small comes free and is used, for an ask of its own.
    stage.ask(vec![wish("cpus:2;mem:512", 0), wish("cpus:0.1;mem:32", 0)]);
    let small = stage.cluster.register("small", "cpus:0.1;mem:32");
    stage.cluster.settle();
    let high = stage.high.clone();
    let offer = stage.cluster.offer(&high);
    let task = task_info("little", &small.id, "cpus:0.1;mem:32");
    stage.cluster.accept(&high, &[&offer.id], vec![task]);
    assert_eq!(stage.cluster.updates(&high), []);
    expect_backoff(&mut stage, WASTE_BACKOFF);
    let offer = offer_after(&mut stage, &["low2", "low3"]);
    waste(&mut stage, &offer, "low5");
    expect_backoff(&mut stage, WASTE_BACKOFF * 2);
}

#[test]
fn who_uses_a_crumb_of_the_room_has_wasted_it() {
    let mut stage = Stage::ranked();
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.pass(PATIENCE + NOTICE + seconds(1));
    let offer = offer_after(&mut stage, &["low0", "low1"]);
    let (high, low) = (stage.high.clone(), stage.low.clone());
    let crumb = task_info("crumb", &stage.node.id, "cpus:0.1;mem:32");
    stage.cluster.accept(&high, &[&offer], vec![crumb]);
    stage.cluster.events(low.connection);
    stage.cluster.settle();
    stage.ask(vec![wish("cpus:2;mem:512", 0)]);
    stage.cluster.launch(&low, "low4", "cpus:1.9;mem:480");
    stage
        .cluster
        .report(&stage.node, &low.id, "low4", TaskState::Running);
    expect_backoff(&mut stage, WASTE_BACKOFF);
}

/// A gang is had whole or not at all, and that a part of it could be had does not say that the
/// rest will be: tasks would end for nothing. So it waits for what becomes free by itself.
#[test]
fn nobody_ends_for_a_gang_and_it_collects_what_becomes_free_by_itself() {
    let mut stage = Stage::ranked();
    let member = Wish {
        gang: Some("g".into()),
        count: 2,
        ..wish("cpus:1;mem:256", 9)
    };
    stage.ask(vec![member]);
    stage.pass(PATIENCE + NOTICE + seconds(600));
    assert_eq!((stage.notices().0, stage.kills()), (vec![], vec![]));
    stage.end("low0", TaskState::Finished);
    stage.end("low1", TaskState::Finished);
    let offer = stage.cluster.offer(&stage.high.clone());
    assert_eq!(offer.resources, resources("cpus:2;mem:512"));
}

/// Whether the check of the invariants finds what a test did.
fn is_found(stage: &Stage, words: &str) {
    let found = stage.cluster.master.check().unwrap_err().to_string();
    assert!(found.contains(words), "{found}");
}

#[test]
fn planted_bugs_are_found() {
    let planned = || {
        let info = with_budget(&of_roles(&["low"]), 2);
        let mut stage = Stage::new(eager(), info);
        prioritize(&mut stage.cluster, "high", 10);
        stage.ask(vec![wish("cpus:2;mem:512", 0)]);
        stage.pass(PATIENCE);
        assert_eq!(stage.plans(), 1);
        stage.cluster.master.check().unwrap();
        stage
    };
    let victim = |stage: &Stage, id: &str| {
        let key = stage.cluster.master.frameworks.by_id[&stage.low.id];
        (key, TaskId::new(id).unwrap())
    };
    let mut overdrawn = planned();
    let third = victim(&overdrawn, "low3");
    let preemptions = &mut overdrawn.cluster.master.preemptions;
    preemptions.by_victim.insert(third.clone(), 1);
    let plan = preemptions.plans.get_mut(&1).unwrap();
    plan.victims.insert(third.clone());
    is_found(&overdrawn, "3 tasks");
    let mut twice = planned();
    let plan = twice.cluster.master.preemptions.plans.get_mut(&1).unwrap();
    plan.victims.insert(third);
    is_found(&twice, "twice");
    let mut unjust = planned();
    let low = crate::testing::role("low");
    unjust.cluster.master.allocator.set_priority(&low, Some(10));
    is_found(&unjust, "equal or lower priority");
}
