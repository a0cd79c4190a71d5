//! Containers that calls launch, story by story.

use std::collections::BTreeMap;

use tepui_model::ContainerId;
use tepui_proto::v1;

use super::node::{Machine, Node};
use crate::{
    ContainerEvent, ContainerName, Effects, Event, Exit, Guest, GuestEnd, GuestOrder, GuestRefusal,
    Phase, Shown, StillRunning, limits,
};

fn name(ids: &[&str]) -> ContainerName {
    let mut outer: Option<v1::ContainerId> = None;
    for value in ids {
        outer = Some(v1::ContainerId {
            value: (*value).to_owned(),
            parent: outer.map(Box::new),
        });
    }
    ContainerName::read(&outer.unwrap()).unwrap()
}

fn order(ids: &[&str]) -> GuestOrder {
    GuestOrder {
        name: name(ids),
        command: Some(v1::CommandInfo {
            value: Some("sleep 1000".to_owned()),
            ..v1::CommandInfo::default()
        }),
        container: None,
        resources: Vec::new(),
        limits: BTreeMap::new(),
    }
}

fn apart() -> v1::ContainerInfo {
    v1::ContainerInfo {
        r#type: v1::container_info::Type::Mesos.into(),
        linux_info: Some(v1::LinuxInfo {
            share_cgroups: Some(false),
            ..v1::LinuxInfo::default()
        }),
        ..v1::ContainerInfo::default()
    }
}

fn resources(text: &str) -> Vec<v1::Resource> {
    let resources: tepui_model::Resources = text.parse().unwrap();
    resources.to_proto(None)
}

impl Node {
    fn launch_guest(&mut self, order: &GuestOrder) -> Result<(), GuestRefusal> {
        let mut fx = Effects::new();
        let launched = self.agent.launch_guest(order, &mut fx);
        self.carry_out(fx);
        launched
    }

    fn kill_guest(&mut self, ids: &[&str]) -> bool {
        let mut fx = Effects::new();
        let killed = self.agent.kill_guest(self.now, &name(ids), &mut fx);
        self.carry_out(fx);
        killed
    }

    fn remove_guest(&mut self, ids: &[&str]) -> Result<usize, StillRunning> {
        let mut fx = Effects::new();
        let removed = self.agent.remove_guest(&name(ids), &mut fx);
        self.carry_out(fx);
        removed.map(|sandboxes| sandboxes.len())
    }

    fn guest(&self, ids: &[&str]) -> Guest {
        self.agent.guest(&name(ids)).unwrap().clone()
    }

    /// Launches a container that runs.
    fn running_guest(&mut self, ids: &[&str]) -> ContainerId {
        self.launch_guest(&order(ids)).unwrap();
        self.start()
    }
}

/// An agent with a task that runs, in this container.
fn with_task() -> (Node, ContainerId) {
    let mut node = Node::registered();
    node.run("t");
    let task = node.start();
    (node, task)
}

fn invalid(refusal: Result<(), GuestRefusal>) -> String {
    match refusal {
        Err(GuestRefusal::Invalid(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_inside_of_a_task_shares_its_limits_and_runs_as_its_user() {
    let (mut node, task) = with_task();
    node.launch_guest(&order(&[task.as_str(), "a"])).unwrap();
    let plan = node.launches[0].clone();
    let parent = plan.parent.clone().unwrap();
    assert_eq!(parent.container, task);
    assert_eq!(plan.user, "nobody", "as the task");
    assert!(plan.rights.share_cgroups, "Mesos' default");
    assert_eq!(
        (plan.limits.cpu_limit, plan.limits.memory_limit),
        (None, None)
    );
    assert_eq!(plan.sandbox.parent(), parent.sandbox.parent());
    let own = ContainerId::new("a").unwrap();
    let shown = Shown::Within {
        sandbox: parent.sandbox,
        name: own,
    };
    assert_eq!(plan.shown, shown);
    let variables: BTreeMap<_, _> = plan.environment.into_iter().collect();
    assert_eq!(variables["MESOS_SANDBOX"], plan.sandbox.to_str().unwrap());
    assert!(
        !variables.contains_key("MESOS_TASK_ID"),
        "nothing is inherited"
    );
    assert_eq!(node.guest(&[task.as_str(), "a"]).phase, Phase::Launching);
    let container = node.start();
    assert_eq!(node.guest(&[task.as_str(), "a"]).phase, Phase::Running);
    assert!(node.agent.live_containers().any(|it| *it == container));
    assert!(
        node.updates()
            .iter()
            .all(|update| update.task_id.as_str() == "t")
    );
}

#[test]
fn limits_are_for_who_does_not_share_the_other_s() {
    let (mut node, task) = with_task();
    let mut with = order(&[task.as_str(), "a"]);
    with.resources = resources("cpus:0.5;mem:64");
    with.limits.insert("mem".to_owned(), 128.0);
    let text = invalid(node.launch_guest(&with));
    assert!(text.contains("share_cgroups"), "{text}");
    with.container = Some(apart());
    node.launch_guest(&with).unwrap();
    let limits = node.launches[0].limits;
    assert_eq!(limits.cpus.as_f64(), 0.5);
    assert_eq!(limits.cpu_limit.unwrap().as_f64(), 0.5);
    assert_eq!(limits.memory_limit.unwrap().as_f64(), 128.0);
    for (key, limit, words) in [
        ("disk", 1.0, "There is no limit for 'disk'"),
        ("mem", 32.0, "is less than what is asked for"),
        ("cpus", f64::NAN, "limits[cpus]"),
    ] {
        let mut wrong = order(&[task.as_str(), "b"]);
        wrong.container = Some(apart());
        wrong.resources = resources("cpus:1;mem:64");
        wrong.limits.insert(key.to_owned(), limit);
        let text = invalid(node.launch_guest(&wrong));
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn one_alone_is_given_nothing_of_what_is_offered() {
    let mut node = Node::registered();
    let mut alone = order(&["alone"]);
    alone.resources = resources("cpus(web):1;mem(web):64");
    let text = invalid(node.launch_guest(&alone));
    assert!(text.contains("only unreserved resources"), "{text}");
    alone.resources = resources("cpus:1000;mem:64");
    node.launch_guest(&alone).unwrap();
    let plan = node.launches[0].clone();
    assert_eq!((plan.parent, plan.shown), (None, Shown::Alone));
    assert_eq!(plan.sandbox, node.config.work_dir.join("containers/alone"));
    assert_eq!(plan.user, "root", "as the agent");
    node.start();
    node.agent.check().unwrap();
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let (mut node, task) = with_task();
    let text = invalid(node.launch_guest(&order(&["no", "a"])));
    assert_eq!(text, "Parent container no does not exist");
    let mut nothing = order(&[task.as_str(), "a"]);
    nothing.command = None;
    assert_eq!(
        invalid(node.launch_guest(&nothing)),
        "The command has no value"
    );
    let mut network = order(&[task.as_str(), "a"]);
    network.container = Some(v1::ContainerInfo {
        network_infos: vec![v1::NetworkInfo {
            name: Some("web".to_owned()),
            ..v1::NetworkInfo::default()
        }],
        ..apart()
    });
    assert!(invalid(node.launch_guest(&network)).contains("networks"));
    assert!(node.launches.is_empty() && node.agent.guests().next().is_none());
    let task = task.as_str();
    let exists = |refusal| matches!(refusal, Err(GuestRefusal::Exists(_)));
    assert!(exists(node.launch_guest(&order(&[task]))), "the task's own");
    node.launch_guest(&order(&[task, "a"])).unwrap();
    assert!(exists(node.launch_guest(&order(&[task, "a"]))));
    let text = invalid(node.launch_guest(&order(&[task, "a", "b"])));
    assert!(text.ends_with("is not running"), "{text}");
}

#[test]
fn they_end_with_what_they_are_inside_of() {
    let (mut node, task) = with_task();
    let outer = node.running_guest(&[task.as_str(), "a"]);
    let inner = node.running_guest(&[task.as_str(), "a", "b"]);
    node.signals.clear();
    node.exit(&task, Exit::code(0));
    assert_eq!(node.signals, [("KILL", outer.clone())]);
    node.exit(&outer, Exit::signal(9));
    assert_eq!(node.signals[1], ("KILL", inner.clone()));
    assert_eq!(
        node.remove_guest(&[task.as_str(), "a"]),
        Err(StillRunning),
        "one inside of it has not ended"
    );
    node.exit(&inner, Exit::signal(9));
    assert!(
        !node.containers.contains_key(&inner),
        "nothing is left of it"
    );
    let end = node.guest(&[task.as_str(), "a", "b"]).end;
    assert_eq!(end, Some(GuestEnd::Exited(Exit::signal(9))));
    assert_eq!(node.remove_guest(&[task.as_str(), "a"]), Ok(2));
    assert!(node.agent.guests().next().is_none());
}

#[test]
fn a_kill_is_repeated_until_it_ends_and_gives_up_a_launch() {
    let mut node = Node::registered();
    node.launch_guest(&order(&["a"])).unwrap();
    assert!(node.kill_guest(&["a"]));
    assert_eq!(node.abandoned.len(), 1, "its image is not waited for");
    let container = node.start();
    let kills = |node: &Node| node.signals.iter().filter(|it| it.0 == "KILL").count();
    let before = kills(&node);
    assert!(before > 0, "it came up all the same");
    node.pass(limits::KILL_AGAIN.as_secs());
    assert!(kills(&node) > before);
    node.exit(&container, Exit::signal(9));
    let after = kills(&node);
    node.pass(60);
    assert_eq!(kills(&node), after);
    assert!(!node.kill_guest(&["a"]));
    node.launch_guest(&order(&["b"])).unwrap();
    let container = node.launches[0].container.clone();
    let message = "no such image".to_owned();
    node.container(
        &container,
        ContainerEvent::LaunchFailed {
            message: message.clone(),
        },
    );
    assert_eq!(node.guest(&["b"]).end, Some(GuestEnd::Failed(message)));
}

#[test]
fn the_next_agent_finds_them_again() {
    let (mut node, task) = with_task();
    let task = task.as_str();
    let runs = node.running_guest(&[task, "runs"]);
    let alone = node.running_guest(&["alone"]);
    let over = node.running_guest(&[task, "over"]);
    node.launch_guest(&order(&[task, "unborn"])).unwrap();
    node.exit(&over, Exit::code(3));
    node.restart();
    for (ids, container) in [(&[task, "runs"][..], &runs), (&["alone"][..], &alone)] {
        let guest = node.guest(ids);
        assert_eq!((guest.phase, &guest.container), (Phase::Running, container));
        assert!(guest.pid.is_some());
    }
    assert_eq!(node.containers[&runs], Machine::Runs, "nobody killed it");
    let end = node.guest(&[task, "over"]).end;
    assert_eq!(end, Some(GuestEnd::Exited(Exit::code(3))));
    let end = node.guest(&[task, "unborn"]).end.unwrap();
    assert!(matches!(end, GuestEnd::Failed(text) if text.contains("restarted")));
    node.exit(&runs, Exit::code(0));
    let end = node.guest(&[task, "runs"]).end;
    assert_eq!(end, Some(GuestEnd::Exited(Exit::code(0))));
    // The machine was restarted: nothing of it is there.
    node.config.boot_id = "next".to_owned();
    node.containers.clear();
    node.restart();
    let end = node.guest(&["alone"]).end;
    assert_eq!(end, Some(GuestEnd::Exited(Exit::unknown())));
}

#[test]
fn one_whose_task_ended_while_no_agent_was_there_is_ended() {
    let (mut node, task) = with_task();
    let guest = node.running_guest(&[task.as_str(), "a"]);
    node.containers.remove(&task);
    node.signals.clear();
    node.restart();
    assert!(node.signals.contains(&("KILL", guest)));
}

#[test]
fn those_that_have_ended_make_room_and_those_that_run_do_not() {
    let mut node = Node::registered();
    let ids: Vec<String> = (0..limits::MAX_GUESTS).map(|it| format!("n{it}")).collect();
    let mut containers = Vec::new();
    for id in &ids {
        containers.push(node.running_guest(&[id]));
    }
    let full = node.launch_guest(&order(&["more"])).unwrap_err();
    assert_eq!(full, GuestRefusal::Full);
    for at in [3, 4] {
        node.exit(&containers[at], Exit::code(0));
    }
    node.launch_guest(&order(&["more"])).unwrap();
    assert!(node.agent.guest(&name(&["n3"])).is_none());
    assert!(node.agent.guest(&name(&["n4"])).is_some());
}

#[test]
fn an_agent_that_leaves_ends_them_first() {
    let mut node = Node::registered();
    let alone = node.running_guest(&["alone"]);
    node.apply(Event::Leave);
    assert!(!node.left);
    assert!(node.signals.contains(&("KILL", alone.clone())));
    node.exit(&alone, Exit::signal(9));
    assert!(node.left);
}
