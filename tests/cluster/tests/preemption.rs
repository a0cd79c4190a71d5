//! Tasks of a low priority give way to what a higher one asks for: notice, kill, offer, over the
//! real binaries.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{collections::BTreeMap, time::Duration};

use tepui_cluster_tests::{Cluster, PATIENCE};
use tepui_sdk::{
    Driver, Framework, InverseOffer, OfferMatcher, Options, Outcome, Profile, Subscription, Task,
    TaskBuilder, async_trait,
    model::{Filters, Offer, OfferId, Reason, Resources, Role, TaskId, TaskState, TaskStatus},
    v1,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
    time::timeout,
};

/// What a framework of a test hears.
#[derive(Debug)]
enum Heard {
    Offer(Box<Offer>),
    Update(Box<TaskStatus>),
    Notice(Box<InverseOffer>),
    NoticeOver(OfferId),
}

/// It launches what it has to, says what it waits for, and tells all that it hears.
struct Scripted {
    tasks: Vec<Task>,
    asks: Vec<v1::Request>,
    heard: UnboundedSender<Heard>,
}

#[async_trait]
impl Framework for Scripted {
    async fn subscribed(&mut self, driver: &Driver, _: Subscription) -> Outcome {
        if !self.asks.is_empty() {
            driver.request(self.asks.clone()).await;
        }
        Ok(())
    }

    async fn offers(&mut self, driver: &Driver, offers: Vec<Offer>) -> Outcome {
        for offer in &offers {
            let _ = self.heard.send(Heard::Offer(Box::new(offer.clone())));
        }
        let mut matcher = OfferMatcher::new(offers);
        self.tasks.retain(|task| matcher.place(task).is_none());
        let refuse = Filters::refuse(Duration::from_secs(600));
        driver.apply(matcher.finish(), refuse).await;
        Ok(())
    }

    async fn update(&mut self, _: &Driver, status: TaskStatus) -> Outcome {
        let _ = self.heard.send(Heard::Update(Box::new(status)));
        Ok(())
    }

    async fn inverse_offers(&mut self, _: &Driver, offers: Vec<InverseOffer>) -> Outcome {
        for offer in offers {
            let _ = self.heard.send(Heard::Notice(Box::new(offer)));
        }
        Ok(())
    }

    async fn inverse_rescinded(&mut self, _: &Driver, offer: OfferId) -> Outcome {
        let _ = self.heard.send(Heard::NoticeOver(offer));
        Ok(())
    }
}

struct Running {
    heard: UnboundedReceiver<Heard>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    fn start(
        cluster: &Cluster,
        profile: Profile,
        scripted: impl FnOnce(UnboundedSender<Heard>) -> Scripted,
    ) -> Self {
        let (sender, heard) = unbounded_channel();
        let options = Options::new(cluster.master.address(), profile).unwrap();
        let mut framework = scripted(sender);
        let task = tokio::spawn(async move {
            tepui_sdk::run(options, &mut framework).await.unwrap();
        });
        Self { heard, task }
    }

    async fn next(&mut self) -> Heard {
        let next = timeout(PATIENCE, self.heard.recv()).await;
        next.expect("it hears something in time").expect("it runs")
    }

    /// The next offer; what else is heard before is passed over.
    async fn offer(&mut self) -> Offer {
        loop {
            if let Heard::Offer(offer) = self.next().await {
                return *offer;
            }
        }
    }

    async fn running(&mut self, count: usize) {
        let mut states = BTreeMap::new();
        while states
            .values()
            .filter(|it| **it == TaskState::Running)
            .count()
            < count
        {
            if let Heard::Update(status) = self.next().await {
                states.insert(status.task_id.clone(), status.state);
            }
        }
    }

    /// The next end of a task, and the notices that came before.
    async fn end(&mut self) -> (TaskStatus, Vec<InverseOffer>) {
        let mut notices = Vec::new();
        loop {
            match self.next().await {
                Heard::Update(status) if status.state.is_terminal() => {
                    return (*status, notices);
                }
                Heard::Notice(notice) => notices.push(*notice),
                _ => {}
            }
        }
    }
}

fn profile(name: &str) -> Profile {
    Profile::new(name).role(&Role::new(name).unwrap())
}

/// A task of one CPU.
fn sleeper(id: &str) -> Task {
    let task = TaskBuilder::new(id).cpus(1.0).memory(256.0);
    let task = task.shell("sleep 1000").kill_grace(Duration::from_secs(1));
    task.build().unwrap()
}

/// Two tasks of role low fill the one agent.
async fn filled(flags: &[&str], low: Profile) -> (Cluster, Running) {
    let cluster = Cluster::start_with(1, flags);
    cluster.tepui(&["priority", "set", "high=10"]).ok();
    let mut low = Running::start(&cluster, low, |heard| Scripted {
        tasks: ["low-0", "low-1"].map(sleeper).into(),
        asks: Vec::new(),
        heard,
    });
    low.running(2).await;
    (cluster, low)
}

fn asks_for(cluster: &Cluster, resources: &str, count: u32) -> Running {
    let resources: Resources = resources.parse().unwrap();
    Running::start(cluster, profile("high"), |heard| Scripted {
        tasks: ["high-0", "high-1"].map(sleeper).into(),
        asks: vec![v1::Request {
            resources: resources.to_proto(None),
            tepui_count: Some(count),
            ..v1::Request::default()
        }],
        heard,
    })
}

const QUICK: [&str; 5] = [
    "--preemption",
    "--preemption-patience",
    "500ms",
    "--preemption-notice",
    "2s",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_priority_gets_its_room_after_notice_and_kill() {
    let (cluster, mut low) = filled(&QUICK, profile("low")).await;
    let mut high = asks_for(&cluster, "cpus:2;mem:512", 1);
    let notice = loop {
        if let Heard::Notice(notice) = low.next().await {
            break *notice;
        }
    };
    assert_eq!(notice.resources, "cpus:2;mem:512".parse().unwrap());
    let told = cluster.tepui(&["explain", "task", "low-0"]).ok();
    assert!(told.contains("Preempted by 'high' in role high"), "{told}");
    let mut ended = BTreeMap::new();
    while ended.len() < 2 {
        let (end, _) = low.end().await;
        assert_eq!(end.reason, Some(Reason::ContainerPreempted), "{end:?}");
        let words = "Preempted by 'high' in role high of priority 10";
        assert!(
            end.message.as_deref().unwrap().starts_with(words),
            "{end:?}"
        );
        ended.insert(end.task_id.clone(), end.state);
    }
    let gone = |id| (TaskId::new(id).unwrap(), TaskState::Gone);
    assert_eq!(ended, [gone("low-0"), gone("low-1")].into());
    let offer = high.offer().await;
    assert_eq!(offer.resources, "cpus:2;mem:512".parse().unwrap());
    let over = loop {
        if let Heard::NoticeOver(id) = low.next().await {
            break id;
        }
    };
    assert_eq!(over, notice.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_budget_of_one_only_one_task_gives_way_at_a_time() {
    let low = profile("low").preemption_budget(1);
    let (cluster, mut low) = filled(&QUICK, low).await;
    let mut high = asks_for(&cluster, "cpus:1;mem:256", 2);
    let (first, notices) = low.end().await;
    assert_eq!((first.state, notices.len()), (TaskState::Gone, 1));
    assert_eq!(
        cluster
            .tasks()
            .iter()
            .filter(|it| it["state"] == "TASK_RUNNING")
            .count(),
        1
    );
    let (second, notices) = low.end().await;
    assert_eq!((second.state, notices.len()), (TaskState::Gone, 1));
    assert_ne!(first.task_id, second.task_id);
    for _ in 0..2 {
        let offer = high.offer().await;
        assert_eq!(offer.resources, "cpus:1;mem:256".parse().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_flag_nobody_gives_way() {
    let flags = ["--preemption-patience", "1ms", "--preemption-notice", "1ms"];
    let (cluster, low) = filled(&flags, profile("low")).await;
    let mut high = asks_for(&cluster, "cpus:2;mem:512", 1);
    let waited = timeout(Duration::from_secs(3), high.heard.recv()).await;
    assert!(waited.is_err(), "{waited:?}");
    assert_eq!(cluster.await_running(2).len(), 2);
    let roles = cluster.tepui(&["roles", "-o", "wide"]).ok();
    let high = roles.lines().find(|line| line.contains("high")).unwrap();
    assert!(high.contains("10"), "{roles}");
    cluster.tepui(&["priority", "unset", "high"]).ok();
    let listed = cluster.tepui(&["priority", "list"]).ok();
    assert!(!listed.contains("high"), "{listed}");
    drop(low);
}
