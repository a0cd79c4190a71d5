//! From the core's plan of a container to the runtime's.

use nix::unistd::{User, geteuid};
use tepui_agent_core::{
    Calls, Communication, ContainerPlan, Limits, NetworkAttachment, NetworkPlan, PortMapping,
    Program, Protocol, ResourceLimit, Rights, SecretFile, SecretSource, VolumeMount, VolumeOrigin,
};
use tepui_containers as containers;
use tepui_containers::{
    Attachment, Bytes, Capabilities, NetworkSpec, Resource, Seccomp, Security, Signal, Spec,
    VolumeKind, VolumeSpec, WindowSize,
};
use tepui_proto::v1::r_limit_info::r_limit::Type;

use super::images::OwnRoot;

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

    /// The name of this process's own user, or its number.
    pub(crate) fn own() -> String {
        let [name, _] = Self::new(false).own;
        name
    }

    /// Whom the runtime must become for a task; none to stay as the agent is.
    pub(super) fn for_task(&self, user: String) -> Result<Option<String>, String> {
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
pub(super) fn spec(
    plan: ContainerPlan,
    root: Option<OwnRoot>,
    users: &Users,
) -> Result<Spec, String> {
    let program = match plan.program {
        Program::Hold => containers::Program::Hold,
        Program::Shell(line) => containers::Program::Shell(line),
        Program::Exec { path, arguments } => containers::Program::Exec { path, arguments },
        Program::Image { .. } => return Err("no program was named, and no image".to_owned()),
    };
    let mut spec = Spec::new(plan.container, plan.sandbox, program, limits(&plan.limits));
    spec.environment = plan.environment;
    spec.user = users.for_task(plan.user)?;
    spec.users = match plan.rights.own_users {
        None => containers::Users::Usual,
        Some(true) => containers::Users::Own,
        Some(false) => containers::Users::Machines,
    };
    spec.hostname = plan.hostname;
    if let Some(own) = root {
        // With --switch-user=false all run as the agent does.
        spec.ids = own.ids.filter(|_| spec.user.is_some());
        spec.root = Some(own.root);
    }
    spec.working_dir = plan.working_dir;
    spec.folders = plan.folders;
    spec.terminal = plan
        .terminal
        .map(|(rows, columns)| WindowSize { rows, columns });
    spec.stop_signal = plan.stop_signal.as_deref().and_then(signal);
    spec.volumes = plan.volumes.into_iter().map(volume).collect();
    spec.secrets = plan
        .secret_files
        .into_iter()
        .map(secret)
        .collect::<Result<_, _>>()?;
    spec.network = network(plan.network);
    spec.gpus = plan.limits.gpus;
    spec.disk = plan.limits.disk.map(Bytes::from_megabytes);
    spec.communication = match plan.rights.communication {
        Communication::Usual => containers::Communication::Usual,
        Communication::Own => containers::Communication::Own,
        Communication::Parents => containers::Communication::Parents,
    };
    let megabytes = |count| Bytes(u64::from(count) << 20);
    spec.shared_memory = plan.rights.shared_memory.map(megabytes);
    spec.share_cgroups = plan.rights.share_cgroups;
    spec.security = security(plan.rights)?;
    spec.parent = plan.parent.map(|parent| containers::Parent {
        container: parent.container,
        sandbox: parent.sandbox,
        share_processes: parent.share_processes,
    });
    Ok(spec)
}

/// A signal by name or number, as images have it.
fn signal(text: &str) -> Option<Signal> {
    let number = text
        .parse()
        .ok()
        .and_then(|number: i32| Signal::try_from(number).ok());
    let name = || text.parse().or_else(|_| format!("SIG{text}").parse()).ok();
    let found = number.or_else(name);
    if found.is_none() {
        tracing::warn!(
            signal = text,
            "an image asks to be stopped by what is no signal here"
        );
    }
    found
}

fn security(rights: Rights) -> Result<Security, String> {
    Ok(Security {
        effective: rights.effective.as_deref().map(capabilities).transpose()?,
        bounding: rights.bounding.as_deref().map(capabilities).transpose()?,
        seccomp: match rights.calls {
            Calls::Default => Seccomp::Default,
            Calls::Profile(name) => Seccomp::Profile(name),
            Calls::Unconfined => Seccomp::Unconfined,
        },
        resource_limits: rights
            .limits
            .iter()
            .map(resource_limit)
            .collect::<Result<_, _>>()?,
    })
}

fn capabilities(numbers: &[u32]) -> Result<Capabilities, String> {
    numbers.iter().try_fold(Capabilities::NONE, |set, number| {
        let one = Capabilities::of_number(*number);
        let one = one.ok_or_else(|| format!("the kernel knows no capability {number}"))?;
        Ok(set.with(one))
    })
}

fn resource_limit(limit: &ResourceLimit) -> Result<containers::ResourceLimit, String> {
    let resource = match limit.kind {
        Type::Unknown => return Err("a resource limit is of no known type".to_owned()),
        Type::RlmtAs => Resource::AddressSpace,
        Type::RlmtCore => Resource::Core,
        Type::RlmtCpu => Resource::Cpu,
        Type::RlmtData => Resource::Data,
        Type::RlmtFsize => Resource::FileSize,
        Type::RlmtLocks => Resource::Locks,
        Type::RlmtMemlock => Resource::LockedMemory,
        Type::RlmtMsgqueue => Resource::MessageQueues,
        Type::RlmtNice => Resource::Nice,
        Type::RlmtNofile => Resource::OpenFiles,
        Type::RlmtNproc => Resource::Processes,
        Type::RlmtRss => Resource::ResidentSet,
        Type::RlmtRtprio => Resource::RealtimePriority,
        Type::RlmtRttime => Resource::RealtimeTimeout,
        Type::RlmtSigpending => Resource::PendingSignals,
        Type::RlmtStack => Resource::Stack,
    };
    Ok(containers::ResourceLimit {
        resource,
        soft: limit.soft,
        hard: limit.hard,
    })
}

fn secret(file: SecretFile) -> Result<containers::SecretFile, String> {
    match file.source {
        SecretSource::Value(secret) => Ok(containers::SecretFile {
            target: file.container_path,
            content: secret.0,
        }),
        SecretSource::Reference(_) => Err("a secret was not looked up".to_owned()),
    }
}

fn volume(volume: VolumeMount) -> VolumeSpec {
    VolumeSpec {
        kind: match volume.origin {
            VolumeOrigin::Persistent => VolumeKind::Given,
            VolumeOrigin::Host => VolumeKind::HostPath,
            VolumeOrigin::Sandbox => VolumeKind::SandboxPath,
            VolumeOrigin::Parent => VolumeKind::ParentPath,
        },
        source: volume.source,
        target: volume.container_path,
        read_only: volume.read_only,
        shared: volume.shared,
    }
}

fn network(plan: NetworkPlan) -> NetworkSpec {
    let port = |port: &PortMapping| containers::PortMapping {
        host_port: port.host_port,
        container_port: port.container_port,
        protocol: match port.protocol {
            Protocol::Tcp => containers::Protocol::Tcp,
            Protocol::Udp => containers::Protocol::Udp,
            Protocol::Sctp => containers::Protocol::Sctp,
        },
    };
    let attachment = |one: NetworkAttachment| Attachment {
        ports: one.ports.iter().map(port).collect(),
        network: one.network,
    };
    match plan {
        NetworkPlan::Host => NetworkSpec::Host,
        NetworkPlan::Alone => NetworkSpec::Alone,
        NetworkPlan::Attached(all) => {
            NetworkSpec::Attached(all.into_iter().map(attachment).collect())
        }
        NetworkPlan::Of(other) => NetworkSpec::Of(other),
    }
}

pub(super) fn limits(limits: &Limits) -> containers::Limits {
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
    fn what_a_task_may_do_keeps_its_names_on_the_way_to_the_runtime() {
        let limit = |kind| ResourceLimit {
            kind,
            soft: Some(1),
            hard: Some(2),
        };
        let security = security(Rights {
            effective: Some(vec![0, 12]),
            bounding: None,
            calls: Calls::Profile("p".to_owned()),
            limits: vec![limit(Type::RlmtNofile), limit(Type::RlmtCore)],
            ..Rights::default()
        });
        let security = security.unwrap();
        assert_eq!(security.effective.unwrap().to_string(), "CHOWN,NET_ADMIN");
        assert_eq!(security.seccomp, Seccomp::Profile("p".to_owned()));
        let limited = security.resource_limits.iter().map(|limit| limit.resource);
        let expected = [Resource::OpenFiles, Resource::Core];
        assert!(limited.eq(expected));
        assert!(capabilities(&[99]).is_err());
    }

    #[test]
    fn signals_are_read_as_images_write_them() {
        assert_eq!(signal("SIGQUIT"), Some(Signal::SIGQUIT));
        assert_eq!(signal("QUIT"), Some(Signal::SIGQUIT));
        assert_eq!(signal("3"), Some(Signal::SIGQUIT));
        assert_eq!(signal("SIGRTMIN+3"), None);
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
