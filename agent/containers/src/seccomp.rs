//! Filters of system calls: from a profile in the JSON form of docker and OCI to programs for the
//! kernel.
//!
//! The kernel takes several filters and does what the strictest says; of two equally strict ones,
//! the one that came last has the word. So the profile becomes one filter that allows or does the
//! default, and one more for each other action.

mod plain;
mod profile;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use self::{
    plain::instruction,
    profile::{Argument, Comparison, Profile, Rule},
};
use crate::{Capabilities, Policy, Seccomp, limits::MAX_PROFILE_BYTES};

/// What every container gets that asks for nothing else.
const DEFAULT_PROFILE: &str = include_str!("seccomp/default.json");

/// What keeps a task whose disk is bounded from giving its files to another project, as any owner
/// may: FS_IOC_FSSETXATTR, and FS_IOC_SETFLAGS, which takes away what hands the project on.
const PROJECTS_PROFILE: &str = include_str!("seccomp/projects.json");

/// Programs for the kernel, in the order in which it is to get them.
pub(crate) type Programs = Arc<Vec<Vec<u64>>>;

/// Why a task cannot have the filter that it asks for.
#[derive(Debug, thiserror::Error)]
pub enum SeccompError {
    /// The operator wants every task to be filtered.
    #[error(
        "the task asks for no filter of system calls, which this agent does not allow: start it \
         with --allow-unconfined"
    )]
    Unconfined,
    /// There are no profiles.
    #[error(
        "the task asks for the seccomp profile '{0}', and this agent has no --seccomp-config-dir"
    )]
    NoProfiles(String),
    /// The name is no plain file name.
    #[error("'{0}' is no name of a seccomp profile")]
    Name(String),
    /// The profile cannot be read.
    #[error("cannot read the seccomp profile {path}: {source}")]
    Read {
        /// Its file.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The profile is no profile, or asks for what we cannot do.
    #[error("the seccomp profile {name} cannot be used: {problem}")]
    Invalid {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// Filters that were compiled before, by profile and capabilities.
#[derive(Debug, Default)]
pub(crate) struct Filters(Mutex<BTreeMap<Capabilities, Programs>>);

impl Filters {
    /// The filters for a task with these capabilities.
    pub(crate) fn programs(
        &self,
        asked: &Seccomp,
        policy: &Policy,
        bounding: Capabilities,
    ) -> Result<Programs, SeccompError> {
        let named = match (asked, &policy.seccomp_default) {
            (Seccomp::Unconfined, _) if policy.unconfined => return Ok(Programs::default()),
            (Seccomp::Unconfined, _) => return Err(SeccompError::Unconfined),
            (Seccomp::Profile(name), _) => Some(name),
            (Seccomp::Default, named) => named.as_ref(),
        };
        match named {
            Some(name) => {
                let text = read(name, policy)?;
                Ok(Arc::new(compile(name, &text, bounding)?))
            }
            None => self.default_programs(bounding),
        }
    }

    fn default_programs(&self, bounding: Capabilities) -> Result<Programs, SeccompError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(programs) = known.get(&bounding) {
            return Ok(Arc::clone(programs));
        }
        let compiled = Arc::new(compile("default", DEFAULT_PROFILE, bounding)?);
        // Most tasks ask for nothing; the few that do may be many different ones.
        if known.len() < crate::limits::MAX_FILTERS {
            known.insert(bounding, Arc::clone(&compiled));
        }
        Ok(compiled)
    }
}

/// The filters that keep files in their project, beside those that a task has anyway.
pub(crate) fn keeping_projects() -> Result<Vec<Vec<u64>>, SeccompError> {
    compile("disk/quota", PROJECTS_PROFILE, Capabilities::NONE)
}

/// Reads a profile of the operator's. It may be changed while the agent runs.
fn read(name: &str, policy: &Policy) -> Result<String, SeccompError> {
    let Some(folder) = &policy.seccomp_profiles else {
        return Err(SeccompError::NoProfiles(name.to_owned()));
    };
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(_)), None) => {}
        _ => return Err(SeccompError::Name(name.to_owned())),
    }
    let path = folder.join(name);
    let text = fs::metadata(&path).and_then(|metadata| {
        if metadata.len() > MAX_PROFILE_BYTES {
            return Err(std::io::Error::other(format!(
                "it has more than {MAX_PROFILE_BYTES} bytes"
            )));
        }
        fs::read_to_string(&path)
    });
    text.map_err(|source| SeccompError::Read { path, source })
}

/// Compiles a profile for a task with these capabilities.
pub(crate) fn compile(
    name: &str,
    text: &str,
    capabilities: Capabilities,
) -> Result<Vec<Vec<u64>>, SeccompError> {
    let invalid = |problem: String| SeccompError::Invalid {
        name: name.to_owned(),
        problem,
    };
    let profile: Profile =
        serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
    filters(&profile, capabilities)
        .map_err(invalid)?
        .into_iter()
        .map(|filter| {
            let rest =
                BpfProgram::try_from(filter.rest).map_err(|error| invalid(error.to_string()))?;
            let rest = rest
                .iter()
                .map(|one| instruction(one.code, one.jt, one.jf, one.k));
            Ok(filter.plain.into_iter().chain(rest).collect())
        })
        .collect()
}

/// One program for the kernel.
struct Filter {
    /// What is tried first: the calls that are allowed whatever they say.
    plain: Vec<u64>,
    rest: SeccompFilter,
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn filters(profile: &Profile, capabilities: Capabilities) -> Result<Vec<Filter>, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)
        .map_err(|_| "this processor is not supported".to_owned())?;
    profile.check(arch)?;
    let default = profile.default_action()?;
    let mut allowed = Rules::new();
    let mut others: Vec<(SeccompAction, Rules)> = Vec::new();
    for rule in profile.rules(capabilities) {
        let action = rule.action()?;
        // A rule that repeats the default still takes away what another one allows.
        if strictness(&action) < strictness(&default) {
            add(&mut allowed, rule)?;
        }
        if action != SeccompAction::Allow {
            let place = others.iter().position(|(known, _)| *known == action);
            let place = place.unwrap_or_else(|| {
                others.push((action, Rules::new()));
                others.len() - 1
            });
            add(&mut others[place].1, rule)?;
        }
    }
    let mut filters = Vec::new();
    if default != SeccompAction::Allow {
        let plain = take_plain(&mut allowed);
        filters.push(Filter {
            plain: plain::allow(plain, arch),
            rest: filter(allowed, default, SeccompAction::Allow, arch)?,
        });
    }
    for (action, rules) in others {
        if !rules.is_empty() {
            filters.push(Filter {
                plain: Vec::new(),
                rest: filter(rules, SeccompAction::Allow, action, arch)?,
            });
        }
    }
    Ok(filters)
}

/// Takes out the calls that hold without a condition, in ascending order.
fn take_plain(rules: &mut Rules) -> Vec<u32> {
    let plain = |call: i64, rules: &[SeccompRule]| {
        rules.is_empty().then(|| u32::try_from(call).ok()).flatten()
    };
    let taken = rules.iter().filter_map(|(call, rules)| plain(*call, rules));
    let taken: Vec<_> = taken.collect();
    rules.retain(|call, rules| plain(*call, rules).is_none());
    taken
}

fn filter(
    rules: Rules,
    otherwise: SeccompAction,
    action: SeccompAction,
    arch: TargetArch,
) -> Result<SeccompFilter, String> {
    SeccompFilter::new(rules, otherwise, action, arch).map_err(|error| error.to_string())
}

/// The kernel's order of actions.
fn strictness(action: &SeccompAction) -> u8 {
    match action {
        SeccompAction::Allow => 0,
        SeccompAction::Log => 1,
        SeccompAction::Trace(_) => 2,
        SeccompAction::Errno(_) => 3,
        SeccompAction::Trap => 4,
        SeccompAction::KillThread => 5,
        SeccompAction::KillProcess => 6,
    }
}

/// Adds a rule for each of its system calls that this machine has. Profiles name those of all
/// machines.
fn add(rules: &mut Rules, rule: &Rule) -> Result<(), String> {
    let conditions = alternatives(&rule.arguments)?;
    for name in rule.names() {
        let Ok(call) = name.parse::<syscalls::Sysno>() else {
            continue;
        };
        match rules.entry(i64::from(call.id())) {
            // Without a condition it holds always, whatever else is said.
            std::collections::btree_map::Entry::Occupied(known) if known.get().is_empty() => {}
            std::collections::btree_map::Entry::Occupied(mut known) if conditions.is_empty() => {
                known.get_mut().clear();
            }
            entry => entry.or_default().extend(conditions.iter().cloned()),
        }
    }
    Ok(())
}

/// All conditions must hold together; but of several on one argument, any (OCI runtimes do so).
fn alternatives(arguments: &[Argument]) -> Result<Vec<SeccompRule>, String> {
    if arguments.is_empty() {
        return Ok(Vec::new());
    }
    let places: BTreeSet<u32> = arguments.iter().map(|argument| argument.index).collect();
    let any = places.len() < arguments.len();
    let conditions: Result<Vec<_>, _> = arguments.iter().map(condition).collect();
    let conditions = conditions?;
    let rule = |conditions| SeccompRule::new(conditions).map_err(|error| error.to_string());
    if any {
        conditions.into_iter().map(|one| rule(vec![one])).collect()
    } else {
        Ok(vec![rule(conditions)?])
    }
}

fn condition(argument: &Argument) -> Result<SeccompCondition, String> {
    let index = u8::try_from(argument.index).map_err(|_| "no call has so many arguments")?;
    let (operator, value) = match argument.comparison {
        Comparison::NotEqual => (SeccompCmpOp::Ne, argument.value),
        Comparison::Less => (SeccompCmpOp::Lt, argument.value),
        Comparison::LessOrEqual => (SeccompCmpOp::Le, argument.value),
        Comparison::Equal => (SeccompCmpOp::Eq, argument.value),
        Comparison::GreaterOrEqual => (SeccompCmpOp::Ge, argument.value),
        Comparison::Greater => (SeccompCmpOp::Gt, argument.value),
        Comparison::MaskedEqual => (
            SeccompCmpOp::MaskedEq(argument.value),
            argument.second_value,
        ),
    };
    SeccompCondition::new(index, SeccompCmpArgLen::Qword, operator, value)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
