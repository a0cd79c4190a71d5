//! What a run consists of: its machines, its frameworks and how its master is set.

use core::time::Duration;

use tepui_master_core::Config;
use tepui_model::{
    AgentInfo, Capabilities, Capability, Kind, Quantity, Resources, Role, Scalars, Traits, Value,
    resources::{
        DiskTraits, Labels, Persistence, Reservation, ReservationKind, Volume, VolumeMode,
    },
};
use tepui_proto::v1::{self, quota::QuotaConfig};

use crate::{
    dice::Dice,
    faults::Faults,
    framework::{FrameworkNode, Item, Work},
};

pub(crate) const ROLES: [&str; 4] = ["*", "web", "batch", "web/shop"];

/// Reads resources that are written here.
pub(crate) fn resources(text: &str) -> Resources {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn role(name: &str) -> Role {
    Role::new(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Resources that are kept for a role until somebody takes that back.
pub(crate) fn reserved(text: &str, name: &str) -> Resources {
    let reservation = Reservation {
        role: role(name),
        kind: ReservationKind::Dynamic,
        principal: None,
        labels: Labels::new(),
    };
    resources(text).with_traits(|_| Traits {
        reservations: vec![reservation.clone()],
        ..Traits::plain()
    })
}

/// The size of a volume, and by how much it grows or shrinks.
pub(crate) const VOLUME: Quantity = Quantity::from_units(32);

/// A persistent volume of that name on some of these resources, if enough of a disk is reserved.
pub(crate) fn volume(from: &Resources, name: &str) -> Option<Resources> {
    let disk = DiskTraits {
        persistence: Some(Persistence {
            id: name.into(),
            principal: None,
        }),
        volume: Some(Volume {
            container_path: "data".into(),
            host_path: None,
            mode: VolumeMode::ReadWrite,
        }),
        source: None,
    };
    let raw = reserved_disk(from, VOLUME)?;
    Some(raw.with_traits(|traits| Traits {
        disk: Some(disk.clone()),
        ..traits.clone()
    }))
}

/// So much of a disk that is reserved and not in a volume.
pub(crate) fn reserved_disk(from: &Resources, size: Quantity) -> Option<Resources> {
    let is_raw = |traits: &Traits| !traits.reservations.is_empty() && traits.disk.is_none();
    let mut bundles = from.bundles();
    let has_room = |amounts: &Scalars| amounts.get(&Kind::Disk) >= size;
    let found = bundles.find(|(traits, amounts, _)| is_raw(traits) && has_room(amounts.scalars()));
    found.map(|(traits, ..)| Resources::from_item(traits, "disk", &Value::Scalar(size)))
}

/// A quota in its wire form.
pub(crate) fn quota(role: &str, guarantees: &str, limits: &str) -> QuotaConfig {
    let scalars = |text: &str| {
        let scalars = resources(text).scalars();
        let named = scalars.named().map(|(name, quantity)| {
            let value = quantity.as_f64();
            (name.to_owned(), v1::value::Scalar { value })
        });
        named.collect()
    };
    QuotaConfig {
        role: role.to_owned(),
        guarantees: scalars(guarantees),
        limits: scalars(limits),
    }
}

pub(crate) fn hostname(machine: usize) -> String {
    format!("machine-{machine}")
}

/// The settings of the masters of a run. Most are the defaults.
pub(crate) fn master(dice: &mut Dice) -> Config {
    let mut config = Config::new(v1::MasterInfo::default());
    config.offer_timeout = Some(dice.seconds(5, 30));
    if dice.chance(0.5) {
        config.agent_reregister_timeout = dice.seconds(30, 120);
    }
    if dice.chance(0.3) {
        config.agent_ping_timeout = Duration::from_secs(5);
        config.max_agent_ping_timeouts = 3;
    }
    if dice.chance(0.2) {
        config.registry_gc_interval = Duration::from_secs(60);
        // Longer than an agent is away: one that is forgotten meanwhile comes back with its tasks
        // as if nobody had ever given it up.
        config.registry_max_agent_age = Duration::from_secs(600);
    }
    if dice.chance(0.2) {
        config.max_unreachable_tasks_per_framework = 2;
    }
    for name in ROLES {
        let weight = Quantity::from_millis(dice.pick(&[500, 1000, 1000, 4000]));
        config.weights.push((role(name), weight));
    }
    config
}

/// The machines of a run.
pub(crate) fn machines(dice: &mut Dice) -> Vec<AgentInfo> {
    let count = dice.between(1, 6) as usize;
    (0..count).map(|index| machine(index, dice)).collect()
}

/// A machine. Its agent may be given other resources when it is started again.
pub(crate) fn machine(index: usize, dice: &mut Dice) -> AgentInfo {
    let (cpus, memory) = (dice.between(4, 8), dice.between(4096, 8192));
    let reserved = match dice.chance(0.3) {
        true => format!(
            "cpus({role}):1;mem({role}):512;",
            role = dice.pick(&ROLES[1..])
        ),
        false => String::new(),
    };
    let total = resources(&format!(
        "{reserved}cpus:{cpus};mem:{memory};disk:1000;ports:[31000-31019]"
    ));
    let wire = v1::AgentInfo {
        hostname: hostname(index),
        port: Some(5051),
        resources: total.to_proto(None),
        ..v1::AgentInfo::default()
    };
    AgentInfo::try_from(wire).unwrap_or_else(|error| panic!("{error}"))
}

/// The frameworks of a run.
pub(crate) fn frameworks(faults: &Faults, dice: &mut Dice) -> Vec<FrameworkNode> {
    let count = dice.between(1, 4) as usize;
    let numbers = 0..count;
    numbers
        .map(|index| framework(index, faults, dice))
        .collect()
}

fn framework(index: usize, faults: &Faults, dice: &mut Dice) -> FrameworkNode {
    let name = format!("f{index}");
    let (info, roles) = framework_info(&name, faults, dice);
    let jobs = (0..dice.between(1, 8))
        .map(|_| job(dice))
        .collect::<Vec<_>>();
    let services = (0..dice.between(0, 3))
        .map(|_| service(dice))
        .collect::<Vec<_>>();
    let patience = dice.pick(&[Duration::ZERO, Duration::from_secs(60)]);
    let work = Work::new(name, [jobs, services].concat(), patience);
    FrameworkNode::new(index, info, roles, work)
}

/// What a framework says of itself. It may say something else when it is started again.
pub(crate) fn framework_info(
    name: &str,
    faults: &Faults,
    dice: &mut Dice,
) -> (v1::FrameworkInfo, Vec<String>) {
    let first = dice.index(ROLES.len());
    let count = dice.between(1, 2) as usize;
    let roles: Vec<String> = ROLES
        .iter()
        .cycle()
        .skip(first)
        .take(count)
        .map(ToString::to_string)
        .collect();
    let mut capabilities = Vec::new();
    if dice.chance(0.7) {
        capabilities.push(Capability::PartitionAware);
    }
    if dice.chance(0.5) {
        capabilities.push(Capability::TaskKillingState);
    }
    let has_many = roles.len() > 1 || dice.chance(0.5);
    if has_many {
        capabilities.push(Capability::MultiRole);
    }
    let timeout = dice.pick(&[0.0, 5.0, 20.0, 60.0, 120.0, 1000.0]);
    let mut info = v1::FrameworkInfo {
        user: "nobody".to_owned(),
        name: name.to_owned(),
        failover_timeout: Some(timeout),
        checkpoint: Some(true),
        capabilities: capabilities
            .into_iter()
            .collect::<Capabilities>()
            .to_proto(),
        tepui_optimistic_offers: Some(dice.chance(faults.optimism)),
        ..v1::FrameworkInfo::default()
    };
    match has_many {
        true => info.roles.clone_from(&roles),
        #[expect(deprecated, reason = "frameworks without MULTI_ROLE still use it")]
        false => info.role = roles.first().cloned(),
    }
    (info, roles)
}

/// Something that is done when a task for it has finished.
fn job(dice: &mut Dice) -> Item {
    let (cpus, memory) = (dice.between(100, 1000), dice.between(32, 512));
    item(cpus, memory, dice.chance(0.3), false)
}

/// Something that is to run for as long as its framework. All of a run fit on one machine, and
/// leave room for any job.
fn service(dice: &mut Dice) -> Item {
    let (cpus, memory) = (dice.between(50, 200), dice.between(32, 128));
    item(cpus, memory, dice.chance(0.3), true)
}

fn item(cpus: u64, memory: u64, wants_port: bool, is_service: bool) -> Item {
    let cpus = cpus as f64 / 1000.0;
    let reserved = |role: &str| resources(&format!("cpus({role}):{cpus};mem({role}):{memory}"));
    let reserved = ROLES[1..]
        .iter()
        .map(|name| (role(name), reserved(name)))
        .collect();
    let plain = resources(&format!("cpus:{cpus};mem:{memory}"));
    Item::new(plain, reserved, wants_port, is_service)
}
