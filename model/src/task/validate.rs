//! The rules for tasks that need nothing but the task (Mesos: SPC-02 to SPC-09).

use std::collections::BTreeSet;

use tepui_proto::v1::{self, environment::variable};

use super::TaskInfo;
use crate::{Kind, Quantity, resources::Traits};

/// Why a task is refused: `TASK_ERROR` with `REASON_TASK_INVALID` and this text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskInvalid {
    /// Neither or both of command and executor (Mesos: SPC-02).
    #[error("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present")]
    CommandOrExecutor,
    /// No resources (Mesos: SPC-02).
    #[error("Task uses no resources")]
    NoResources,
    /// A fraction of a GPU (Mesos: SPC-05).
    #[error("Task uses invalid resources: The 'gpus' resource must be an unsigned integer")]
    FractionOfGpu,
    /// A negative span (Mesos: SPC-06).
    #[error("Task's '{0}' must be non-negative")]
    Negative(&'static str),
    /// Revocable and other resources of the same name (Mesos: SPC-08).
    #[error(
        "Task uses invalid resources: Cannot use both revocable and non-revocable '{0}' at the same time"
    )]
    MixedRevocable(String),
    /// Resources of several providers (Mesos: SPC-08).
    #[error("Task uses invalid resources: The resources have multiple resource providers")]
    SeveralProviders,
    /// A volume named twice (Mesos: SPC-08).
    #[error("Task uses duplicate persistence ID: {0}")]
    DuplicatePersistence(String),
    /// A limit that breaks a rule (Mesos: SPC-03).
    #[error("Task's resource limit '{name}' is invalid: {rule}")]
    Limit {
        /// The name of the resource.
        name: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// A variable that breaks a rule (Mesos: SPC-09).
    #[error("Environment variable '{name}' {rule}")]
    Environment {
        /// The name of the variable.
        name: String,
        /// The rule it breaks.
        rule: &'static str,
    },
}

impl TaskInfo {
    /// Checks every rule that needs nothing but the task; the first broken one is told.
    pub fn validate(&self) -> Result<(), TaskInvalid> {
        if self.wire.command.is_some() == self.wire.executor.is_some() {
            return Err(TaskInvalid::CommandOrExecutor);
        }
        self.validate_resources()?;
        self.validate_spans()?;
        self.validate_limits()?;
        let executor = self
            .wire
            .executor
            .as_ref()
            .and_then(|executor| executor.command.as_ref());
        self.wire
            .command
            .iter()
            .chain(executor)
            .try_for_each(validate_environment)
    }

    fn validate_resources(&self) -> Result<(), TaskInvalid> {
        if self.resources.is_empty() {
            return Err(TaskInvalid::NoResources);
        }
        if !self.resources.gpus().is_whole() {
            return Err(TaskInvalid::FractionOfGpu);
        }
        let mut names = [BTreeSet::new(), BTreeSet::new()];
        for (traits, amounts, _) in self.resources.bundles() {
            let names = &mut names[usize::from(traits.revocable)];
            names.extend(amounts.iter().map(|(name, _)| name.to_owned()));
        }
        if let Some(name) = names[0].intersection(&names[1]).next() {
            return Err(TaskInvalid::MixedRevocable(name.clone()));
        }
        self.validate_traits()
    }

    fn validate_traits(&self) -> Result<(), TaskInvalid> {
        let mut providers = BTreeSet::new();
        let mut volumes = BTreeSet::new();
        for (traits, _, count) in self.resources.bundles() {
            providers.insert(&traits.provider);
            if let Some(id) = persistence_id(traits)
                && (!volumes.insert((traits.reservation_role(), id)) || count > 1)
            {
                return Err(TaskInvalid::DuplicatePersistence(id.to_owned()));
            }
        }
        if providers.len() > 1 {
            Err(TaskInvalid::SeveralProviders)
        } else {
            Ok(())
        }
    }

    fn validate_spans(&self) -> Result<(), TaskInvalid> {
        let wire = &self.wire;
        let grace = wire
            .kill_policy
            .as_ref()
            .and_then(|policy| policy.grace_period.as_ref());
        let executor = wire.executor.as_ref();
        let spans = [
            ("kill_policy.grace_period", grace),
            ("max_completion_time", wire.max_completion_time.as_ref()),
            (
                "executor.shutdown_grace_period",
                executor.and_then(|executor| executor.shutdown_grace_period.as_ref()),
            ),
        ];
        let negative =
            |span: &Option<&v1::DurationInfo>| span.is_some_and(|span| span.nanoseconds < 0);
        match spans.into_iter().find(|(_, span)| negative(span)) {
            Some((name, _)) => Err(TaskInvalid::Negative(name)),
            None => Ok(()),
        }
    }

    /// Limits are for CPUs and memory, and not below what is asked for (Mesos: SPC-03).
    fn validate_limits(&self) -> Result<(), TaskInvalid> {
        let mut names: Vec<&String> = self.wire.limits.keys().collect();
        names.sort_unstable();
        for name in names {
            let refuse = |rule| {
                Err(TaskInvalid::Limit {
                    name: name.clone(),
                    rule,
                })
            };
            let kind = Kind::new(name);
            if !matches!(kind, Kind::Cpus | Kind::Memory) {
                return refuse("only 'cpus' and 'mem' can be limited");
            }
            let (limit, request) = (self.wire.limits[name].value, self.resources.scalar(&kind));
            if request.is_zero() {
                return refuse("a limit needs a request of the same resource");
            }
            let enough = limit == f64::INFINITY
                || Quantity::from_f64(limit).is_ok_and(|limit| limit >= request);
            if !enough {
                return refuse("the limit must be a number not below the request");
            }
        }
        Ok(())
    }
}

fn persistence_id(traits: &Traits) -> Option<&str> {
    traits
        .disk
        .as_ref()?
        .persistence
        .as_ref()
        .map(|volume| &*volume.id)
}

/// A variable has a value or a secret, as its type says (Mesos: SPC-09).
fn validate_environment(command: &v1::CommandInfo) -> Result<(), TaskInvalid> {
    let variables = command
        .environment
        .iter()
        .flat_map(|environment| &environment.variables);
    for variable in variables {
        let rule = match (variable.r#type(), &variable.value, &variable.secret) {
            (variable::Type::Value, Some(_), None) | (variable::Type::Secret, None, Some(_)) => {
                if !has_nul(variable) {
                    continue;
                }
                "must not contain NUL"
            }
            (variable::Type::Value, None, _) => "of type 'VALUE' must have a value set",
            (variable::Type::Value, Some(_), Some(_)) => {
                "of type 'VALUE' must not have a secret set"
            }
            (variable::Type::Secret, _, None) => "of type 'SECRET' must have a secret set",
            (variable::Type::Secret, Some(_), Some(_)) => {
                "of type 'SECRET' must not have a value set"
            }
            (variable::Type::Unknown, ..) => "of type 'UNKNOWN' is not allowed",
        };
        return Err(TaskInvalid::Environment {
            name: variable.name.clone(),
            rule,
        });
    }
    Ok(())
}

/// The kernel ends a variable at the first NUL, so one inside would change its meaning.
fn has_nul(variable: &v1::environment::Variable) -> bool {
    let secret = variable
        .secret
        .as_ref()
        .and_then(|secret| secret.value.as_ref());
    variable.name.contains('\0')
        || variable
            .value
            .as_ref()
            .is_some_and(|value| value.contains('\0'))
        || secret.is_some_and(|value| value.data.contains(&0))
}

#[cfg(test)]
mod tests;
