//! What frameworks ask the master for. A call is made when it arrives, so that a million tasks on
//! their way take little memory.

use core::{ops::Range, time::Duration};

use tepui_master_core::{
    Action, Answer, ConnectionId, Event, SchedulerCall,
    calls::{Accept, Acknowledge, Ask, Decline, InverseAnswer, Kill, Operation, Subscribe},
};
use tepui_model::{AgentId, Filters, InvalidId, OfferId, OfferOperation, StatusUuid};
use tepui_proto::v1;

use crate::scenario::{master::Kind, queue::Turn, tasks, world::World};

/// How long a framework waits before it tries to subscribe again.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How long a framework that leaves an agent shall not be asked again.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// A call in short.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// To be subscribed.
    Subscribe,
    /// To launch these tasks.
    Launch {
        offer: OfferId,
        agent: AgentId,
        tasks: Range<u32>,
        filters: Filters,
    },
    /// To launch these tasks on their agents, all or none.
    LaunchTogether {
        offers: Vec<OfferId>,
        tasks: Vec<(u32, AgentId)>,
        filters: Filters,
    },
    /// So many tasks, together or not at all.
    Gang(u32),
    /// So many tasks, each wherever it may be.
    Tasks(u32),
    /// Not these.
    Decline {
        offers: Vec<OfferId>,
        filters: Filters,
    },
    /// That an update was heard.
    Acknowledge {
        agent: AgentId,
        task: u32,
        uuid: StatusUuid,
    },
    /// That a task ends.
    Kill(u32),
    /// No offers.
    Suppress,
    /// Offers again.
    Revive,
    /// To say that these agents are left in time.
    Leave(Vec<OfferId>),
}

impl World<'_> {
    pub(super) fn subscribe(&mut self, framework: u32) {
        self.want(framework, Wanted::Subscribe);
    }

    pub(super) fn want(&mut self, framework: u32, wanted: Wanted) {
        let due = self.now + self.latency();
        let node = &mut self.frameworks[framework as usize];
        if node.connection.is_none() {
            return;
        }
        node.outbox.push_back((due, wanted));
        if node.outbox.len() == 1 {
            self.queue.plan(due, Turn::CallsArrive(framework));
        }
    }

    /// The calls of a framework that have arrived at the master.
    pub(in crate::scenario) fn calls_arrive(&mut self, framework: u32) {
        loop {
            let now = self.now;
            let node = &mut self.frameworks[framework as usize];
            let Some(connection) = node.connection else {
                return;
            };
            match node.outbox.front() {
                Some((due, _)) if *due <= now => {}
                Some((due, _)) => {
                    return self.queue.plan(*due, Turn::CallsArrive(framework));
                }
                None => return,
            }
            let Some((_, wanted)) = node.outbox.pop_front() else {
                return;
            };
            if let Some(action) = self.action(framework, wanted) {
                let event = Event::Call {
                    connection: ConnectionId(connection),
                    call: SchedulerCall::from(action),
                };
                self.apply(Kind::Calls, event);
            }
        }
    }

    fn action(&self, framework: u32, wanted: Wanted) -> Option<Action> {
        Some(match wanted {
            Wanted::Subscribe => {
                let node = &self.frameworks[framework as usize];
                let mut subscribe = Subscribe::new(node.info.clone()?);
                if node.is_suppressed {
                    subscribe.suppressed_roles = vec![node.role.clone()];
                }
                Action::Subscribe(Box::new(subscribe))
            }
            Wanted::Launch {
                offer,
                agent,
                tasks,
                filters,
            } => {
                let tasks = tasks.map(|task| self.task_info(task, &agent));
                let tasks = tasks.collect::<Result<_, InvalidId>>().ok()?;
                launch(vec![offer], tasks, filters, false)
            }
            Wanted::LaunchTogether {
                offers,
                tasks,
                filters,
            } => {
                let tasks = tasks
                    .iter()
                    .map(|(task, agent)| self.task_info(*task, agent));
                let tasks = tasks.collect::<Result<_, InvalidId>>().ok()?;
                launch(offers, tasks, filters, true)
            }
            Wanted::Gang(count) => self.request(framework, count, Some("gang"))?,
            Wanted::Tasks(count) => self.request(framework, count, None)?,
            Wanted::Decline { offers, filters } => Action::Decline(Decline { offers, filters }),
            Wanted::Acknowledge { agent, task, uuid } => Action::Acknowledge(Acknowledge {
                agent_id: agent,
                task_id: tasks::id(task).ok()?,
                uuid,
            }),
            Wanted::Kill(task) => Action::Kill(Kill {
                task_id: tasks::id(task).ok()?,
                agent_id: None,
                grace: None,
            }),
            Wanted::Suppress => Action::Suppress(Vec::new()),
            Wanted::Revive => Action::Revive(Vec::new()),
            Wanted::Leave(offers) => Action::AnswerInverseOffers(InverseAnswer {
                offers,
                answer: Answer::Accepted,
                filters: Filters::refuse(ASK_AGAIN),
            }),
        })
    }
}

impl World<'_> {
    /// A REQUEST for so many tasks.
    fn request(&self, framework: u32, count: u32, gang: Option<&str>) -> Option<Action> {
        Some(Action::Request(vec![Ask {
            role: None,
            agent_id: None,
            resources: self.shape_of(framework)?.clone(),
            count,
            gang: gang.map(Into::into),
            priority: 0,
        }]))
    }
}

fn launch(
    offers: Vec<OfferId>,
    tasks: Vec<v1::TaskInfo>,
    filters: Filters,
    all_or_nothing: bool,
) -> Action {
    let launch = Operation {
        id: None,
        kind: OfferOperation::Launch(tasks),
    };
    Action::Accept(Accept {
        offers,
        operations: vec![launch],
        filters,
        all_or_nothing,
    })
}
