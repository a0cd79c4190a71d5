//! From the core's plan of a container to the runtime's.

use nix::unistd::{User, geteuid};
use tepui_agent_core::{ContainerPlan, Limits, Program, VolumeMount};
use tepui_containers as containers;
use tepui_containers::{Bytes, Spec, VolumeSpec};

/// Who tasks run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Users {
    /// Whether tasks run as the user they name.
    switch: bool,
    root: bool,
    /// This process's own user, by name and by number.
    own: [String; 2],
}

impl Users {
    pub(crate) fn new(switch: bool) -> Self {
        let uid = geteuid();
        let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
        let number = uid.to_string();
        Self {
            switch,
            root: uid.is_root(),
            own: [name.unwrap_or_else(|| number.clone()), number],
        }
    }

    /// Whom the runtime must become for a task; none to stay as the agent is.
    fn for_task(&self, user: String) -> Result<Option<String>, String> {
        match self {
            Self { switch: false, .. } => Ok(None),
            Self { root: true, .. } => Ok(Some(user)),
            _ if self.own.contains(&user) => Ok(None),
            _ => Err(format!(
                "the agent runs as {} and cannot run tasks as {user}: run it as root, or let every \
                 task run as {} with --switch-user=false",
                self.own[0], self.own[0]
            )),
        }
    }
}

/// What the runtime is asked for.
pub(super) fn spec(plan: ContainerPlan, users: &Users) -> Result<Spec, String> {
    Ok(Spec {
        id: plan.container,
        sandbox: plan.sandbox,
        program: match plan.program {
            Program::Shell(line) => containers::Program::Shell(line),
            Program::Exec { path, arguments } => containers::Program::Exec { path, arguments },
        },
        environment: plan.environment,
        user: users.for_task(plan.user)?,
        hostname: plan.hostname,
        limits: limits(&plan.limits),
        volumes: plan.volumes.into_iter().map(volume).collect(),
    })
}

fn volume(volume: VolumeMount) -> VolumeSpec {
    VolumeSpec {
        source: volume.source,
        target: volume.container_path,
        read_only: volume.read_only,
        shared: volume.shared,
    }
}

fn limits(limits: &Limits) -> containers::Limits {
    let unlimited = Bytes(u64::MAX);
    containers::Limits {
        cpu_shares: limits.cpus,
        cpu_limit: limits.cpu_limit,
        low_cpu_priority: limits.low_cpu_priority,
        memory: Bytes::from_megabytes(limits.memory),
        memory_limit: Some(limits.memory_limit.map_or(unlimited, Bytes::from_megabytes)),
        pids: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(switch: bool, root: bool) -> Users {
        Users {
            switch,
            root,
            own: ["me".to_owned(), "1000".to_owned()],
        }
    }

    #[test]
    fn root_becomes_the_tasks_user_and_others_only_stay_who_they_are() {
        let task = |name: &str| name.to_owned();
        assert_eq!(
            users(true, true).for_task(task("web")),
            Ok(Some(task("web")))
        );
        assert_eq!(users(true, false).for_task(task("me")), Ok(None));
        assert_eq!(users(true, false).for_task(task("1000")), Ok(None));
        let refusal = users(true, false).for_task(task("web")).unwrap_err();
        assert!(refusal.contains("--switch-user"), "{refusal}");
        assert_eq!(users(false, false).for_task(task("web")), Ok(None));
    }
}
