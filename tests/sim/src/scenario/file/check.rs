//! What no single key of a scenario can tell: whether they make sense together.

use core::time::Duration;
use std::collections::BTreeSet;

use tepui_model::{Capability, Resources, Role, Value};

use super::{
    AgentClass, Behaviour, Deed, Fault, FaultKind, FrameworkGroup, NewQuota, NewWeight, Quantities,
    QuotaText, Scenario, expand,
};
use crate::scenario::limits::{
    MAX_AGENTS, MAX_DURATION, MAX_FRAMEWORKS, MAX_GANG, MAX_SAMPLES, MAX_SCALE, MAX_TASKS,
};

/// Why a scenario cannot be run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidScenario {
    /// It is not a scenario at all; the text names the line and the key.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// A table contradicts itself or another.
    #[error("{table}: {problem}")]
    Sense {
        /// Which table, by its number or name.
        table: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No cluster is that part of another.
    #[error("the scale {0} is not above 0 and at most {MAX_SCALE}")]
    Scale(f64),
}

fn problem(table: impl Into<String>, problem: impl Into<String>) -> InvalidScenario {
    InvalidScenario::Sense {
        table: table.into(),
        problem: problem.into(),
    }
}

impl Scenario {
    pub(super) fn check(&self) -> Result<(), InvalidScenario> {
        self.check_times()?;
        let agents = self.agents.iter().map(|class| u64::from(class.count)).sum();
        within("agents", "count", agents, MAX_AGENTS)?;
        let frameworks = self.frameworks.iter().map(|group| u64::from(group.count));
        within("frameworks", "count", frameworks.sum(), MAX_FRAMEWORKS)?;
        let mut names = BTreeSet::new();
        for group in &self.frameworks {
            let table = format!("frameworks '{}'", group.name);
            if !names.insert(&group.name) {
                return Err(problem(table, "there is another group of that name"));
            }
            check_group(group).map_err(|text| problem(table, text))?;
        }
        for role in &self.roles {
            let table = format!("roles '{}'", role.name);
            for number in [0, role.count.saturating_sub(1)] {
                Role::new(expand(&role.name, number))
                    .map_err(|error| problem(table.clone(), error.to_string()))?;
            }
            within(&table, "count", role.count.into(), MAX_FRAMEWORKS)?;
            if let Some(QuotaText { guarantees, limits }) = &role.quota {
                check_quota(guarantees, limits).map_err(|text| problem(table, text))?;
            }
        }
        for (at, fault) in self.faults.iter().enumerate() {
            let table = format!("faults, the {}.", at + 1);
            check_fault(fault).map_err(|text| problem(table, text))?;
        }
        for (at, deed) in self.events.iter().enumerate() {
            let table = format!("events, the {}.", at + 1);
            self.check_deed(deed).map_err(|text| problem(table, text))?;
        }
        let groups = self.groups();
        match self.expect.names().find(|name| !groups.contains_key(name)) {
            Some(name) => Err(problem(
                "expect",
                format!("no frameworks are named '{name}'"),
            )),
            None => Ok(()),
        }
    }

    fn check_times(&self) -> Result<(), InvalidScenario> {
        if self.duration.is_zero() || self.duration > MAX_DURATION {
            return Err(problem(
                "duration",
                "a run lasts more than nothing and at most 31 days",
            ));
        }
        let interval = self.sample_interval();
        if interval.is_zero() || self.duration.div_duration_f64(interval) > MAX_SAMPLES.into() {
            let text = format!("that makes more than {MAX_SAMPLES} samples");
            return Err(problem("sample", text));
        }
        Ok(())
    }

    fn check_deed(&self, deed: &Deed) -> Result<(), String> {
        let Deed {
            weight,
            quota,
            drain,
            maintenance,
            ..
        } = deed;
        let said = [
            weight.is_some(),
            quota.is_some(),
            drain.is_some(),
            maintenance.is_some(),
        ];
        if said.into_iter().filter(|is_said| *is_said).count() != 1 {
            let what = "weight, quota, drain, or maintenance";
            return Err(format!("it says one thing that happens: {what}"));
        }
        if let Some(NewWeight { role, weight }) = weight {
            is_role(role)?;
            if !weight.is_positive() {
                return Err("a weight is positive".to_owned());
            }
        }
        if let Some(NewQuota {
            role,
            guarantees,
            limits,
        }) = quota
        {
            is_role(role)?;
            check_quota(guarantees, limits)?;
        }
        let racks = drain.iter().map(|drain| &drain.rack);
        let mut racks = racks.chain(maintenance.iter().map(|it| &it.rack));
        racks.try_for_each(|rack| self.check_rack(rack))
    }

    fn check_rack(&self, rack: &str) -> Result<(), String> {
        let number = rack.strip_prefix('r').and_then(|rack| rack.parse().ok());
        let has_rack = |class: &AgentClass| class.racks > number;
        let exists = number.is_some() && self.agents.iter().any(has_rack);
        exists
            .then_some(())
            .ok_or_else(|| format!("no agents are in rack {rack}"))
    }
}

fn is_role(name: &str) -> Result<(), String> {
    let role = Role::new(name);
    role.map(drop).map_err(|error| error.to_string())
}

fn check_quota(guarantees: &Quantities, limits: &Quantities) -> Result<(), String> {
    limits
        .contain(guarantees)
        .then_some(())
        .ok_or_else(|| "a guarantee is at most the limit".to_owned())
}

fn within(table: &str, key: &str, count: u64, most: u32) -> Result<(), InvalidScenario> {
    if (1..=u64::from(most)).contains(&count) || count == 0 && table == "frameworks" {
        return Ok(());
    }
    Err(problem(
        table,
        format!("{key} is {count}; it is at least 1 and at most {most}"),
    ))
}

/// Whether a group has the keys of its behaviour, and no others.
fn check_group(group: &FrameworkGroup) -> Result<(), String> {
    use Behaviour::{Batch, Dead, Flapping, Gang, Greedy, Service, Silent};
    Role::new(expand(&group.role, 0)).map_err(|error| error.to_string())?;
    let behaviour = group.behaviour;
    let keys: [(&str, bool, &[Behaviour], &[Behaviour]); 10] = [
        (
            "task",
            group.task.is_some(),
            &[Service, Batch, Gang, Greedy, Flapping],
            &[],
        ),
        (
            "tasks",
            group.tasks.is_some(),
            &[Service, Batch, Gang, Flapping],
            &[],
        ),
        (
            "lasts",
            group.lasts.is_some(),
            &[Batch, Gang, Flapping],
            &[Greedy],
        ),
        ("jobs", group.jobs.is_some(), &[], &[Batch, Gang, Flapping]),
        ("every", group.every.is_some(), &[], &[Batch, Flapping]),
        (
            "per_offer",
            group.per_offer.is_some(),
            &[],
            &[Service, Batch, Greedy, Flapping],
        ),
        ("asks", group.asks, &[], &[Service, Batch, Flapping]),
        (
            "thinks",
            group.thinks.is_some(),
            &[],
            &[Service, Batch, Greedy, Flapping],
        ),
        ("up", group.up.is_some(), &[Flapping], &[]),
        ("down", group.down.is_some(), &[Flapping], &[]),
    ];
    for (key, is_set, needed, allowed) in keys {
        if needed.contains(&behaviour) && !is_set {
            return Err(format!("{behaviour:?} needs the key {key}").to_lowercase());
        }
        if is_set && !needed.contains(&behaviour) && !allowed.contains(&behaviour) {
            let name = format!("{behaviour:?}").to_lowercase();
            return Err(format!("the key {key} means nothing for behaviour {name}"));
        }
    }
    if matches!(behaviour, Dead | Silent) && group.count == 0 {
        return Err("count is at least 1".to_owned());
    }
    check_work(group)
}

fn check_work(group: &FrameworkGroup) -> Result<(), String> {
    if group.task.as_ref().is_some_and(|task| !is_plain(task)) {
        return Err("a task takes plain quantities, such as cpus:1;mem:1024".to_owned());
    }
    if group
        .tasks
        .is_some_and(|tasks| !(1..=MAX_TASKS).contains(&tasks))
    {
        return Err(format!("tasks is at least 1 and at most {MAX_TASKS}"));
    }
    let is_gang = group.behaviour == Behaviour::Gang;
    if is_gang && group.tasks > Some(MAX_GANG) {
        return Err(format!("a gang has at most {MAX_GANG} tasks"));
    }
    if group.jobs.is_some_and(|jobs| jobs > 1) && group.every.is_none() && !is_gang {
        return Err("several jobs need the key every".to_owned());
    }
    if [group.up, group.down, group.every].contains(&Some(Duration::ZERO)) {
        return Err("up, down and every are more than nothing".to_owned());
    }
    match group
        .capabilities
        .iter()
        .find(|name| capability(name).is_none())
    {
        Some(name) => Err(format!("there is no capability {name}")),
        None => Ok(()),
    }
}

/// Whether that is something, unreserved, and counted in numbers alone.
fn is_plain(task: &Resources) -> bool {
    let is_number = |value: &Value| matches!(value, Value::Scalar(_));
    let mut bundles = task.bundles();
    let is_plain = bundles.all(|(traits, amounts, _)| {
        traits.is_plain() && amounts.iter().all(|(_, value)| is_number(&value))
    });
    is_plain && !task.is_empty()
}

/// A capability by Mesos' name.
pub(in crate::scenario) fn capability(name: &str) -> Option<Capability> {
    use tepui_proto::v1::framework_info::capability::Type;
    Capability::from_proto(Type::from_str_name(name)?)
}

fn check_fault(fault: &Fault) -> Result<(), String> {
    match (fault.at, fault.every) {
        (Some(_), None) => {}
        (None, Some(every)) if !every.is_zero() => {}
        _ => return Err("it says when: at, or every".to_owned()),
    }
    if fault.kind == FaultKind::NetworkPause && fault.lasts.is_none() {
        return Err("a pause says for how long".to_owned());
    }
    if fault.count == 0 {
        return Err("count is at least 1".to_owned());
    }
    Ok(())
}
