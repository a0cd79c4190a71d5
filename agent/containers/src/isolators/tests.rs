//! Tests of the module that this one belongs to.

use std::{collections::BTreeSet, os::fd::OwnedFd, sync::Mutex, time::Duration};

use tepui_model::{ContainerId, Quantity};
use tepui_sys::DeviceRule;

use super::*;
use crate::{
    Bytes, Isolation, Limits, Program, Usage,
    cgroups::{CpuLimits, Entrance, Error, IoLimits},
    init::wire::CgroupView,
    processors::Processors,
    records::Records,
};

/// A cgroup that does nothing but write down its limits.
#[derive(Debug, Default)]
struct FakeGroup(Mutex<Vec<String>>);

impl FakeGroup {
    fn record(&self, line: String) -> Result<(), Error> {
        self.0.lock().unwrap().push(line);
        Ok(())
    }
}

impl Group for FakeGroup {
    fn create(&self) -> Result<(), Error> {
        Ok(())
    }

    fn entrance(&self) -> Entrance {
        Entrance::default()
    }

    fn entrance_beside_others(&self) -> Result<Entrance, Error> {
        Ok(self.entrance())
    }

    fn below(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    fn view(&self) -> CgroupView {
        CgroupView {
            binds: Vec::new(),
            folder: "/cg".into(),
            fresh: false,
        }
    }

    fn set_cpu(&self, limits: CpuLimits) -> Result<(), Error> {
        let CpuLimits {
            millicpus,
            low_priority,
            quota,
        } = limits;
        let low = if low_priority { " low" } else { "" };
        self.record(format!("cpu {millicpus}{low} {quota:?}"))
    }

    fn quota(&self, quota: Duration) -> Option<Quota> {
        Some(Quota {
            file: "/cg/quota".into(),
            value: format!("{quota:?}"),
        })
    }

    fn raise_memory(&self, hard: Bytes, soft: Bytes) -> Result<(), Error> {
        self.set_memory(hard, soft)
    }

    fn set_memory(&self, hard: Bytes, soft: Bytes) -> Result<(), Error> {
        self.record(format!("memory {} {}", hard.0 >> 20, soft.0 >> 20))
    }

    fn unthrottle(&self) -> Result<(), Error> {
        self.record("unthrottle".to_owned())
    }

    fn set_pids(&self, most: u64) -> Result<(), Error> {
        self.record(format!("pids {most}"))
    }

    fn allow_devices(&self, rules: &[DeviceRule]) -> Result<(), Error> {
        self.record(format!("devices {}", rules.len()))
    }

    fn set_processors(&self, processors: &Processors) -> Result<(), Error> {
        self.record(format!("processors {processors:?}"))
    }

    fn set_io(&self, limits: IoLimits) -> Result<(), Error> {
        self.record(format!("io {limits:?}"))
    }

    fn set_net_class(&self, class: u32) -> Result<(), Error> {
        self.record(format!("class {class:#x}"))
    }

    fn forbid_huge_pages(&self) -> Result<(), Error> {
        self.record("no huge pages".to_owned())
    }

    fn processes(&self) -> Result<BTreeSet<u32>, Error> {
        Ok(BTreeSet::new())
    }

    fn kill(&self) -> Result<(), Error> {
        Ok(())
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }

    fn oom_events(&self) -> Result<Option<OwnedFd>, Error> {
        Ok(None)
    }

    fn oom_kills(&self) -> u64 {
        0
    }

    fn memory_report(&self) -> (Bytes, String) {
        (Bytes(0), String::new())
    }

    fn reclaim(&self) {}

    fn remove(&self) -> Result<bool, Error> {
        Ok(true)
    }
}

fn spec(memory_limit: Option<Bytes>, pids: Option<u64>) -> Spec {
    let limits = Limits {
        cpu_shares: Quantity::from_millis(500),
        cpu_limit: Some(Quantity::from_units(2)),
        low_cpu_priority: false,
        memory: Bytes(64 << 20),
        memory_limit,
        pids,
    };
    let id = ContainerId::new("c1").unwrap();
    let mut spec = Spec::new(id, "/sandbox", Program::Shell("true".to_owned()), limits);
    spec.hostname = Some("inside".to_owned());
    spec
}

/// Prepares a container with these isolators; returns what was set on its group, and the plan.
fn prepare(isolation: Isolation, spec: &Spec) -> (Vec<String>, Plan) {
    let (group, mut plan) = (FakeGroup::default(), Plan::default());
    let machine = Machine {
        memory: Bytes(128 << 20),
        ..Machine::default()
    };
    let runtime_dir = tempfile::tempdir().unwrap();
    let records = Records::open(runtime_dir.path()).unwrap();
    let folder = records.folder(&spec.id);
    folder.create().unwrap();
    let (policy, filters) = (Policy::default(), Filters::default());
    let (networks, mut quota) = (Networks::default(), None);
    for isolator in isolation.iter() {
        let mut container = Preparation {
            spec,
            machine: &machine,
            default_pids: 10,
            bytes_per_file: None,
            policy: &policy,
            networks: &networks,
            filters: &filters,
            group: Some(&group),
            plan: &mut plan,
            shared_memory: None,
            parent: None,
            users: None,
            folder: &folder,
            quota: &mut quota,
            hierarchies: None,
            grants: &Grants::default(),
            granted: &Granted::default(),
        };
        isolator.isolate().prepare(&mut container).unwrap();
    }
    let mut limits = group.0.into_inner().unwrap();
    limits.extend(quota.map(|quota| format!("then {}", quota.value)));
    (limits, plan)
}

#[test]
fn every_isolator_adds_its_part() {
    let (limits, plan) = prepare(Isolation::ALL, &spec(None, None));
    let expected = [
        "cpu 500 None",
        "memory 64 64",
        "pids 11",
        "devices 17",
        "then 200ms",
    ];
    assert_eq!(limits, expected);
    let (limits, _) = prepare(Isolation::NONE.with(Isolator::HugePages), &spec(None, None));
    assert_eq!(limits, ["no huge pages"]);
    let mut revocable = spec(None, None);
    revocable.limits.low_cpu_priority = true;
    let (limits, _) = prepare(Isolation::ALL, &revocable);
    assert_eq!(limits[0], "cpu 500 low None");
    assert!(plan.own_mounts && plan.own_processes);
    assert_eq!(plan.hostname.as_deref(), Some("inside"));
    assert_eq!(plan.cgroups.unwrap().folder.to_str(), Some("/cg"));
    let mounts: Vec<_> = plan
        .mounts
        .iter()
        .map(|mount| mount.target.to_str().unwrap())
        .collect();
    let expected = [
        "/proc",
        "/sys",
        "/dev",
        "/dev/pts",
        "/dev/shm",
        "/dev/mqueue",
    ];
    assert_eq!(mounts, expected);
    assert_eq!(
        plan.mounts[4].options,
        format!("mode=1777,size={}", 64 << 20)
    );
    assert_eq!(plan.oom_score_adj, None);
}

#[test]
fn an_isolator_that_is_not_in_use_adds_nothing() {
    let (limits, plan) = prepare(Isolation::NONE, &spec(None, None));
    assert!(limits.is_empty());
    assert_eq!(plan, Plan::default());
}

#[test]
fn a_task_that_may_use_more_than_it_asked_for_goes_first_when_memory_runs_out() {
    let (limits, plan) = prepare(Isolation::ALL, &spec(Some(Bytes(256 << 20)), Some(3)));
    assert_eq!(limits[1..3], ["memory 256 64", "pids 4"]);
    assert_eq!(plan.oom_score_adj, Some(500));
}

#[test]
fn a_quota_changes_at_once_and_goes_when_the_task_may_use_what_is_idle() {
    let mut limits = spec(None, None).limits;
    let isolation = Isolation::NONE.with(Isolator::Cpu);
    let group = FakeGroup::default();
    update(&group, isolation, &limits, IoPolicy::default()).unwrap();
    limits.cpu_limit = None;
    update(&group, isolation, &limits, IoPolicy::default()).unwrap();
    let set = group.0.into_inner().unwrap();
    assert_eq!(set, ["cpu 500 Some(200ms)", "cpu 500 None", "unthrottle"]);
}

#[test]
fn disks_are_weighed_by_the_processors_asked_for_and_bounded_as_the_operator_says() {
    let policy = IoPolicy {
        weight_per_cpu: Some(300),
        most_read: Some(Bytes(7)),
        most_written: None,
    };
    let limits = policy.of(&spec(None, None).limits);
    assert_eq!(
        (limits.weight, limits.most_read),
        (Some(150), Some(Bytes(7)))
    );
    let mut large = spec(None, None).limits;
    large.cpu_shares = Quantity::from_units(64);
    assert_eq!(policy.of(&large).weight, Some(1000), "the kernel's most");
    large.cpu_shares = Quantity::ZERO;
    assert_eq!(policy.of(&large).weight, Some(1));
    assert_eq!(IoPolicy::default().of(&large), IoLimits::default());
}
