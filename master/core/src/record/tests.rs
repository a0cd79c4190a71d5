//! Tests of the module that this one belongs to.

use super::*;
use crate::testing::{agent_info, aware, role};

fn every_kind() -> Vec<Record> {
    let agent = AgentId::new("m-S0").unwrap();
    let framework = FrameworkId::new("m-0000").unwrap();
    let lost = LostAgent {
        by_operator: true,
        id: agent.clone(),
        since: Time::from_micros(5),
    };
    vec![
        Record::Agent(AgentRecord {
            info: agent_info("one", "cpus:4;ports:[1-9]").with_id(agent),
            version: "1.2".to_owned(),
            registered: Time::from_micros(7),
        }),
        Record::Unreachable(lost.clone()),
        Record::Gone(lost),
        Record::Framework(FrameworkRecord {
            info: aware().with_id(framework.clone()),
            constraints: Some(Arc::new(OfferConstraints {
                role_constraints: [("a".to_owned(), Default::default())].into(),
            })),
            registered: Time::from_micros(1),
            deadline: Some(Time::from_micros(2)),
        }),
        Record::RemovedFramework {
            id: framework,
            since: Time::from_micros(3),
        },
        Record::Weight {
            role: role("a/b"),
            weight: Quantity::from_millis(2500),
        },
        Record::Deactivated {
            id: AgentId::new("m-S1").unwrap(),
            deactivation: Deactivation {
                drain: Some(crate::Drain {
                    state: crate::DrainState::Drained,
                    max_grace_period: Some(core::time::Duration::from_millis(1500)),
                    mark_gone: true,
                    since: Time::from_micros(4),
                }),
            },
        },
        Record::Maintenance(schedule()),
        Record::Quota {
            role: role("a/b"),
            quota: Quota {
                guarantees: crate::testing::resources("cpus:1.5").scalars(),
                limits: [(tepui_model::Kind::new("gpus"), Quantity::ZERO)]
                    .into_iter()
                    .collect(),
            },
        },
        Record::Priority {
            role: role("a/b"),
            priority: -7,
        },
    ]
}

fn schedule() -> Schedule {
    let machine = tepui_model::MachineId::new("one", "10.0.0.1").unwrap();
    Schedule {
        windows: vec![crate::Window {
            machines: vec![machine.clone()],
            unavailability: tepui_model::Unavailability {
                start: Time::from_micros(6),
                duration: None,
            },
        }],
        down: [machine].into(),
    }
}

#[test]
fn every_record_is_read_back_as_it_was_written() {
    let records = every_kind();
    let kinds: Vec<_> = records.iter().map(Record::kind).collect();
    assert_eq!(kinds, RecordKind::ALL);
    for record in records {
        let again = Record::decode(record.kind(), &record.key(), &record.encode()).unwrap();
        assert_eq!(format!("{again:?}"), format!("{record:?}"));
    }
}

#[test]
fn the_kinds_have_different_names() {
    let mut names = RecordKind::ALL.map(RecordKind::name).to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RecordKind::ALL.len());
}

#[test]
fn a_damaged_record_is_named_and_no_panic() {
    for record in every_kind() {
        let (kind, key) = (record.kind(), record.key());
        let mut bytes = record.encode();
        for cut in 0..bytes.len() {
            let _ = Record::decode(kind, &key, &bytes[..cut]);
        }
        bytes.insert(0, 0xff);
        let error = Record::decode(kind, &key, &bytes).unwrap_err();
        assert_eq!(
            (error.kind, error.key.as_str()),
            (kind.name(), key.as_str())
        );
    }
}

#[test]
fn a_record_under_anothers_key_is_refused() {
    for record in every_kind() {
        let bytes = record.encode();
        if matches!(record.kind(), RecordKind::Agent | RecordKind::Framework) {
            let error = Record::decode(record.kind(), "other", &bytes).unwrap_err();
            assert!(error.to_string().contains("it is about another"), "{error}");
        }
        assert!(Record::decode(record.kind(), "", &bytes).is_err());
    }
}
