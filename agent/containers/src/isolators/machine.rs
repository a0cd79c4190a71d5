//! What this machine can do.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
};

use crate::{
    Bytes, Capabilities, Isolator, cgroups::Controller, gpus::Found, limits::MIN_KERNEL_USERS,
};

/// What this machine can do, as far as it can be told without trying.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    /// What the agent itself may do.
    pub(crate) capabilities: Capabilities,
    /// Whether the kernel filters system calls.
    pub(crate) filters_calls: bool,
    /// Names of the namespaces that the kernel has.
    pub(crate) namespaces: BTreeSet<String>,
    /// What went wrong with namespaces when they were tried.
    pub(crate) failed: BTreeMap<Isolator, String>,
    /// Why containers cannot have users of their own, though the kernel has namespaces for them.
    pub(crate) lacks_users: Option<String>,
    /// Controllers that cannot be used, and why.
    pub(crate) controllers: BTreeMap<Controller, String>,
    /// Why no disk can have quotas of projects.
    pub(crate) lacks_projects: Option<String>,
    /// All of its memory.
    pub(crate) memory: Bytes,
    /// Its GPUs that containers may have.
    pub(crate) gpus: Found,
    /// How gladly the kernel takes the agent when memory runs out.
    pub(crate) oom_score: i32,
}

impl Machine {
    /// Looks at this one. Controllers and namespaces are tried later.
    pub(crate) fn look() -> io::Result<Self> {
        let names = fs::read_dir("/proc/self/ns")?.flatten();
        let status = fs::read_to_string("/proc/self/status")?;
        Ok(Self {
            capabilities: effective_capabilities(&status),
            filters_calls: status
                .lines()
                .any(|line| line.starts_with("Seccomp_filters:")),
            namespaces: names
                .filter_map(|name| name.file_name().into_string().ok())
                .collect(),
            lacks_users: lacks_users(
                &fs::read_to_string("/proc/sys/kernel/osrelease")?,
                fs::read_to_string("/proc/sys/user/max_user_namespaces")
                    .ok()
                    .as_deref(),
            ),
            lacks_projects: lacks_projects(&fs::read_to_string("/proc/self/mountinfo")?),
            memory: total_memory(&fs::read_to_string("/proc/meminfo")?),
            oom_score: fs::read_to_string("/proc/self/oom_score_adj")?
                .trim()
                .parse()
                .unwrap_or(0),
            ..Self::default()
        })
    }

    /// Why a controller cannot be used, if it cannot.
    pub(crate) fn lacks_controller(&self, controller: Controller) -> Option<String> {
        self.controllers.get(&controller).cloned()
    }

    /// Why something that takes a capability cannot be done, if it cannot.
    pub(crate) fn lacks_capability(&self, name: &str) -> Option<String> {
        let has = name.parse().is_ok_and(|one| self.capabilities.has(one));
        (!has).then(|| format!("it needs root (CAP_{name})"))
    }

    /// Why a namespace cannot be made, if it cannot.
    pub(crate) fn lacks_namespace(&self, isolator: Isolator, file: &str) -> Option<String> {
        if !self.namespaces.contains(file) {
            return Some("the kernel is built without it".to_owned());
        }
        let failed = || self.failed.get(&isolator).cloned();
        self.lacks_capability("SYS_ADMIN").or_else(failed)
    }
}

/// The kernel's own words on its version, and on how many user namespaces there may be.
fn lacks_users(release: &str, most: Option<&str>) -> Option<String> {
    let (major, minor) = MIN_KERNEL_USERS;
    if crate::probe::version(release).is_some_and(|version| version < MIN_KERNEL_USERS) {
        let release = release.trim();
        return Some(format!(
            "layers with owners of their own need Linux {major}.{minor}, and this is {release}"
        ));
    }
    let forbidden = most.is_some_and(|most| most.trim() == "0");
    forbidden
        .then(|| "the machine forbids user namespaces (user.max_user_namespaces is 0)".to_owned())
}

/// What is mounted, in the kernel's own words. The options of a file system are the last.
fn lacks_projects(mounts: &str) -> Option<String> {
    let bounds = |line: &str| {
        let options = line.rsplit(' ').next().unwrap_or_default();
        options.split(',').any(|option| option == "prjquota")
    };
    let reason = "no file system here is mounted with quotas of projects (xfs or ext4, with the \
                  option prjquota)";
    (!mounts.lines().any(bounds)).then(|| reason.to_owned())
}

fn effective_capabilities(status: &str) -> Capabilities {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = line.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    Capabilities::from_bits(bits.unwrap_or(0))
}

fn total_memory(meminfo: &str) -> Bytes {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Bytes(kilobytes.unwrap_or(0) * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c32_a_kernel_that_gives_containers_no_users_is_told_by_what_it_lacks() {
        assert_eq!(lacks_users("5.19.0\n", Some("100\n")), None);
        assert_eq!(lacks_users("strange\n", None), None);
        let old = lacks_users("5.15.0-91-generic\n", None).unwrap();
        assert!(
            old.contains("5.19") && old.ends_with("5.15.0-91-generic"),
            "{old}"
        );
        let forbidden = lacks_users("6.1.0\n", Some("0\n")).unwrap();
        assert!(
            forbidden.contains("user.max_user_namespaces"),
            "{forbidden}"
        );
    }

    #[test]
    fn c32_a_machine_without_quotas_of_projects_says_which_option_is_missing() {
        let line = "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard";
        let lacking = lacks_projects(line).unwrap();
        assert!(lacking.contains("prjquota"), "{lacking}");
        let with = format!("{line}\n28 27 7:0 / /data rw - xfs /dev/vdb rw,attr2,prjquota\n");
        assert_eq!(lacks_projects(&with), None);
        // Counted and not kept.
        assert!(lacks_projects("28 27 7:0 / /data rw - xfs /dev/vdb rw,pqnoenforce").is_some());
    }

    #[test]
    fn the_kernel_s_own_words_are_understood() {
        assert_eq!(
            effective_capabilities("Name:\tx\nCapEff:\t000001fffeffffff\n"),
            Capabilities::ALL.without("SYS_RESOURCE".parse().unwrap())
        );
        assert_eq!(effective_capabilities(""), Capabilities::NONE);
        assert_eq!(
            total_memory("MemTotal:       24668984 kB\n"),
            Bytes(24_668_984 * 1024)
        );
        assert!(Machine::look().unwrap().namespaces.contains("mnt"));
    }
}
