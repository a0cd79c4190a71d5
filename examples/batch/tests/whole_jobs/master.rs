//! A master with a few agents, as far as one framework can see it: it offers what is free, launches
//! what is asked for, and says what became of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tepui_sdk::{
    services::{
        ExplainRequest, Explanation, GetPrioritiesRequest, GetPrioritiesResponse, KillTaskRequest,
        KillTaskResponse, OfferChange, UpdatePrioritiesRequest, UpdatePrioritiesResponse,
        WatchEventsRequest, WatchOffersRequest,
        operator_server::{Operator, OperatorServer},
        scheduler_server::{Scheduler, SchedulerServer},
    },
    v1::{
        self, TaskState,
        master::response::{GetFrameworks, get_frameworks},
        scheduler::{Call, Event, call, event, event::Type},
    },
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::{Empty, wrappers::UnboundedReceiverStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};

use super::agent::Agent;

type Outgoing = mpsc::UnboundedSender<Result<Event, Status>>;

/// See the module. A cheap clone.
#[derive(Clone)]
pub(crate) struct Master {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    framework: Option<v1::FrameworkInfo>,
    stream: Option<Outgoing>,
    agents: Vec<Agent>,
    /// Which agent each outstanding offer is of.
    offers: BTreeMap<String, String>,
    offers_made: u64,
    wants_offers: bool,
    /// How many acceptances were ignored, while they are.
    ignored_launches: Option<u32>,
    /// How many tasks may be launched; any number if none is set.
    allowance: Option<usize>,
    tasks: BTreeMap<String, Task>,
}

struct Task {
    agent: String,
    state: TaskState,
    message: String,
    /// Dropping it kills the process.
    end: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Master {
    /// A master with agents of two processors each.
    pub(crate) async fn start(agents: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let master = Self {
            address,
            state: Arc::default(),
        };
        for name in agents {
            let agent = Agent::start(name, 2).await;
            master.state().agents.push(agent);
        }
        let server = Server::builder()
            .add_service(SchedulerServer::new(master.clone()))
            .add_service(OperatorServer::new(master.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        master
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The ids of all tasks that ever ran.
    pub(crate) fn tasks(&self) -> Vec<String> {
        let state = self.state();
        let ran = state
            .tasks
            .iter()
            .filter(|(_, task)| task.state != TaskState::TaskLost);
        ran.map(|(id, _)| id.clone()).collect()
    }

    /// Hears no acceptance of offers any more, as if each were lost on its way.
    pub(crate) fn ignore_launches(&self) {
        self.state().ignored_launches = Some(0);
    }

    /// Waits until an acceptance was ignored, then hears them again.
    pub(crate) async fn hear_launches_after_one(&self) {
        while self.state().ignored_launches == Some(0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.state().ignored_launches = None;
    }

    /// The names of the agents on which tasks of this stage were launched.
    pub(crate) fn agents_of(&self, stage: u32) -> Vec<String> {
        let state = self.state();
        let of_stage = |id: &str| id.rsplit('.').nth(2) == Some(stage.to_string().as_str());
        let tasks = state.tasks.iter().filter(|(id, _)| of_stage(id));
        let mut agents: Vec<_> = tasks.map(|(_, task)| task.agent.clone()).collect();
        agents.sort();
        agents.dedup();
        agents
    }

    /// The agent is gone with all it had, and only who asks for it notices.
    pub(crate) fn lose_agent(&self, name: &str) {
        let mut state = self.state();
        state.agents.retain(|agent| agent.name != name);
        state.offers.retain(|_, agent| agent != name);
    }

    /// Makes no more offers when so many tasks have been launched, as when others have the rest.
    pub(crate) fn offer_until_launched(&self, tasks: usize) {
        let mut state = self.state();
        state.allowance = Some(tasks);
        state.offer();
    }

    /// A stream that another one took the place of is not heard any more (Mesos: FWK-02).
    fn called(&self, call: Call, outgoing: &Outgoing) {
        let current = self.state().stream.clone();
        let is_current = current.is_some_and(|stream| stream.same_channel(outgoing));
        if !is_current && call.r#type() != call::Type::Subscribe {
            return;
        }
        match call.r#type() {
            call::Type::Subscribe => {
                self.state()
                    .subscribe(call.subscribe.unwrap(), outgoing.clone());
            }
            call::Type::Revive => {
                let mut state = self.state();
                state.wants_offers = true;
                state.offer();
            }
            call::Type::Suppress => self.state().wants_offers = false,
            call::Type::Decline => {
                self.state().take_back(&call.decline.unwrap().offer_ids);
            }
            call::Type::Accept => self.accept(call.accept.unwrap()),
            call::Type::Kill => {
                if let Some(task) = self
                    .state()
                    .tasks
                    .get_mut(&call.kill.unwrap().task_id.value)
                {
                    task.end = None;
                }
            }
            call::Type::Reconcile => self.state().reconcile(call.reconcile.unwrap()),
            _ => {}
        }
    }

    fn accept(&self, accept: call::Accept) {
        let mut state = self.state();
        let agent = state.take_back(&accept.offer_ids);
        if let Some(ignored) = &mut state.ignored_launches {
            *ignored += 1;
            return;
        }
        for task in accept
            .operations
            .into_iter()
            .flat_map(|op| op.launch.unwrap().task_infos)
        {
            let id = task.task_id.value.clone();
            let Some(agent) = agent.as_ref().and_then(|name| state.agent(name)) else {
                state
                    .tasks
                    .insert(id.clone(), Task::unknown(TaskState::TaskLost));
                state.tell(&id);
                continue;
            };
            agent.free_cpus -= 1;
            let mut child = agent.run(&task);
            let name = agent.name.clone();
            let (end, ended) = tokio::sync::oneshot::channel();
            let running = Task {
                agent: name,
                state: TaskState::TaskRunning,
                message: String::new(),
                end: Some(end),
            };
            state.tasks.insert(id.clone(), running);
            state.tell(&id);
            let master = self.clone();
            tokio::spawn(async move {
                let status = tokio::select! {
                    status = child.wait() => Some(status.unwrap()),
                    _ = ended => None,
                };
                master.ended(&id, status);
            });
        }
    }

    fn ended(&self, id: &str, status: Option<std::process::ExitStatus>) {
        let mut state = self.state();
        let task = state.tasks.get_mut(id).unwrap();
        let (agent, message) = (task.agent.clone(), status.map(|s| format!("Command: {s}")));
        task.state = match status {
            None => TaskState::TaskKilled,
            Some(status) if status.success() => TaskState::TaskFinished,
            Some(_) => TaskState::TaskFailed,
        };
        task.message = message.unwrap_or_default();
        if let Some(agent) = state.agent(&agent) {
            agent.free_cpus += 1;
        }
        state.tell(id);
        state.offer();
    }
}

impl Task {
    /// A task that never ran.
    fn unknown(state: TaskState) -> Self {
        let message = "there is no such task or agent".to_owned();
        Self {
            agent: "none".into(),
            state,
            message,
            end: None,
        }
    }
}

impl State {
    fn agent(&mut self, name: &str) -> Option<&mut Agent> {
        self.agents.iter_mut().find(|agent| agent.name == name)
    }

    fn subscribe(&mut self, subscribe: call::Subscribe, outgoing: Outgoing) {
        let subscribed = event::Subscribed {
            framework_id: v1::FrameworkId { value: "f".into() },
            heartbeat_interval_seconds: Some(15.0),
            master_info: None,
        };
        self.framework = Some(subscribe.framework_info);
        self.stream = Some(outgoing);
        self.offers.clear();
        self.send(Event {
            subscribed: Some(subscribed),
            ..of(Type::Subscribed)
        });
        self.wants_offers = true;
        self.offer();
    }

    fn send(&self, event: Event) {
        if let Some(stream) = &self.stream {
            // A framework that went away hears nothing.
            let _ = stream.send(Ok(event));
        }
    }

    /// Offers all that is free and not offered yet.
    fn offer(&mut self) {
        let is_enough = self.allowance.is_some_and(|most| self.tasks.len() >= most);
        if !self.wants_offers || is_enough {
            return;
        }
        let mut offers = Vec::new();
        for agent in &self.agents {
            if agent.free_cpus == 0 || self.offers.values().any(|name| *name == agent.name) {
                continue;
            }
            self.offers_made += 1;
            let offer = offer(self.offers_made, agent);
            self.offers
                .insert(offer.id.value.clone(), agent.name.clone());
            offers.push(offer);
        }
        if !offers.is_empty() {
            let offers = event::Offers { offers };
            self.send(Event {
                offers: Some(offers),
                ..of(Type::Offers)
            });
        }
    }

    /// Whose offers these were.
    fn take_back(&mut self, offers: &[v1::OfferId]) -> Option<String> {
        offers
            .iter()
            .filter_map(|id| self.offers.remove(&id.value))
            .last()
    }

    /// Says how the tasks that were named are, or all that are known; one that is named and not
    /// known is gone, for every agent is registered (Mesos: REC-02).
    fn reconcile(&self, asked: call::Reconcile) {
        let named = asked.tasks.into_iter().map(|task| task.task_id.value);
        let mut ids: Vec<String> = named.collect();
        if ids.is_empty() {
            ids = self.tasks.keys().cloned().collect();
        }
        for id in ids {
            if self.tasks.contains_key(&id) {
                self.tell(&id);
            } else {
                self.say(&id, &Task::unknown(TaskState::TaskGone));
            }
        }
    }

    fn tell(&self, id: &str) {
        self.say(id, &self.tasks[id]);
    }

    fn say(&self, id: &str, task: &Task) {
        let status = v1::TaskStatus {
            task_id: v1::TaskId {
                value: id.to_owned(),
            },
            state: task.state.into(),
            message: Some(task.message.clone()),
            agent_id: Some(v1::AgentId {
                value: task.agent.clone(),
            }),
            ..Default::default()
        };
        self.send(Event {
            update: Some(event::Update { status }),
            ..of(Type::Update)
        });
    }
}

fn of(kind: Type) -> Event {
    Event {
        r#type: Some(kind.into()),
        ..Default::default()
    }
}

fn offer(number: u64, agent: &Agent) -> v1::Offer {
    let scalar = |name: &str, value: f64| v1::Resource {
        name: name.to_owned(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(v1::value::Scalar { value }),
        allocation_info: Some(v1::resource::AllocationInfo {
            role: Some("*".into()),
        }),
        ..Default::default()
    };
    let address = v1::Address {
        hostname: Some("127.0.0.1".into()),
        ip: None,
        port: agent.port.into(),
    };
    v1::Offer {
        id: v1::OfferId {
            value: format!("o{number}"),
        },
        framework_id: v1::FrameworkId { value: "f".into() },
        agent_id: v1::AgentId {
            value: agent.name.clone(),
        },
        hostname: "127.0.0.1".into(),
        url: Some(v1::Url {
            scheme: "http".into(),
            address,
            ..Default::default()
        }),
        resources: vec![
            scalar("cpus", agent.free_cpus.into()),
            scalar("mem", 4096.0),
        ],
        allocation_info: Some(v1::resource::AllocationInfo {
            role: Some("*".into()),
        }),
        ..Default::default()
    }
}

#[tonic::async_trait]
impl Scheduler for Master {
    type OpenStream = UnboundedReceiverStream<Result<Event, Status>>;

    async fn open(
        &self,
        request: Request<Streaming<Call>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        let (outgoing, events) = mpsc::unbounded_channel();
        let (master, mut calls) = (self.clone(), request.into_inner());
        tokio::spawn(async move {
            while let Ok(Some(call)) = calls.message().await {
                master.called(call, &outgoing);
            }
        });
        Ok(Response::new(UnboundedReceiverStream::new(events)))
    }
}

#[tonic::async_trait]
impl Operator for Master {
    type WatchOffersStream = Empty<Result<OfferChange, Status>>;
    type WatchEventsStream = Empty<Result<v1::master::Event, Status>>;

    /// GET_FRAMEWORKS, whatever was asked.
    async fn call(
        &self,
        _request: Request<v1::master::Call>,
    ) -> Result<Response<v1::master::Response>, Status> {
        let framework = |framework_info| get_frameworks::Framework {
            framework_info,
            connected: true,
            ..Default::default()
        };
        let frameworks = self
            .state()
            .framework
            .clone()
            .map(framework)
            .into_iter()
            .collect();
        let get_frameworks = GetFrameworks {
            frameworks,
            ..Default::default()
        };
        let response = v1::master::Response {
            get_frameworks: Some(get_frameworks),
            ..Default::default()
        };
        Ok(Response::new(response))
    }

    async fn explain(
        &self,
        _request: Request<ExplainRequest>,
    ) -> Result<Response<Explanation>, Status> {
        Err(Status::unimplemented("nobody here asks why"))
    }

    async fn update_priorities(
        &self,
        _request: Request<UpdatePrioritiesRequest>,
    ) -> Result<Response<UpdatePrioritiesResponse>, Status> {
        Err(Status::unimplemented("this master is played"))
    }

    async fn get_priorities(
        &self,
        _request: Request<GetPrioritiesRequest>,
    ) -> Result<Response<GetPrioritiesResponse>, Status> {
        Err(Status::unimplemented("this master is played"))
    }

    async fn kill_task(
        &self,
        _request: Request<KillTaskRequest>,
    ) -> Result<Response<KillTaskResponse>, Status> {
        Err(Status::unimplemented("this master is played"))
    }

    async fn watch_offers(
        &self,
        _request: Request<WatchOffersRequest>,
    ) -> Result<Response<Self::WatchOffersStream>, Status> {
        Err(Status::unimplemented("this master is played"))
    }

    async fn watch_events(
        &self,
        _request: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        Err(Status::unimplemented("this master is played"))
    }
}
