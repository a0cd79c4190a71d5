//! What a task's processes may do, as far as it says: `ContainerInfo.linux_info` and `rlimit_info`
//! (Mesos: ISO-09).

use tepui_proto::v1::{self, r_limit_info::r_limit::Type};

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

pub(super) fn rights(container: Option<&v1::ContainerInfo>) -> Result<Rights, Unplannable> {
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
    check(linux)?;
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
    })
}

/// What else a task may say, and we cannot do, is refused by name.
fn check(linux: &v1::LinuxInfo) -> Result<(), Unplannable> {
    let unsupported = |what| Err(Unplannable::Unsupported(what));
    if linux.share_pid_namespace == Some(true) {
        return unsupported("sharing the agent's PID namespace");
    }
    if linux.ipc_mode() == v1::linux_info::IpcMode::ShareParent {
        return unsupported("sharing the agent's IPC namespace");
    }
    if linux.shm_size.is_some() {
        return unsupported("a size of /dev/shm");
    }
    Ok(())
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
        rights(Some(&ContainerInfo {
            linux_info: Some(linux),
            ..ContainerInfo::default()
        }))
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
            rights(Some(&ContainerInfo {
                rlimit_info: Some(RLimitInfo { rlimits: vec![one] }),
                ..ContainerInfo::default()
            }))
        };
        let limits = asked(Some(1), Some(2)).unwrap().limits;
        assert_eq!((limits[0].soft, limits[0].hard), (Some(1), Some(2)));
        assert_eq!(asked(None, None).unwrap().limits[0].hard, None);
        assert!(asked(Some(1), None).is_err());
    }
}
