//! Frameworks by behaviour: what they want, and what they do with their offers.

mod asks;
mod calls;
mod gang;
mod hear;
mod thinking;

use std::collections::VecDeque;

use tepui_master_core::FrameworkEvent;
use tepui_model::{
    AgentId, Capabilities, Capability, FrameworkId, FrameworkInfo, InvalidId, Resources, Role, Time,
};
use tepui_proto::v1;

use super::{
    file::{Behaviour, FrameworkGroup, capability, expand},
    queue::Turn,
    tasks,
    world::{Peer, World},
};

/// How long a framework may be away.
const FAILOVER_SECONDS: f64 = 3600.0;

/// One framework.
#[derive(Debug)]
pub(super) struct FrameworkNode {
    pub(super) group: u32,
    pub(super) role: Role,
    /// The place of the role in the books.
    pub(super) role_at: usize,
    pub(super) info: Option<FrameworkInfo>,
    pub(super) id: Option<FrameworkId>,
    pub(super) connection: Option<u64>,
    /// Work that is not launched: since when, and how many tasks.
    backlog: VecDeque<(Time, u32)>,
    /// The tasks of the backlog.
    pub(super) pending: u64,
    jobs_left: u32,
    is_suppressed: bool,
    /// How many tasks the master has been asked for, and has not given room for.
    asked: u32,
    gang: gang::Gang,
    thoughts: thinking::Thoughts,
    inbox: VecDeque<(Time, FrameworkEvent)>,
    outbox: VecDeque<(Time, calls::Wanted)>,
}

impl FrameworkNode {
    pub(super) fn is_partition_aware(&self) -> bool {
        let info = self.info.as_ref();
        info.is_some_and(|info| info.capabilities.has(Capability::PartitionAware))
    }

    /// For how long a gang has run in part.
    pub(super) fn partly(&self, now: Time) -> Option<f64> {
        self.gang.partly(now)
    }

    /// So many tasks wait to be launched.
    pub(super) fn want(&mut self, since: Time, count: u32) {
        self.pending += u64::from(count);
        self.backlog.push_back((since, count));
    }

    /// The longest waiting tasks, at most so many: since when each waits.
    fn take(&mut self, most: u32) -> Vec<Time> {
        let mut taken = Vec::new();
        while let Some((since, count)) = self.backlog.front_mut() {
            let part = (*count).min(most - taken.len() as u32);
            taken.extend((0..part).map(|_| *since));
            *count -= part;
            if *count > 0 {
                break;
            }
            self.backlog.pop_front();
        }
        self.pending -= taken.len() as u64;
        taken
    }
}

impl World<'_> {
    /// Every framework of the scenario, each with the time at which it comes.
    pub(super) fn place_frameworks(&mut self) {
        let scenario = self.scenario;
        for (group_number, group) in (0..).zip(&scenario.frameworks) {
            for number in 0..group.count {
                let framework = self.frameworks.len() as u32;
                let Some(node) = self.place_framework(group_number, group, number) else {
                    continue;
                };
                self.frameworks.push(node);
                let at = self.now + group.arrive + group.gap * number;
                self.queue.plan(at, Turn::FrameworkComes(framework));
                if matches!(
                    group.behaviour,
                    Behaviour::Service | Behaviour::Batch | Behaviour::Gang | Behaviour::Flapping
                ) {
                    self.queue.plan(at, Turn::Submit(framework));
                }
            }
        }
    }

    /// A scenario that was checked has no invalid names.
    fn place_framework(
        &self,
        group_number: u32,
        group: &FrameworkGroup,
        number: u32,
    ) -> Option<FrameworkNode> {
        let role = expand(&group.role, number);
        Some(FrameworkNode {
            group: group_number,
            role_at: self.measures.role(&role)?,
            role: Role::new(&role).ok()?,
            info: Some(describe(group, number, &role)?),
            id: None,
            connection: None,
            backlog: VecDeque::new(),
            pending: 0,
            jobs_left: group.jobs.unwrap_or(1),
            is_suppressed: false,
            asked: 0,
            gang: gang::Gang::default(),
            thoughts: thinking::Thoughts::default(),
            inbox: VecDeque::new(),
            outbox: VecDeque::new(),
        })
    }

    pub(super) fn group_of(&self, framework: u32) -> &FrameworkGroup {
        &self.scenario.frameworks[self.frameworks[framework as usize].group as usize]
    }

    /// What one of its tasks takes.
    pub(super) fn shape_of(&self, framework: u32) -> Option<&Resources> {
        self.group_of(framework).task.as_ref()
    }

    /// A task as its framework describes it.
    pub(super) fn task_info(
        &self,
        number: u32,
        agent: &AgentId,
    ) -> Result<v1::TaskInfo, InvalidId> {
        let shape = self.shape_of(self.tasks[number as usize].framework);
        let command = v1::CommandInfo {
            value: Some("sleep".to_owned()),
            ..v1::CommandInfo::default()
        };
        Ok(v1::TaskInfo {
            name: "task".to_owned(),
            task_id: (&tasks::id(number)?).into(),
            agent_id: agent.into(),
            resources: shape.map(|shape| shape.to_proto(None)).unwrap_or_default(),
            command: Some(command),
            ..v1::TaskInfo::default()
        })
    }

    /// The next job, or the tasks of a service.
    pub(super) fn submit(&mut self, framework: u32) {
        let group = self.group_of(framework);
        let (tasks, every) = (group.tasks.unwrap_or(0), group.every);
        let now = self.now;
        let node = &mut self.frameworks[framework as usize];
        node.want(now, tasks);
        node.jobs_left = node.jobs_left.saturating_sub(1);
        if let Some(every) = every.filter(|_| node.jobs_left > 0) {
            self.after(every, Turn::Submit(framework));
        }
        self.state_demand(framework);
    }

    /// Subscribes, if the master is there.
    pub(super) fn framework_comes(&mut self, framework: u32) {
        if self.frameworks[framework as usize].connection.is_some() {
            return;
        }
        if !self.master.is_up() {
            return self.after(calls::TRY_AGAIN, Turn::FrameworkComes(framework));
        }
        let connection = self.connect(Peer::Framework(framework));
        let asks = self.is_gang(framework) || self.is_asker(framework);
        let node = &mut self.frameworks[framework as usize];
        node.connection = Some(connection);
        node.is_suppressed = asks;
        (node.gang.is_asked, node.asked) = (false, 0);
        self.subscribe(framework);
        if let Some(up) = self.group_of(framework).up {
            self.after(up, Turn::FrameworkLeaves(framework));
        }
    }

    /// A flapping framework goes away; the master hears of it.
    pub(super) fn framework_leaves(&mut self, framework: u32) {
        let down = self.group_of(framework).down;
        let Some(connection) = self.disconnect(framework) else {
            return;
        };
        self.after(self.latency(), Turn::FrameworkGone(connection));
        if let Some(down) = down {
            self.after(down, Turn::FrameworkComes(framework));
        }
    }

    /// The master has ended the stream.
    pub(super) fn framework_cut_off(&mut self, framework: u32, connection: u64) {
        let node = &self.frameworks[framework as usize];
        if node.connection != Some(connection) {
            return;
        }
        self.disconnect(framework);
        self.after(calls::TRY_AGAIN, Turn::FrameworkComes(framework));
    }

    /// What was on its way in either direction is lost; tasks that were to be launched are to be
    /// launched still.
    pub(super) fn disconnect(&mut self, framework: u32) -> Option<u64> {
        let node = &mut self.frameworks[framework as usize];
        let connection = node.connection.take()?;
        node.inbox.clear();
        node.thoughts.forget();
        for (_, wanted) in core::mem::take(&mut node.outbox) {
            match wanted {
                calls::Wanted::Launch { tasks, .. } => tasks.for_each(|task| self.give_up(task)),
                calls::Wanted::LaunchTogether { tasks, .. } => {
                    tasks.into_iter().for_each(|(task, _)| self.give_up(task));
                    self.break_up_gang(framework);
                }
                _ => {}
            }
        }
        Some(connection)
    }
}

/// What a framework says of itself.
fn describe(group: &FrameworkGroup, number: u32, role: &str) -> Option<FrameworkInfo> {
    let name = match group.count {
        1 => group.name.clone(),
        _ => format!("{}-{number}", group.name),
    };
    let named = group
        .capabilities
        .iter()
        .filter_map(|name| capability(name));
    let capabilities: Capabilities = named.chain([Capability::MultiRole]).collect();
    let wire = v1::FrameworkInfo {
        user: "nobody".to_owned(),
        name,
        roles: vec![role.to_owned()],
        failover_timeout: Some(FAILOVER_SECONDS),
        capabilities: capabilities.to_proto(),
        tepui_optimistic_offers: group.optimistic.then_some(true),
        tepui_preemption_budget: group.budget,
        ..v1::FrameworkInfo::default()
    };
    FrameworkInfo::try_from(wire).ok()
}
