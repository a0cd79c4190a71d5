//! A profile as it is written: the JSON form of docker and OCI.

use seccompiler::{SeccompAction, TargetArch};
use serde::Deserialize;

use crate::Capabilities;

/// What a forbidden call answers unless the profile says otherwise.
const EPERM: u32 = 1;

/// A profile. What it may hold and we do not know is an error: to leave it out could allow more.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Profile {
    default_action: String,
    default_errno_ret: Option<u32>,
    architectures: Option<Vec<String>>,
    // Which other processors' programs a machine runs. We allow the machine's own only.
    #[serde(rename = "archMap")]
    _arch_map: Option<serde_json::Value>,
    #[serde(rename = "flags", default)]
    _flags: Vec<String>,
    #[serde(default)]
    syscalls: Vec<Rule>,
}

/// What is to become of some calls.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rule {
    #[serde(default)]
    names: Vec<String>,
    name: Option<String>,
    action: String,
    errno_ret: Option<u32>,
    #[serde(rename = "args", default, deserialize_with = "null_is_empty")]
    pub(super) arguments: Vec<Argument>,
    #[serde(rename = "comment")]
    _comment: Option<String>,
    #[serde(default)]
    includes: Circumstances,
    #[serde(default)]
    excludes: Circumstances,
}

/// When a rule holds.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Circumstances {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
    min_kernel: Option<String>,
}

/// A condition on one argument of a call.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Argument {
    pub(super) index: u32,
    pub(super) value: u64,
    #[serde(rename = "valueTwo", default)]
    pub(super) second_value: u64,
    #[serde(rename = "op")]
    pub(super) comparison: Comparison,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) enum Comparison {
    #[serde(rename = "SCMP_CMP_NE")]
    NotEqual,
    #[serde(rename = "SCMP_CMP_LT")]
    Less,
    #[serde(rename = "SCMP_CMP_LE")]
    LessOrEqual,
    #[serde(rename = "SCMP_CMP_EQ")]
    Equal,
    #[serde(rename = "SCMP_CMP_GE")]
    GreaterOrEqual,
    #[serde(rename = "SCMP_CMP_GT")]
    Greater,
    /// Of the bits in `value`, those in `valueTwo` are set and no others.
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEqual,
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Argument>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Profile {
    /// Whether it is for this machine.
    pub(super) fn check(&self, arch: TargetArch) -> Result<(), String> {
        let Some(named) = &self.architectures else {
            return Ok(());
        };
        let own = match arch {
            TargetArch::x86_64 => "SCMP_ARCH_X86_64",
            TargetArch::aarch64 => "SCMP_ARCH_AARCH64",
            TargetArch::riscv64 => "SCMP_ARCH_RISCV64",
        };
        if named.iter().any(|name| name == own) {
            Ok(())
        } else {
            Err(format!("it is not for this machine ({own})"))
        }
    }

    pub(super) fn default_action(&self) -> Result<SeccompAction, String> {
        action(&self.default_action, self.default_errno_ret)
    }

    /// The rules that hold for a task with these capabilities.
    pub(super) fn rules(&self, capabilities: Capabilities) -> impl Iterator<Item = &Rule> {
        let holds = move |rule: &&Rule| {
            rule.includes.all_hold(capabilities) && !rule.excludes.any_holds(capabilities)
        };
        self.syscalls.iter().filter(holds)
    }
}

impl Rule {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().chain(&self.name).map(String::as_str)
    }

    pub(super) fn action(&self) -> Result<SeccompAction, String> {
        action(&self.action, self.errno_ret)
    }
}

impl Circumstances {
    fn all_hold(&self, capabilities: Capabilities) -> bool {
        self.caps.iter().all(|name| holds(capabilities, name))
            && (self.arches.is_empty() || self.arches.iter().any(|name| is_own(name)))
            && self.min_kernel.as_deref().is_none_or(is_reached)
    }

    fn any_holds(&self, capabilities: Capabilities) -> bool {
        self.caps.iter().any(|name| holds(capabilities, name))
            || self.arches.iter().any(|name| is_own(name))
            || self.min_kernel.as_deref().is_some_and(is_reached)
    }
}

/// A capability that is unknown here is one that nobody has.
fn holds(capabilities: Capabilities, name: &str) -> bool {
    name.parse().is_ok_and(|one| capabilities.has(one))
}

/// Docker's names of processors.
fn is_own(name: &str) -> bool {
    match std::env::consts::ARCH {
        "x86_64" => matches!(name, "amd64" | "x86_64"),
        "aarch64" => matches!(name, "arm64" | "aarch64"),
        other => name == other,
    }
}

/// Whether a kernel as new as `4.8` runs. Ours is newer than any that profiles ask for by the time
/// they are written; one that cannot be told is taken as older.
fn is_reached(wanted: &str) -> bool {
    let numbers = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split(|letter: char| !letter.is_ascii_digit());
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let Ok(kernel) = nix::sys::utsname::uname() else {
        return false;
    };
    let running = numbers(&kernel.release().to_string_lossy());
    matches!((running, numbers(wanted)), (Some(running), Some(wanted)) if running >= wanted)
}

fn action(name: &str, errno: Option<u32>) -> Result<SeccompAction, String> {
    Ok(match name {
        "SCMP_ACT_ALLOW" => SeccompAction::Allow,
        "SCMP_ACT_ERRNO" => SeccompAction::Errno(errno.unwrap_or(EPERM)),
        "SCMP_ACT_LOG" => SeccompAction::Log,
        "SCMP_ACT_TRAP" => SeccompAction::Trap,
        "SCMP_ACT_TRACE" => SeccompAction::Trace(errno.unwrap_or(EPERM)),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => SeccompAction::KillThread,
        "SCMP_ACT_KILL_PROCESS" => SeccompAction::KillProcess,
        _ => return Err(format!("the action '{name}' is not supported")),
    })
}
