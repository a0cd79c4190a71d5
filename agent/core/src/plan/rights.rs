//! What a task's processes may do, as far as it says: `ContainerInfo.linux_info` and `rlimit_info`
//! (Mesos: ISO-09).

use tepui_proto::v1::{self, linux_info::IpcMode, r_limit_info::r_limit::Type};

use super::Unplannable;

/// What a task's processes may do. Nothing said is what the agent gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// The kernel's numbers of the capabilities that it has.
    pub effective: Option<Vec<u32>>,
    /// The kernel's numbers of the capabilities that it can ever get.
    pub bounding: Option<Vec<u32>>,
    /// Which system calls it may make.
    pub calls: Calls,
    /// Limits on single processes.
    pub limits: Vec<ResourceLimit>,
    /// Whose means of communication between processes it has.
    pub communication: Communication,
    /// The megabytes that it may share in memory, if it says.
    pub shared_memory: Option<u32>,
    /// Whether it has no limits of its own, but those of the container that it is inside of.
    pub share_cgroups: bool,
    /// Whether it has users of its own, if it says.
    pub own_users: Option<bool>,
}

/// Whose means of communication between processes a container has (Mesos' `ipc_mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Communication {
    /// Its own, or those of the container that it is inside of; shared memory of its own.
    #[default]
    Usual,
    /// Its own, shared memory with them.
    Own,
    /// Those of the container that it is inside of, shared memory with them.
    Parents,
}

/// Which system calls a task may make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Calls {
    /// Those that the agent allows to all.
    #[default]
    Default,
    /// Those of a profile of this name.
    Profile(String),
    /// All.
    Unconfined,
}

/// The most of one resource that one process may use; nothing said is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceLimit {
    /// Which resource.
    pub kind: Type,
    /// What holds at first.
    pub soft: Option<u64>,
    /// The most that a process may raise it to.
    pub hard: Option<u64>,
}

/// What a container asks for; `inside` says that it is inside of another.
pub(super) fn rights(
    container: Option<&v1::ContainerInfo>,
    inside: bool,
) -> Result<Rights, Unplannable> {
    let Some(container) = container else {
        return Ok(Rights::default());
    };
    let limits = container.rlimit_info.iter().flat_map(|info| &info.rlimits);
    let limits = limits.map(limit).collect::<Result<_, _>>()?;
    let Some(linux) = &container.linux_info else {
        return Ok(Rights {
            limits,
            ..Rights::default()
        });
    };
    check(linux, inside)?;
    // The old name of what is had at first.
    #[expect(deprecated, reason = "frameworks may still use it")]
    let effective = linux
        .effective_capabilities
        .as_ref()
        .or(linux.capability_info.as_ref());
    Ok(Rights {
        effective: effective.map(capabilities).transpose()?,
        bounding: linux
            .bounding_capabilities
            .as_ref()
            .map(capabilities)
            .transpose()?,
        calls: linux.seccomp.as_ref().map_or(Ok(Calls::Default), calls)?,
        limits,
        communication: match linux.ipc_mode() {
            IpcMode::Unknown => Communication::Usual,
            IpcMode::Private => Communication::Own,
            IpcMode::ShareParent => Communication::Parents,
        },
        shared_memory: linux.shm_size,
        // What is not said is true by Mesos' default, and means nothing outside of a group.
        share_cgroups: inside && linux.share_cgroups == Some(true),
        own_users: linux.tepui_user_namespace,
    })
}

/// What else a task may say, and we cannot do, is refused by name. Who is inside of another
/// container may share what that one has; the agent shares nothing.
fn check(linux: &v1::LinuxInfo, inside: bool) -> Result<(), Unplannable> {
    let shares = |what| match inside {
        true => Ok(()),
        false => Err(Unplannable::Unsupported(what)),
    };
    if linux.share_pid_namespace() {
        shares("sharing the agent's PID namespace")?;
    }
    if linux.ipc_mode() != IpcMode::ShareParent {
        return Ok(());
    }
    shares("sharing the agent's IPC namespace")?;
    match linux.shm_size {
        None => Ok(()),
        // As in Mesos.
        Some(_) => Err(Unplannable::Invalid(
            "'shm_size' is for an 'ipc_mode' of PRIVATE: who shares has what there is".to_owned(),
        )),
    }
}

fn capabilities(info: &v1::CapabilityInfo) -> Result<Vec<u32>, Unplannable> {
    // Mesos numbers them from 1000 on, since 0 means that a name is unknown.
    let number = |value: &i32| {
        let known = v1::capability_info::Capability::try_from(*value).ok();
        let number = known.and_then(|known| u32::try_from(known as i32 - 1000).ok());
        number.ok_or_else(|| Unplannable::Invalid("A capability is unknown".to_owned()))
    };
    info.capabilities.iter().map(number).collect()
}

fn calls(seccomp: &v1::SeccompInfo) -> Result<Calls, Unplannable> {
    match (seccomp.unconfined(), &seccomp.profile_name) {
        (true, Some(_)) => Err(Unplannable::Invalid(
            "A seccomp profile is named, and none is wanted".to_owned(),
        )),
        (true, None) => Ok(Calls::Unconfined),
        (false, Some(name)) => Ok(Calls::Profile(name.clone())),
        (false, None) => Ok(Calls::Default),
    }
}

/// Either both ends are given, or none for no limit (Mesos' POSIX rlimits).
fn limit(limit: &v1::r_limit_info::RLimit) -> Result<ResourceLimit, Unplannable> {
    let kind = limit.r#type();
    if kind == Type::Unknown {
        return Err(Unplannable::Invalid(
            "A resource limit is of no known type".to_owned(),
        ));
    }
    if limit.soft.is_some() != limit.hard.is_some() {
        let kind = kind.as_str_name();
        return Err(Unplannable::Invalid(format!(
            "The resource limit {kind} has only one of 'soft' and 'hard'"
        )));
    }
    Ok(ResourceLimit {
        kind,
        soft: limit.soft,
        hard: limit.hard,
    })
}

#[cfg(test)]
mod tests {
    use v1::{
        CapabilityInfo, ContainerInfo, LinuxInfo, RLimitInfo, SeccompInfo,
        capability_info::Capability, r_limit_info::RLimit,
    };

    use super::*;

    fn with(linux: LinuxInfo) -> Result<Rights, Unplannable> {
        within(linux, false)
    }

    fn within(linux: LinuxInfo, inside: bool) -> Result<Rights, Unplannable> {
        let container = ContainerInfo {
            linux_info: Some(linux),
            ..ContainerInfo::default()
        };
        rights(Some(&container), inside)
    }

    #[test]
    fn whether_a_task_has_users_of_its_own_is_for_it_to_say_or_not() {
        let asks = |own| LinuxInfo {
            tepui_user_namespace: own,
            ..LinuxInfo::default()
        };
        for own in [None, Some(true), Some(false)] {
            assert_eq!(with(asks(own)).unwrap().own_users, own);
            assert_eq!(within(asks(own), true).unwrap().own_users, own);
        }
    }

    #[test]
    fn only_who_is_inside_of_another_shares_what_that_one_has() {
        let asks = |ipc_mode: IpcMode| LinuxInfo {
            ipc_mode: Some(ipc_mode.into()),
            ..LinuxInfo::default()
        };
        let shared = within(asks(IpcMode::ShareParent), true).unwrap();
        assert_eq!(shared.communication, Communication::Parents);
        assert!(with(asks(IpcMode::ShareParent)).is_err());
        let own = with(asks(IpcMode::Private)).unwrap();
        assert_eq!(own.communication, Communication::Own);
        let processes = LinuxInfo {
            share_pid_namespace: Some(true),
            ..LinuxInfo::default()
        };
        assert!(within(processes.clone(), true).is_ok());
        assert!(with(processes).is_err());
        let cgroups = LinuxInfo {
            share_cgroups: Some(true),
            ..LinuxInfo::default()
        };
        assert!(within(cgroups.clone(), true).unwrap().share_cgroups);
        assert!(!with(cgroups).unwrap().share_cgroups, "it has no other");
        assert!(!within(LinuxInfo::default(), true).unwrap().share_cgroups);
    }

    #[test]
    fn the_size_of_shared_memory_is_for_who_has_it_alone() {
        let asks = |ipc_mode: IpcMode| LinuxInfo {
            ipc_mode: Some(ipc_mode.into()),
            shm_size: Some(16),
            ..LinuxInfo::default()
        };
        let own = with(asks(IpcMode::Private)).unwrap();
        assert_eq!(own.shared_memory, Some(16));
        assert!(within(asks(IpcMode::ShareParent), true).is_err());
    }

    #[test]
    fn capabilities_have_the_kernel_s_numbers() {
        let info = CapabilityInfo {
            capabilities: vec![Capability::Chown.into(), Capability::SysAdmin.into()],
        };
        let asked = LinuxInfo {
            effective_capabilities: Some(info.clone()),
            ..LinuxInfo::default()
        };
        assert_eq!(with(asked).unwrap().effective, Some(vec![0, 21]));
        #[expect(deprecated, reason = "frameworks may still use it")]
        let old = LinuxInfo {
            capability_info: Some(info),
            ..LinuxInfo::default()
        };
        assert_eq!(with(old).unwrap().effective, Some(vec![0, 21]));
        let unknown = LinuxInfo {
            bounding_capabilities: Some(CapabilityInfo {
                capabilities: vec![0],
            }),
            ..LinuxInfo::default()
        };
        assert!(with(unknown).is_err());
    }

    #[test]
    fn a_profile_or_none_is_chosen_but_not_both() {
        let asked = |profile_name: Option<&str>, unconfined| {
            let profile_name = profile_name.map(str::to_owned);
            with(LinuxInfo {
                seccomp: Some(SeccompInfo {
                    profile_name,
                    unconfined,
                }),
                ..LinuxInfo::default()
            })
        };
        assert_eq!(asked(None, Some(true)).unwrap().calls, Calls::Unconfined);
        let named = asked(Some("p"), None).unwrap().calls;
        assert_eq!(named, Calls::Profile("p".to_owned()));
        assert!(asked(Some("p"), Some(true)).is_err());
    }

    #[test]
    fn a_resource_limit_has_both_ends_or_none() {
        let asked = |soft, hard| {
            let one = RLimit {
                r#type: Some(Type::RlmtNofile.into()),
                soft,
                hard,
            };
            let container = ContainerInfo {
                rlimit_info: Some(RLimitInfo { rlimits: vec![one] }),
                ..ContainerInfo::default()
            };
            rights(Some(&container), false)
        };
        let limits = asked(Some(1), Some(2)).unwrap().limits;
        assert_eq!((limits[0].soft, limits[0].hard), (Some(1), Some(2)));
        assert_eq!(asked(None, None).unwrap().limits[0].hard, None);
        assert!(asked(Some(1), None).is_err());
    }
}
