//! Tests of the module that this one belongs to.

use tepui_model::FrameworkId;
use tepui_proto::{
    services::{ExplainRequest, Explanation, explain_request::Subject},
    v1,
};

use crate::{
    Effects, OperatorCall, OperatorError, OperatorReply,
    agents::{Deactivation, Drain, DrainState},
    testing::{Cluster, Node, of_roles},
};

fn ask(cluster: &mut Cluster, subject: Subject) -> Result<Explanation, OperatorError> {
    let subject = Some(subject);
    match cluster.operate(OperatorCall::Explain(Box::new(ExplainRequest { subject })))? {
        OperatorReply::Explanation(explanation) => Ok(*explanation),
        other => panic!("{other:?}"),
    }
}

fn framework(id: &FrameworkId) -> Subject {
    Subject::FrameworkId(id.into())
}

#[test]
fn a_framework_that_waits_hears_on_how_many_agents_nothing_is_free() {
    let mut cluster = Cluster::new();
    cluster.register("node", "cpus:4;mem:1024");
    let one = cluster.subscribe(of_roles(&["a"]));
    cluster.settle();
    cluster.offer(&one);
    let two = cluster.subscribe(of_roles(&["b"]));
    cluster.settle();
    let found = ask(&mut cluster, framework(&two.id)).unwrap();
    let finding = &found.findings[0];
    assert_eq!(
        (finding.agents, finding.text.as_str()),
        (1, "nothing is free")
    );
    assert_eq!(found.contenders[0].role, "b");
    assert_eq!(found.roles[0].role, "b");
    let agent = finding.agent_id.clone().unwrap();
    let found = ask(&mut cluster, Subject::AgentId(agent)).unwrap();
    assert_eq!(found.contenders.len(), 2);
}

#[test]
fn a_refusal_is_told_with_what_is_left_of_it_and_suppression_as_such() {
    let mut cluster = Cluster::new();
    let one = cluster.subscribe(of_roles(&["a"]));
    cluster.call(one.connection, crate::Action::Suppress(Vec::new()));
    cluster.register("node", "cpus:4;mem:1024");
    let found = ask(&mut cluster, framework(&one.id)).unwrap();
    assert_eq!(found.contenders[0].idle, "suppressed");
    assert_eq!(found.summary, "nobody here takes offers at present");
    let two = cluster.subscribe(of_roles(&["a"]));
    cluster.settle();
    let offer = cluster.offer(&two);
    let for_an_hour = tepui_model::Filters::refuse(core::time::Duration::from_secs(3600));
    cluster.decline(&two, &offer.id, for_an_hour);
    let found = ask(&mut cluster, Subject::Role("a".to_owned())).unwrap();
    assert_eq!(found.contenders.len(), 2);
    assert_eq!(
        found.findings[0].text,
        "refused 'cpus:4;mem:1024' for another 3600.0 s"
    );
}

#[test]
fn a_task_is_told_with_its_state_and_place() {
    let mut cluster = Cluster::new();
    cluster.register("node", "cpus:4;mem:1024");
    let one = cluster.subscribe(of_roles(&["a"]));
    cluster.settle();
    cluster.launch(&one, "t", "cpus:1");
    let task = |id: &str| Subject::TaskId(v1::TaskId { value: id.into() });
    let summary = ask(&mut cluster, task("t")).unwrap().summary;
    assert!(
        summary.ends_with("in role a is TASK_STAGING on node"),
        "{summary}"
    );
    let unknown = ask(&mut cluster, task("u")).unwrap_err().to_string();
    assert!(unknown.starts_with("no framework has launched a task u"));
}

#[test]
fn what_does_not_exist_or_is_malformed_is_refused() {
    let mut cluster = Cluster::new();
    let mut refusal = |subject| ask(&mut cluster, subject).unwrap_err().to_string();
    let id = |value: &str| v1::FrameworkId {
        value: value.into(),
    };
    assert_eq!(
        refusal(Subject::FrameworkId(id("x"))),
        "No framework found with ID x"
    );
    let agent = v1::AgentId {
        value: "x/y".into(),
    };
    assert_eq!(
        refusal(Subject::AgentId(agent)),
        "No agent found with ID x/y"
    );
    assert_eq!(
        refusal(Subject::Role("r".into())),
        "nothing is known of the role 'r'"
    );
    assert!(refusal(Subject::Role("a//b".into())).contains("//"));
    let empty = OperatorCall::Explain(Box::default());
    assert_eq!(
        cluster.operate(empty).unwrap_err().to_string(),
        "subject must be set"
    );
}

#[test]
fn who_is_behind_hears_the_shares_of_both() {
    let mut cluster = Cluster::new();
    let large = cluster.subscribe(of_roles(&["a"]));
    cluster.register("one", "cpus:6;mem:64");
    cluster.settle();
    let small = cluster.subscribe(of_roles(&["b"]));
    cluster.register("two", "cpus:2;mem:32");
    cluster.settle();
    assert_eq!(cluster.offers(&small).len(), 1);
    let found = ask(&mut cluster, framework(&large.id)).unwrap();
    assert_eq!(
        found.contenders[0].why_behind,
        "role b has a share of 33.33 %, role a of 75.00 %"
    );
    let found = ask(&mut cluster, framework(&small.id)).unwrap();
    assert_eq!(found.contenders[0].why_behind, "");
}

#[test]
fn who_is_behind_in_the_same_role_hears_it_of_the_frameworks() {
    let mut cluster = Cluster::new();
    let large = cluster.subscribe(of_roles(&["a"]));
    cluster.register("one", "cpus:3;mem:64");
    cluster.settle();
    let small = cluster.subscribe(of_roles(&["a"]));
    cluster.register("two", "cpus:1;mem:64");
    cluster.settle();
    assert_eq!(cluster.offers(&small).len(), 1);
    let found = ask(&mut cluster, framework(&large.id)).unwrap();
    assert_eq!(
        found.contenders[0].why_behind,
        "that framework has a share of 50.00 %, this one of 75.00 %"
    );
}

#[test]
fn an_agent_that_is_not_offered_is_told_with_why_and_how_far_its_drain_is() {
    let mut cluster = Cluster::new();
    let away = cluster.register("away", "cpus:4;mem:1024");
    let off = cluster.register("off", "cpus:4;mem:1024");
    let one = cluster.subscribe(of_roles(&["a"]));
    cluster.settle();
    let told = |cluster: &mut Cluster| -> Vec<(u64, String)> {
        let found = ask(cluster, framework(&one.id)).unwrap();
        let findings = found.findings.into_iter();
        findings.map(|it| (it.agents, it.text)).collect()
    };
    let said = |agents: u64, text: &str| (agents, text.to_owned());
    cluster.disconnect_agent(&away);
    set(&mut cluster, &off, None);
    assert_eq!(
        told(&mut cluster),
        [
            said(1, "the agent is deactivated"),
            said(1, "the agent is away")
        ]
    );
    set(&mut cluster, &away, Some(DrainState::Draining));
    set(&mut cluster, &off, Some(DrainState::Drained));
    assert_eq!(
        told(&mut cluster),
        [
            said(1, "the agent is drained"),
            said(1, "the agent is away and draining")
        ]
    );
}

#[test]
fn a_drain_is_told_with_the_tasks_that_are_left() {
    let mut cluster = Cluster::new();
    let node = cluster.register("node", "cpus:4;mem:1024");
    let one = cluster.subscribe(of_roles(&["a"]));
    cluster.settle();
    cluster.launch(&one, "t", "cpus:1");
    set(&mut cluster, &node, Some(DrainState::Draining));
    let found = ask(&mut cluster, framework(&one.id)).unwrap();
    let draining = "the agent is draining: 1 task is left";
    assert_eq!(found.findings[0].text, draining);
    assert_eq!(found.summary, format!("mostly, on 1 agent: {draining}"));
}

/// An agent is deactivated, and drained so far.
fn set(cluster: &mut Cluster, node: &Node, drain: Option<DrainState>) {
    let drain = drain.map(|state| Drain {
        state,
        max_grace_period: None,
        mark_gone: false,
        since: cluster.now,
    });
    let effects = &mut Effects::new();
    let deactivation = Deactivation { drain };
    cluster.master.deactivate(&node.id, deactivation, effects);
}
