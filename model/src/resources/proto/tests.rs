//! What is taken from the wire, and what is refused.

use super::*;
use crate::resources::PORTS;

fn scalar(name: &str, value: f64) -> v1::Resource {
    v1::Resource {
        name: name.to_owned(),
        r#type: value::Type::Scalar.into(),
        scalar: Some(value::Scalar { value }),
        ..Default::default()
    }
}

fn ranges(name: &str, pairs: &[(u64, u64)]) -> v1::Resource {
    let range = pairs
        .iter()
        .map(|&(begin, end)| value::Range { begin, end });
    v1::Resource {
        name: name.to_owned(),
        r#type: value::Type::Ranges.into(),
        ranges: Some(value::Ranges {
            range: range.collect(),
        }),
        ..Default::default()
    }
}

fn level(kind: reservation_info::Type, role: &str) -> ReservationInfo {
    let role = Some(role.to_owned());
    ReservationInfo {
        r#type: Some(kind.into()),
        role,
        ..Default::default()
    }
}

fn reserved(levels: &[(reservation_info::Type, &str)]) -> v1::Resource {
    let reservations = levels
        .iter()
        .map(|&(kind, role)| level(kind, role))
        .collect();
    v1::Resource {
        reservations,
        ..scalar("cpus", 1.0)
    }
}

fn refusal(wire: v1::Resource) -> String {
    Resources::from_proto(&[wire]).unwrap_err().to_string()
}

fn taken(wire: v1::Resource) -> String {
    Resources::from_proto(&[wire]).unwrap().0.to_string()
}

use reservation_info::Type::{Dynamic, Static, Unknown};

#[test]
fn values_are_refused_for_mesos_reasons() {
    assert_eq!(refusal(scalar("", 1.0)), "Empty resource name");
    let zero = Resources::from_proto(&[scalar("gpus", 0.0), scalar("cpus", 1.0)]);
    let one = Resources::from_proto(&[scalar("cpus", 1.0)]);
    assert_eq!(zero, one, "nothing of a kind is nothing");
    assert_eq!(
        refusal(scalar("cpus", 0.0004)),
        "Invalid scalar resource 'cpus': value <= 0"
    );
    assert_eq!(
        refusal(scalar("cpus", -1.0)),
        "Invalid scalar resource 'cpus': value <= 0"
    );
    assert!(refusal(scalar("cpus", f64::NAN)).contains("finite"));
    assert!(refusal(scalar("cpus", 1e11)).contains("within"));
    assert!(refusal(ranges("ports", &[(5, 4)])).contains("begin 5 is greater than end 4"));
    assert!(refusal(ranges("ports", &[(1, 4), (4, 5)])).contains("overlapping ranges at 4"));
    assert_eq!(taken(scalar("cpus", 1.5123)), "cpus:1.512");
}

#[test]
fn a_value_has_the_type_it_says_and_the_type_of_its_name() {
    let text = v1::Resource {
        r#type: value::Type::Text.into(),
        ..scalar("x", 1.0)
    };
    assert!(refusal(text).contains("exactly one value"));
    let both = v1::Resource {
        set: Some(value::Set::default()),
        ..scalar("x", 1.0)
    };
    assert!(refusal(both).contains("exactly one value"));
    let none = v1::Resource {
        scalar: None,
        ..scalar("x", 1.0)
    };
    assert!(refusal(none).contains("exactly one value"));
    assert!(refusal(scalar(PORTS, 1.0)).contains("must be of type RANGES"));
    assert!(refusal(ranges("mem", &[(1, 2)])).contains("must be of type SCALAR"));
    let mixed = Resources::from_proto(&[scalar("x", 1.0), ranges("x", &[(1, 2)])]);
    assert_eq!(mixed, Err(ResourceError::MixedTypes("x".to_owned())));
}

#[test]
fn names_and_messages_beyond_their_limits_are_refused() {
    assert_eq!(
        taken(scalar(&"n".repeat(MAX_NAME_BYTES), 1.0)).len(),
        MAX_NAME_BYTES + 2
    );
    assert!(refusal(scalar(&"n".repeat(MAX_NAME_BYTES + 1), 1.0)).contains("more than 255 bytes"));
    assert!(refusal(scalar("a\nb", 1.0)).contains("control characters"));
    let many = vec![scalar("cpus", 1.0); MAX_ITEMS + 1];
    assert!(Resources::from_proto(&many[1..]).is_ok());
    let refusal = ResourceError::TooMany {
        what: "resources",
        most: MAX_ITEMS,
    };
    assert_eq!(Resources::from_proto(&many), Err(refusal));
}

#[test]
fn the_older_form_of_reservations_is_taken() {
    #[allow(deprecated)]
    let with_role = |role: &str, reservation: Option<ReservationInfo>| v1::Resource {
        role: Some(role.to_owned()),
        reservation,
        ..scalar("cpus", 1.0)
    };
    assert_eq!(taken(with_role("*", None)), "cpus:1");
    assert_eq!(taken(with_role("a", None)), "cpus(a):1");
    let principal = Some("ops".to_owned());
    let by_ops = ReservationInfo {
        principal,
        ..Default::default()
    };
    let dynamic = with_role("a", Some(by_ops.clone()));
    assert_eq!(taken(dynamic), "cpus(reservations: [(DYNAMIC,a,ops)]):1");
    assert!(refusal(with_role("*", Some(by_ops))).contains("cannot be dynamically reserved"));
    let mut both = with_role("b", None);
    both.reservations = vec![level(Static, "a")];
    assert!(refusal(both.clone()).contains("disagree"));
    both.reservations = vec![level(Static, "b")];
    assert_eq!(taken(both), "cpus(b):1");
}

#[test]
fn a_stack_of_reservations_goes_down_the_tree() {
    let refined = reserved(&[(Static, "a"), (Dynamic, "a/b"), (Dynamic, "a/b/c")]);
    let expected = "cpus(reservations: [(STATIC,a),(DYNAMIC,a/b),(DYNAMIC,a/b/c)]):1";
    assert_eq!(taken(refined), expected);
    assert!(refusal(reserved(&[(Dynamic, "a"), (Static, "a/b")])).contains("may be STATIC"));
    assert!(refusal(reserved(&[(Static, "a"), (Dynamic, "a")])).contains("below the one before"));
    assert!(refusal(reserved(&[(Static, "a"), (Dynamic, "b")])).contains("below the one before"));
    assert!(refusal(reserved(&[(Static, "*")])).contains("cannot be reserved to"));
    assert!(refusal(reserved(&[(Unknown, "a")])).contains("STATIC or DYNAMIC"));
    assert!(refusal(reserved(&[(Static, "")])).contains("empty string"));
    let revocable = v1::Resource {
        revocable: Some(v1::resource::RevocableInfo {}),
        ..reserved(&[(Static, "a")])
    };
    assert!(refusal(revocable).contains("revocable resources cannot be reserved"));
}

#[test]
fn a_stack_deeper_than_the_limit_is_refused() {
    let names: Vec<String> = (1..=MAX_RESERVATION_DEPTH + 1)
        .map(|depth| vec!["a"; depth].join("/"))
        .collect();
    let levels: Vec<_> = names.iter().map(|name| (Dynamic, name.as_str())).collect();
    assert!(Resources::from_proto(&[reserved(&levels[1..])]).is_ok());
    let limit = format!("more than {MAX_RESERVATION_DEPTH} reservations");
    assert!(refusal(reserved(&levels)).contains(&limit));
}

fn with_disk(disk: DiskInfo) -> v1::Resource {
    v1::Resource {
        disk: Some(disk),
        ..scalar("disk", 1.0)
    }
}

#[test]
fn disk_information_stands_on_disks_only_and_follows_its_type() {
    let elsewhere = v1::Resource {
        disk: Some(DiskInfo::default()),
        ..scalar("mem", 1.0)
    };
    assert!(refusal(elsewhere).contains("only 'disk' can have it"));
    assert_eq!(taken(with_disk(DiskInfo::default())), "disk:1");
    let nameless = DiskInfo {
        persistence: Some(Default::default()),
        ..Default::default()
    };
    assert!(refusal(with_disk(nameless)).contains("ID must not be empty"));
    let image = v1::Volume {
        image: Some(v1::Image::default()),
        ..Default::default()
    };
    let image = DiskInfo {
        volume: Some(image),
        ..Default::default()
    };
    assert!(refusal(with_disk(image)).contains("neither image nor source"));
    let source = |kind: disk_info::source::Type, mount| {
        let source = disk_info::Source {
            r#type: kind.into(),
            mount,
            ..Default::default()
        };
        with_disk(DiskInfo {
            source: Some(source),
            ..Default::default()
        })
    };
    use disk_info::source::{Mount, Type};
    assert!(refusal(source(Type::Unknown, None)).contains("unknown"));
    assert!(refusal(source(Type::Block, Some(Mount::default()))).contains("of that type only"));
    let mount = Mount {
        root: Some("/mnt/a".to_owned()),
    };
    assert_eq!(
        taken(source(Type::Mount, Some(mount))),
        "disk[MOUNT:/mnt/a]:1"
    );
}

#[test]
fn all_resources_are_allocated_to_one_role() {
    let allocated = |role: Option<&str>| v1::Resource {
        allocation_info: role.map(|role| v1::resource::AllocationInfo {
            role: Some(role.to_owned()),
        }),
        ..scalar("cpus", 1.0)
    };
    let allocation = |roles: &[Option<&str>]| {
        let wire: Vec<_> = roles.iter().copied().map(allocated).collect();
        Resources::from_proto(&wire).map(|(_, role)| role.map(|role| role.to_string()))
    };
    assert_eq!(allocation(&[None, None]), Ok(None));
    assert_eq!(
        allocation(&[Some("a"), None, Some("a")]),
        Ok(Some("a".to_owned()))
    );
    assert_eq!(
        allocation(&[Some("a"), Some("b")]),
        Err(ResourceError::MixedAllocations)
    );
    assert!(matches!(
        allocation(&[Some("a b")]),
        Err(ResourceError::Role(_))
    ));
}

#[test]
#[allow(deprecated)] // The form is the subject.
fn the_older_form_of_reservations_says_the_same() {
    let level = |kind| Reservation {
        kind,
        principal: Some("me".into()),
        ..Reservation::fixed(Role::new("a").unwrap())
    };
    let of = |stack: Vec<Reservation>| {
        let traits = Traits {
            reservations: stack,
            ..Traits::plain()
        };
        Resources::from_item(&traits, "cpus", &Value::Scalar(Quantity::from_units(1)))
    };
    let fixed = Reservation::fixed(Role::new("a").unwrap());
    let below = Reservation {
        kind: ReservationKind::Dynamic,
        ..Reservation::fixed(Role::new("a/b").unwrap())
    };
    let dynamic = level(ReservationKind::Dynamic);
    for (stack, role, has_reservation) in [
        (Vec::new(), Some("*"), false),
        (vec![fixed.clone()], Some("a"), false),
        (vec![dynamic], Some("a"), true),
        (vec![fixed, below], None, false),
    ] {
        let resources = of(stack);
        let wire = resources.to_proto_as(ReservationForm::Legacy, None);
        assert_eq!(wire[0].role.as_deref(), role);
        assert_eq!(wire[0].reservation.is_some(), has_reservation);
        assert_eq!(wire[0].reservations.is_empty(), role.is_some());
        assert_eq!(Resources::from_proto(&wire), Ok((resources.clone(), None)));
        let both = resources.to_proto_as(ReservationForm::Both, None);
        assert_eq!(both[0].role, wire[0].role);
        assert_eq!(both[0].reservation, wire[0].reservation);
        assert_eq!(
            both[0].reservations,
            resources.to_proto(None)[0].reservations
        );
        assert_eq!(Resources::from_proto(&both), Ok((resources, None)));
    }
}
