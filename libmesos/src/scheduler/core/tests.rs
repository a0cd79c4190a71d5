//! The rules of Mesos' driver, one by one.

use super::*;

fn core(capabilities: &[Capability]) -> Core {
    let capability = |it: &Capability| v1::framework_info::Capability {
        r#type: Some((*it).into()),
    };
    let framework = v1::FrameworkInfo {
        roles: vec!["a".into(), "b".into()],
        capabilities: capabilities.iter().map(capability).collect(),
        ..v1::FrameworkInfo::default()
    };
    Core::new(Terms {
        framework,
        ..Terms::default()
    })
}

fn subscribed() -> Event {
    Event {
        r#type: Some(event::Type::Subscribed.into()),
        subscribed: Some(event::Subscribed {
            framework_id: v1::FrameworkId { value: "f".into() },
            ..event::Subscribed::default()
        }),
        ..Event::default()
    }
}

fn say(core: &mut Core, call: Call) -> Vec<Effect> {
    core.obey(Command::Call(Box::new(call)), 7.0)
}

fn launch() -> Call {
    let task = v1::TaskInfo {
        task_id: v1::TaskId { value: "t".into() },
        agent_id: v1::AgentId { value: "s".into() },
        ..v1::TaskInfo::default()
    };
    calls::accept(
        vec![],
        vec![calls::launch(vec![task])],
        v1::Filters::default(),
    )
}

#[test]
fn the_first_subscription_registers_and_the_next_registers_again() {
    let mut core = core(&[]);
    assert_eq!(core.subscribe().framework_id, None);
    let told = core.hear(subscribed());
    assert!(matches!(&told[1], Effect::Tell(Callback::Registered(id, _)) if id.value == "f"));
    let told = core.lost();
    assert!(matches!(told[..], [Effect::Tell(Callback::Disconnected)]));
    assert!(core.lost().is_empty(), "told once");
    assert_eq!(core.subscribe().framework_id.unwrap().value, "f");
    let told = core.hear(subscribed());
    assert!(matches!(&told[1], Effect::Tell(Callback::Reregistered(_))));
}

#[test]
fn tasks_launched_without_a_master_are_lost_or_dropped() {
    for (capabilities, state) in [
        (&[][..], v1::TaskState::TaskLost),
        (&[Capability::PartitionAware], v1::TaskState::TaskDropped),
    ] {
        let effects = say(&mut core(capabilities), launch());
        let [Effect::Tell(Callback::Update(status))] = &effects[..] else {
            panic!("{effects:?}");
        };
        assert_eq!(status.state(), state);
        assert_eq!(status.reason(), Reason::MasterDisconnected);
        assert_eq!(status.timestamp, Some(7.0));
        assert!(calls::acknowledge(status).is_none());
    }
}

#[test]
fn what_is_said_without_a_master_is_dropped_and_with_one_is_the_frameworks() {
    let mut core = core(&[]);
    let kill = || calls::kill(v1::TaskId { value: "t".into() });
    assert!(say(&mut core, kill()).is_empty());
    core.hear(subscribed());
    let effects = say(&mut core, kill());
    assert!(matches!(&effects[..], [Effect::Send(call)]
        if call.framework_id.as_ref().is_some_and(|it| it.value == "f")));
}

#[test]
fn suppressed_roles_are_said_again_by_the_next_subscription() {
    let mut many = core(&[Capability::MultiRole]);
    say(&mut many, calls::suppress(vec![]));
    say(&mut many, calls::revive(vec!["a".into()]));
    let subscribe = |core: &Core| core.subscribe().subscribe.unwrap();
    assert_eq!(subscribe(&many).suppressed_roles, ["b"]);
    let mut one = core(&[]);
    say(&mut one, calls::suppress(vec![]));
    assert_eq!(subscribe(&one).suppressed_roles, ["*"]);
}

#[test]
fn stopping_ends_the_framework_unless_it_fails_over() {
    let mut leaves = core(&[]);
    leaves.hear(subscribed());
    let effects = leaves.obey(Command::Stop { fails_over: true }, 0.0);
    assert!(matches!(effects[..], [Effect::End]));

    let mut ends = core(&[]);
    ends.hear(subscribed());
    let effects = ends.obey(Command::Stop { fails_over: false }, 0.0);
    assert!(matches!(&effects[..], [Effect::Send(call)] if call.r#type() == call::Type::Teardown));
    let told = ends.failed("Framework has been removed".into());
    assert!(
        matches!(told[..], [Effect::End]),
        "nobody is told: {told:?}"
    );
}

#[test]
fn an_error_of_the_master_is_told_and_ends_the_session() {
    let error = Event {
        r#type: Some(event::Type::Error.into()),
        error: Some(event::Error {
            message: "no".into(),
        }),
        ..Event::default()
    };
    let told = core(&[]).hear(error);
    assert!(
        matches!(&told[..], [Effect::Tell(Callback::Error(text)), Effect::End] if text == "no")
    );
}

#[test]
fn a_failure_is_of_an_executor_or_of_a_whole_agent() {
    let fails = |executor_id: Option<v1::ExecutorId>| {
        let failure = event::Failure {
            agent_id: Some(v1::AgentId { value: "s".into() }),
            executor_id,
            status: Some(9),
        };
        let event = Event {
            r#type: Some(event::Type::Failure.into()),
            failure: Some(failure),
            ..Event::default()
        };
        core(&[]).hear(event)
    };
    let agent = fails(None);
    assert!(
        matches!(&agent[..], [Effect::Tell(Callback::AgentLost(_))]),
        "{agent:?}"
    );
    let executor = fails(Some(v1::ExecutorId { value: "e".into() }));
    assert!(matches!(
        &executor[..],
        [Effect::Tell(Callback::ExecutorLost(_, _, 9))]
    ));
}
