//! Some resources: how the properties draw them.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;

/// Traits of every sort. There are so few of them that bundles of the same traits meet often.
pub(super) fn traits() -> impl Strategy<Value = Traits> {
    let reservations = select(vec![vec![], vec![], vec!["a"], vec!["b"], vec!["a", "a/b"]]);
    let disk = option::weighted(
        0.3,
        (option::of(select(vec!["v", "w"])), option::of(disk_kind())),
    );
    (
        reservations,
        disk,
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
        dynamic(),
    )
        .prop_map(|(roles, disk, revocable, shared, last)| {
            let mut stack: Vec<_> = roles
                .into_iter()
                .map(|name| Reservation::fixed(role(name)))
                .collect();
            if let (Some(level), Some(dynamic)) = (stack.last_mut(), last) {
                *level = Reservation {
                    role: level.role.clone(),
                    ..dynamic
                };
            }
            let needs_dynamic = stack.iter_mut().skip(1);
            needs_dynamic.for_each(|level| level.kind = ReservationKind::Dynamic);
            let revocable = revocable && stack.is_empty();
            let disk = disk.and_then(|(id, source)| disk_traits(id, source, false).disk);
            let disk = disk.filter(|disk| disk.persistence.is_some() || disk.source.is_some());
            Traits {
                reservations: stack,
                shared: shared && disk.is_some(),
                disk,
                revocable,
                provider: None,
            }
        })
}

fn disk_kind() -> impl Strategy<Value = DiskKind> {
    select(vec![
        DiskKind::Path,
        DiskKind::Mount,
        DiskKind::Block,
        DiskKind::Raw,
    ])
}

fn dynamic() -> impl Strategy<Value = Option<Reservation>> {
    let level = |principal: Option<&str>| Reservation {
        kind: ReservationKind::Dynamic,
        principal: principal.map(Arc::from),
        ..Reservation::fixed(Role::default())
    };
    option::weighted(0.3, option::of(Just("ops")).prop_map(level))
}

fn quantity() -> impl Strategy<Value = super::Value> {
    let few = prop_oneof![1_i64..10, 1_i64..100_000];
    few.prop_map(|millis| super::Value::Scalar(Quantity::from_millis(millis)))
}

fn ranges() -> impl Strategy<Value = super::Value> {
    let numbers = prop::collection::btree_set(0_u64..24, 1..12);
    numbers.prop_map(|numbers| {
        let pairs = numbers.into_iter().map(|number| (number, number));
        super::Value::Ranges(Ranges::from_pairs(pairs).unwrap())
    })
}

fn set() -> impl Strategy<Value = super::Value> {
    let items = prop::collection::btree_set("[a-d]", 1..4);
    items.prop_map(|items| super::Value::Set(Set::from_items(items).unwrap()))
}

/// A name with a value of its type. Disk traits stand on disks only.
pub(super) fn item() -> impl Strategy<Value = (Traits, &'static str, super::Value)> {
    let value = prop_oneof![
        6 => (select(vec!["cpus", "mem", "disk", "gpus", "bandwidth", "licences"]), quantity()),
        3 => (select(vec!["ports", "blocks"]), ranges()),
        1 => (Just("disks"), set()),
    ];
    (traits(), value).prop_map(|(mut traits, (name, value))| match traits.disk {
        Some(_) => {
            let size = Quantity::from_units(1 + i64::from(name.len() as u8 % 3));
            (traits, "disk", super::Value::Scalar(size))
        }
        None => {
            traits.shared = false;
            (traits, name, value)
        }
    })
}

/// Up to eight items.
pub(super) fn resources() -> impl Strategy<Value = Resources> {
    vec(item(), 0..8).prop_map(|items| {
        let mut resources = Resources::new();
        for (traits, name, value) in items {
            resources.insert(&traits, name, &value);
        }
        resources
    })
}

/// Resources that the text form can say: with static reservations at most.
pub(super) fn text_resources() -> impl Strategy<Value = Resources> {
    let parseable = |traits: &Traits| {
        let role = traits.reservation_role().cloned().unwrap_or_default();
        *traits == Traits::reserved(role)
    };
    resources().prop_map(move |resources| resources.filter(parseable))
}

/// Resources and a part of them.
pub(super) fn whole_and_part() -> impl Strategy<Value = (Resources, Resources)> {
    (resources(), resources()).prop_map(|(part, rest)| (&part + &rest, part))
}
