//! On each agent, what tasks hold and what is offered is no more than there is, and what the
//! master says is allocated is what the tasks hold. Counted from what operators are shown.

use std::collections::BTreeMap;

use tepui_proto::v1::{self, master::response::get_agents};

use super::{Held, ensure};

/// Thousandths of each scalar resource.
type Sums = BTreeMap<String, i64>;

fn add(sums: &mut Sums, resources: &[v1::Resource]) {
    for resource in resources {
        if let Some(scalar) = &resource.scalar {
            // Quantities are exact to a thousandth.
            let thousandths = (scalar.value * 1000.0).round() as i64;
            *sums.entry(resource.name.clone()).or_default() += thousandths;
        }
    }
}

/// What the tasks on an agent hold, and what is offered of it, fits the agent.
pub(crate) fn add_up<'a>(
    agent: &get_agents::Agent,
    tasks: impl IntoIterator<Item = &'a v1::Task>,
) -> Held {
    let mut held = Sums::new();
    for task in tasks {
        add(&mut held, &task.resources);
    }
    let sums = |resources: &[v1::Resource]| {
        let mut sums = Sums::new();
        add(&mut sums, resources);
        sums
    };
    let allocated = sums(&agent.allocated_resources);
    let name = &agent.agent_info.hostname;
    ensure(allocated == held, || {
        format!("on {name} {allocated:?} is allocated, tasks hold {held:?}")
    })?;
    let total = sums(&agent.total_resources);
    let mut taken = allocated;
    add(&mut taken, &agent.offered_resources);
    let fits = taken
        .iter()
        .all(|(resource, taken)| (0..=total.get(resource).copied().unwrap_or(0)).contains(taken));
    ensure(fits, || {
        format!("on {name} {taken:?} is taken, there is {total:?}")
    })
}

#[cfg(test)]
mod tests {
    use tepui_model::Resources;

    use super::*;

    fn wire(text: &str) -> Vec<v1::Resource> {
        let resources: Resources = text.parse().unwrap();
        resources.to_proto(None)
    }

    fn judge(allocated: &str, offered: &str, tasks: &[&str]) -> Held {
        let agent = get_agents::Agent {
            total_resources: wire("cpus:4;mem:1024"),
            allocated_resources: wire(allocated),
            offered_resources: wire(offered),
            ..get_agents::Agent::default()
        };
        let task = |text: &&str| v1::Task {
            resources: wire(text),
            ..v1::Task::default()
        };
        let tasks: Vec<_> = tasks.iter().map(task).collect();
        add_up(&agent, &tasks)
    }

    #[test]
    fn what_adds_up_is_well() {
        judge("", "", &[]).unwrap();
        judge(
            "cpus:1.5;mem:32",
            "cpus:2.5",
            &["cpus:1;mem:32", "cpus:0.5"],
        )
        .unwrap();
    }

    #[test]
    fn a_resource_that_is_given_away_twice_is_noticed() {
        assert!(judge("cpus:3", "cpus:2", &["cpus:3"]).is_err());
        assert!(judge("gpus:1", "", &["gpus:1"]).is_err(), "there is none");
    }

    #[test]
    fn a_resource_that_leaks_is_noticed() {
        assert!(judge("cpus:2", "", &["cpus:1"]).is_err());
        assert!(judge("cpus:1", "", &["cpus:1", "mem:32"]).is_err());
    }
}
