//! Task groups over the real binaries: containers that share what their executor's has, and of
//! which none goes on alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

mod living;

use std::collections::BTreeMap;

use tepui_cluster_tests::{Cluster, PATIENCE, can_isolate, eventually};
use tepui_sdk::{
    Driver, Event, Events, Operations, Options, Profile, default_executor,
    model::{ExecutorId, Filters, Offer, Resources, TaskState, TaskStatus},
    v1,
};

/// A framework that launches groups.
struct Framework {
    driver: Driver,
    events: Events,
    offers: Vec<Offer>,
    newest: BTreeMap<String, TaskStatus>,
}

impl Framework {
    fn subscribe(cluster: &Cluster) -> Self {
        let profile = Profile::new("pods").user("root");
        let options = Options::new(cluster.master.address(), profile).unwrap();
        let (driver, events) = tepui_sdk::connect(options);
        Self {
            driver,
            events,
            offers: Vec::new(),
            newest: BTreeMap::new(),
        }
    }

    /// The next update; offers are kept.
    async fn update(&mut self) -> Option<TaskStatus> {
        let event = tokio::time::timeout(PATIENCE, self.events.next()).await;
        match event.expect("it hears nothing").unwrap().unwrap() {
            Event::Update(status) => {
                self.newest
                    .insert(status.task_id.to_string(), status.clone());
                return Some(status);
            }
            Event::Offers(offers) => self.offers.extend(offers),
            Event::Rescinded(id) => self.offers.retain(|offer| offer.id != id),
            _ => {}
        }
        None
    }

    /// Launches a group of tasks, by their ids and lines of shell.
    async fn launch(&mut self, executor: &str, lines: &[(&str, String)]) {
        let tasks = |offer: &Offer| {
            let tasks = lines.iter().map(|(id, line)| task(id, offer, line));
            tasks.collect()
        };
        self.launch_all(executor, tasks).await;
    }

    /// Launches a group of tasks that are made for an offer.
    async fn launch_all(
        &mut self,
        executor: &str,
        tasks: impl FnOnce(&Offer) -> Vec<v1::TaskInfo>,
    ) {
        let least: Resources = "cpus:0.5;mem:160;disk:32".parse().unwrap();
        let offer = loop {
            let fits = |offer: &Offer| offer.resources.contains(&least);
            if let Some(at) = self.offers.iter().position(fits) {
                break self.offers.swap_remove(at);
            }
            self.update().await;
        };
        let own = "cpus:0.05;mem:32;disk:8".parse().unwrap();
        let mut info = default_executor(&ExecutorId::new(executor).unwrap(), &own);
        // A network with nobody else in it: what the tasks say there is among them.
        info.container = Some(v1::ContainerInfo {
            r#type: v1::container_info::Type::Mesos.into(),
            network_infos: vec![v1::NetworkInfo {
                name: Some("none".to_owned()),
                ..v1::NetworkInfo::default()
            }],
            ..v1::ContainerInfo::default()
        });
        let operations = Operations::new().launch_group(info, tasks(&offer));
        self.driver
            .accept_operations(vec![offer.id], operations, Filters::NONE)
            .await;
    }

    /// Waits until a task's newest status is one like this, and gives it.
    async fn reach(&mut self, id: &str, like: impl Fn(&TaskStatus) -> bool) -> TaskStatus {
        loop {
            if let Some(status) = self.newest.get(id).filter(|it| like(it)) {
                return status.clone();
            }
            self.update().await;
        }
    }

    /// Waits until these tasks are in these states, passing over the states before.
    async fn await_states(&mut self, wanted: &[(&str, TaskState)]) {
        let mut last = BTreeMap::new();
        let is_there = |last: &BTreeMap<String, TaskState>| {
            wanted
                .iter()
                .all(|(id, state)| last.get(*id) == Some(state))
        };
        while !is_there(&last) {
            if let Some(status) = self.update().await {
                let message = status.message.unwrap_or_default();
                let id = status.task_id.to_string();
                let ended = last
                    .get(&id)
                    .is_some_and(|state: &TaskState| state.is_terminal());
                assert!(!ended, "{id} ended before: {last:?} {message}");
                println!("{id} {:?} {message}", status.state);
                last.insert(id, status.state);
                let odd = wanted.iter().any(|(id, state)| {
                    let known = last.get(*id).filter(|known| known.is_terminal());
                    known.is_some_and(|known| known != state)
                });
                assert!(!odd, "{last:?} {message}");
            }
        }
    }
}

fn task(id: &str, offer: &Offer, line: &str) -> v1::TaskInfo {
    let resources: Resources = "cpus:0.1;mem:32;disk:8".parse().unwrap();
    let shared = v1::Volume {
        mode: v1::volume::Mode::Rw.into(),
        container_path: "shared".to_owned(),
        source: Some(v1::volume::Source {
            r#type: Some(v1::volume::source::Type::SandboxPath.into()),
            sandbox_path: Some(v1::volume::source::SandboxPath {
                r#type: Some(v1::volume::source::sandbox_path::Type::Parent.into()),
                path: "common".to_owned(),
            }),
            ..v1::volume::Source::default()
        }),
        ..v1::Volume::default()
    };
    v1::TaskInfo {
        name: id.to_owned(),
        task_id: v1::TaskId {
            value: id.to_owned(),
        },
        agent_id: (&offer.agent_id).into(),
        resources: resources.to_proto(None),
        command: Some(v1::CommandInfo {
            value: Some(line.to_owned()),
            ..v1::CommandInfo::default()
        }),
        container: Some(v1::ContainerInfo {
            r#type: v1::container_info::Type::Mesos.into(),
            volumes: vec![shared],
            ..v1::ContainerInfo::default()
        }),
        ..v1::TaskInfo::default()
    }
}

/// Runs a conversation with a cluster of one agent, where containers can be made.
fn talk(conversation: impl AsyncFnOnce(&mut Cluster, &mut Framework)) {
    if !can_isolate() {
        return;
    }
    let mut cluster = Cluster::start(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut framework = Framework::subscribe(&cluster);
        conversation(&mut cluster, &mut framework).await;
    });
}

const STAY: &str = "exec sleep 1000";

#[test]
fn two_of_a_group_talk_over_their_own_localhost_and_share_a_folder() {
    talk(async |cluster, framework| {
        let server = "echo words > shared/page; cd shared; \
                      exec busybox httpd -f -p 127.0.0.1:7272 -h .";
        let client = "until busybox wget -q -O - http://127.0.0.1:7272/page; \
                      do sleep 0.05; done; cat shared/page; sleep 1000";
        let lines = [("server", server.to_owned()), ("client", client.to_owned())];
        framework.launch("e", &lines).await;
        let running = ["server", "client"].map(|id| (id, TaskState::Running));
        framework.await_states(&running).await;
        eventually("the one heard the other", || {
            (cluster.tepui(&["logs", "client"]).output == "words\nwords\n").then_some(())
        });
        // Each is its own container, to look into.
        let ran = cluster.tepui(&["exec", "client", "--", "cat", "stdout"]);
        assert_eq!(ran.ok(), "words\nwords\n");
        cluster.tepui(&["kill", "server"]).ok();
        let killed = ["server", "client"].map(|id| (id, TaskState::Killed));
        framework.await_states(&killed).await;
        // With the last task the executor is gone, and what it took is offered again.
        framework
            .launch("again", &[("after", "true".to_owned())])
            .await;
        framework
            .await_states(&[("after", TaskState::Finished)])
            .await;
    });
}

#[test]
fn one_that_fails_ends_its_group_and_no_other() {
    talk(async |_, framework| {
        framework
            .launch("other", &[("other", STAY.to_owned())])
            .await;
        framework
            .await_states(&[("other", TaskState::Running)])
            .await;
        let fails = "while [ ! -e shared/go ]; do sleep 0.02; done; exit 3".to_owned();
        let lets = format!("touch shared/go; {STAY}");
        framework
            .launch("e", &[("fails", fails), ("stays", lets)])
            .await;
        let ends = [("fails", TaskState::Failed), ("stays", TaskState::Killed)];
        framework.await_states(&ends).await;
        framework
            .launch("third", &[("third", "true".to_owned())])
            .await;
        framework
            .await_states(&[("third", TaskState::Finished)])
            .await;
    });
}

#[test]
fn a_group_outlives_the_agent_and_the_master() {
    talk(async |cluster, framework| {
        let line = "while [ ! -e shared/go ]; do sleep 0.02; done; exit 0".to_owned();
        framework
            .launch("e", &[("one", line.clone()), ("two", line)])
            .await;
        let running = ["one", "two"].map(|id| (id, TaskState::Running));
        framework.await_states(&running).await;
        cluster.agents[0].kill_hard();
        cluster.master.kill_hard();
        cluster.master.start_again();
        cluster.agents[0].start_again();
        cluster.await_agents(1);
        cluster.await_running(2);
        cluster
            .tepui(&["exec", "one", "--", "touch", "shared/go"])
            .ok();
        let finished = ["one", "two"].map(|id| (id, TaskState::Finished));
        framework.await_states(&finished).await;
    });
}
