//! Containers that do what a test tells them to.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex, MutexGuard},
};

use tepui_agent_core::{Exit, FoundContainer, JoinedNetwork};
use tepui_containers::{
    LaunchError, Limits, Session, SessionSpec, Signal, Spec, TerminalInput, TerminalOutput, Usage,
};
use tepui_model::ContainerId;
use tokio::sync::watch;

use crate::machine::Containers;

/// Containers that do what a test tells them to. They survive the agent, as real ones do.
#[derive(Clone, Debug, Default)]
pub(super) struct Fake(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(super) struct State {
    containers: BTreeMap<ContainerId, watch::Sender<Option<Exit>>>,
    pub(super) specs: Vec<Spec>,
    pub(super) signals: Vec<(&'static str, ContainerId)>,
    pub(super) updates: Vec<(ContainerId, Limits)>,
    /// What every launch fails with.
    pub(super) refuse: Option<String>,
    /// How many removals fail before one succeeds.
    pub(super) busy: u32,
}

impl Fake {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The newest container of a task.
    pub(super) fn container_of(&self, task: &str) -> ContainerId {
        self.spec_of(task).id
    }

    pub(super) fn spec_of(&self, task: &str) -> Spec {
        let name = ("MESOS_TASK_ID".to_owned(), task.to_owned());
        let state = self.state();
        state
            .specs
            .iter()
            .rfind(|spec| spec.environment.contains(&name))
            .unwrap()
            .clone()
    }

    pub(super) fn end(&self, container: &ContainerId, exit: Exit) {
        self.state().containers[container].send_replace(Some(exit));
    }

    pub(super) fn count(&self) -> usize {
        self.state().containers.len()
    }
}

impl Containers for Fake {
    async fn launch(&self, spec: Spec) -> Result<u32, String> {
        let mut state = self.state();
        if let Some(refusal) = &state.refuse {
            return Err(refusal.clone());
        }
        fs::write(spec.sandbox.join("stdout"), "").unwrap();
        state
            .containers
            .insert(spec.id.clone(), watch::Sender::new(None));
        state.specs.push(spec);
        Ok(7)
    }

    async fn check_networks(&self, _: &ContainerId) -> Result<(), String> {
        Ok(())
    }

    fn network(&self, _: &ContainerId) -> Option<std::path::PathBuf> {
        None
    }

    fn networks(&self, _: &ContainerId) -> Vec<JoinedNetwork> {
        Vec::new()
    }

    async fn wait(&self, id: &ContainerId) -> Exit {
        let exit = self
            .state()
            .containers
            .get(id)
            .map(watch::Sender::subscribe);
        let Some(mut exit) = exit else {
            return Exit::unknown();
        };
        exit.wait_for(Option::is_some)
            .await
            .unwrap()
            .clone()
            .unwrap()
    }

    async fn recover(&self) -> Vec<FoundContainer> {
        let state = self.state();
        let found = state.containers.iter().map(|(id, exit)| FoundContainer {
            id: id.clone(),
            pid: exit.borrow().is_none().then_some(7),
            networks: Vec::new(),
            net_class: None,
        });
        found.collect()
    }

    async fn update(&self, id: &ContainerId, limits: Limits) -> Result<(), String> {
        self.state().updates.push((id.clone(), limits));
        Ok(())
    }

    fn terminate(&self, id: &ContainerId) -> Result<(), String> {
        self.state().signals.push(("TERM", id.clone()));
        Ok(())
    }

    fn signal(&self, id: &ContainerId, _: Signal) -> Result<(), String> {
        self.state().signals.push(("other", id.clone()));
        Ok(())
    }

    async fn kill(&self, id: &ContainerId) -> Result<(), String> {
        self.state().signals.push(("KILL", id.clone()));
        self.end(id, Exit::signal(9));
        Ok(())
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), String> {
        let mut state = self.state();
        if state.busy > 0 {
            state.busy -= 1;
            return Err("busy".to_owned());
        }
        state.containers.remove(id);
        Ok(())
    }

    async fn usage(&self, _: &ContainerId) -> Option<Usage> {
        Some(Usage {
            cpu_nanos: 1_500_000_000,
            memory_bytes: 1 << 20,
            pids: 3,
            processes: 2,
            ..Usage::default()
        })
    }
    async fn open_session(&self, spec: SessionSpec) -> Result<Session, LaunchError> {
        Err(LaunchError::NotRunning(spec.container))
    }

    fn attach(&self, id: &ContainerId) -> Result<(TerminalOutput, TerminalInput), LaunchError> {
        Err(LaunchError::NoTerminal(id.clone()))
    }
}
