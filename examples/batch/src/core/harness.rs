//! A core with a store in memory and a clock that a test sets.

use std::collections::BTreeMap;
use std::time::Duration;

use tepui_sdk::{
    model::{
        AgentId, Attributes, FrameworkId, ImageNames, Offer, OfferId, Resources, Role, TaskId,
        TaskState, TaskStatus,
    },
    v1::TaskInfo,
};

use super::*;
use crate::{
    ids::Place,
    plan::{PLAN_VARIABLE, Plan, Report},
};

/// See the module.
pub(super) struct Harness {
    pub(super) core: Core,
    pub(super) now: Time,
    pub(super) store: BTreeMap<(Family, String), Vec<u8>>,
}

/// A task that was launched.
#[derive(Debug, Clone)]
pub(super) struct Launched {
    pub(super) attempt: Attempt,
    pub(super) agent: AgentId,
    pub(super) plan: Plan,
    pub(super) info: TaskInfo,
}

pub(super) fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

/// All of an agent, offered.
pub(super) fn offer(name: &str, resources: &str) -> Offer {
    Offer {
        id: OfferId::new(format!("offer-{name}")).unwrap(),
        framework_id: FrameworkId::new("f").unwrap(),
        agent_id: agent(name),
        hostname: name.to_owned(),
        port: 5051,
        role: Role::default(),
        resources: Resources::parse(resources, &Role::default()).unwrap(),
        attributes: Attributes::default(),
        executor_ids: Vec::new(),
        domain: None,
        unavailability: None,
        images: ImageNames::default(),
    }
}

pub(super) fn status(task: &str, state: TaskState) -> TaskStatus {
    TaskStatus::new(TaskId::new(task).unwrap(), state)
}

/// A job of two maps and two reduces; each task takes one CPU.
pub(super) const TWO_BY_TWO: &str = "{name: j, cpus: 1, retries: 1, input: {lines: [a, b]}, \
     stages: [{map: {builtin: words}, partitions: 2}, {reduce: {builtin: sum}, partitions: 2}]}";

impl Harness {
    /// Subscribed, without a job.
    pub(super) fn new() -> Self {
        let mut harness = Self {
            core: Core::default(),
            now: Time::from_micros(1_000_000),
            store: BTreeMap::new(),
        };
        harness.subscribe();
        harness
    }

    pub(super) fn subscribe(&mut self) -> Vec<String> {
        let framework = FrameworkId::new("f").unwrap();
        names(&self.apply(Event::Subscribed(framework)))
    }

    pub(super) fn with_job(file: &str) -> Self {
        let mut harness = Self::new();
        harness.submit(file).unwrap();
        harness
    }

    pub(super) fn submit(&mut self, file: &str) -> Result<(JobId, Vec<Effect>), SubmitError> {
        let spec = spec::Job::parse(file).unwrap();
        let line = |line: &String| Source::Lines(vec![line.clone()]);
        let sources = spec.input.lines.iter().map(line).collect();
        let mut effects = Effects::new();
        let extent = Extent::default();
        let id = self
            .core
            .submit(self.now, spec, sources, extent, &mut effects)?;
        Ok((id, self.keep(effects)))
    }

    pub(super) fn apply(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Effects::new();
        self.core.apply(self.now, event, &mut effects);
        self.keep(effects)
    }

    /// Makes durable what must be, and proves that it is enough.
    pub(super) fn keep(&mut self, mut effects: Effects) -> Vec<Effect> {
        let (changes, others) = effects.take();
        for change in changes {
            let key = (change.family, change.key);
            match change.value {
                Some(value) => drop(self.store.insert(key, value)),
                None => drop(self.store.remove(&key)),
            }
        }
        self.check();
        others
    }

    /// What is on disk is what is in memory.
    fn check(&self) {
        let stored = self.recover();
        let forget = |job: &Job| Job {
            obstacle: String::new(),
            ..job.clone()
        };
        let by_number: BTreeMap<_, _> = stored
            .jobs
            .into_iter()
            .map(|job| (job.number, job))
            .collect();
        assert!(by_number.into_values().eq(self.core.jobs().map(forget)));
        assert_eq!(stored.last, self.core.last);
    }

    pub(super) fn recover(&self) -> Recovered {
        let of = |family: Family| {
            let records = self.store.iter().filter(|((kind, _), _)| *kind == family);
            records
                .map(|((_, key), value)| (key.clone(), value.clone()))
                .collect()
        };
        Recovered::read(of).unwrap()
    }

    /// The process died and came back.
    pub(super) fn restart(&mut self) -> Vec<Effect> {
        let mut effects = Effects::new();
        self.core = Core::new(self.recover(), &mut effects);
        assert!(self.core.framework().is_some());
        let mut effects = self.keep(effects);
        effects.extend(self.apply(Event::Subscribed(FrameworkId::new("f").unwrap())));
        effects
    }

    pub(super) fn wait(&mut self, span: Duration) -> Vec<Effect> {
        self.now += span;
        self.apply(Event::Wake)
    }

    /// Offers these agents with four CPUs each; what was launched, and where.
    pub(super) fn offer(&mut self, agents: &[&str]) -> Vec<Launched> {
        let offers = agents
            .iter()
            .map(|name| offer(name, "cpus:4;mem:4096"))
            .collect();
        let effects = self.apply(Event::Offers(offers));
        launched(&effects)
    }

    pub(super) fn update(&mut self, task: &str, state: TaskState) -> Vec<Effect> {
        self.apply(Event::Update(status(task, state)))
    }

    /// The task fails and leaves a report.
    pub(super) fn fail(&mut self, task: &str, error: &str, lost: &[(u32, u32)]) -> Vec<Effect> {
        let mut failed = status(task, TaskState::Failed);
        failed.message = Some("Command exited with status 1".into());
        let effects = self.apply(Event::Update(failed));
        assert!(
            names(&effects).contains(&format!("inspect {task}")),
            "{effects:?}"
        );
        let report = Report {
            error: error.to_owned(),
            lost: lost.to_vec(),
        };
        self.apply(Event::Inspected {
            attempt: task.parse().unwrap(),
            report: Some(report),
        })
    }

    pub(super) fn collect(&mut self, task: &str, result: Result<(), String>) -> Vec<Effect> {
        self.apply(Event::Collected {
            attempt: task.parse().unwrap(),
            result,
        })
    }

    pub(super) fn job(&self) -> &Job {
        self.core.jobs().next_back().unwrap()
    }

    pub(super) fn task(&self, stage: u32, partition: u32) -> &Task {
        self.job().task(Place { stage, partition }).unwrap()
    }
}

/// The tasks that these effects launch.
pub(super) fn launched(effects: &[Effect]) -> Vec<Launched> {
    let tasks = effects.iter().filter_map(|effect| match effect {
        Effect::Launch { tasks, .. } => Some(tasks),
        _ => None,
    });
    let read = |info: &TaskInfo| {
        let variables = &info
            .command
            .as_ref()
            .unwrap()
            .environment
            .as_ref()
            .unwrap()
            .variables;
        let plan = variables
            .iter()
            .find(|variable| variable.name == PLAN_VARIABLE)
            .unwrap();
        Launched {
            attempt: info.task_id.value.parse().unwrap(),
            agent: AgentId::try_from(&info.agent_id).unwrap(),
            plan: Plan::decode(plan.value.as_ref().unwrap()).unwrap(),
            info: info.clone(),
        }
    };
    let mut launched: Vec<_> = tasks.flatten().map(read).collect();
    launched.sort_by_key(|launched| launched.attempt.clone());
    launched
}

/// Which task went where: `j-1.0.0.1 on a`.
pub(super) fn shown(launched: &[Launched]) -> Vec<String> {
    launched
        .iter()
        .map(|launched| format!("{} on {}", launched.attempt, launched.agent))
        .collect()
}

/// The effects in a word or two each, without those that only show a job.
pub(super) fn names(effects: &[Effect]) -> Vec<String> {
    let name = |effect: &Effect| match effect {
        Effect::Persist(_) | Effect::Changed(_) => None,
        Effect::Launch { offer, tasks } => Some(format!("launch {} on {offer}", tasks.len())),
        Effect::Decline(offers) => Some(format!("decline {}", offers.len())),
        Effect::Kill(task) => Some(format!("kill {task}")),
        Effect::Inspect(attempt, _) => Some(format!("inspect {attempt}")),
        Effect::Collect(attempt, _) => Some(format!("collect {attempt}")),
        Effect::Revive => Some("revive".into()),
        Effect::Suppress => Some("suppress".into()),
        Effect::Forget(job) => Some(format!("forget {job}")),
    };
    effects.iter().filter_map(name).collect()
}
