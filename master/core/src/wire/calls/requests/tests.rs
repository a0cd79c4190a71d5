//! Tests of the module that this one belongs to.

use tepui_model::Role;

use super::*;

fn cpus(count: f64) -> v1::Resource {
    v1::Resource {
        name: "cpus".to_owned(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(v1::value::Scalar { value: count }),
        ..v1::Resource::default()
    }
}

fn one() -> v1::Request {
    v1::Request {
        resources: vec![cpus(1.0)],
        ..v1::Request::default()
    }
}

fn parse(requests: Vec<v1::Request>) -> Result<Vec<Ask>, String> {
    asks(call::Request { requests }).map_err(|error| error.to_string())
}

fn problem(change: impl FnOnce(&mut v1::Request)) -> String {
    let mut bad = one();
    change(&mut bad);
    parse(vec![one(), bad]).unwrap_err()
}

#[test]
fn an_ask_without_more_is_one_task_anywhere_in_the_only_role() {
    let asks = parse(vec![one()]).unwrap();
    let plain = Ask {
        role: None,
        agent_id: None,
        resources: Resources::parse("cpus:1", &Role::default()).unwrap(),
        count: 1,
        gang: None,
        priority: 0,
    };
    assert_eq!(asks, [plain]);
    assert_eq!(parse(Vec::new()), Ok(Vec::new()));
}

#[test]
fn an_ask_keeps_its_role_agent_count_gang_and_priority() {
    let mut wire = one();
    wire.resources[0].allocation_info = Some(v1::resource::AllocationInfo {
        role: Some("a/b".to_owned()),
    });
    wire.agent_id = Some(v1::AgentId {
        value: "m-S1".to_owned(),
    });
    wire.tepui_count = Some(7);
    wire.tepui_gang = Some("ring".to_owned());
    wire.tepui_priority = Some(-3);
    let ask = parse(vec![wire]).unwrap().remove(0);
    assert_eq!(ask.role, Some(Role::new("a/b").unwrap()));
    assert_eq!(ask.agent_id, Some(AgentId::new("m-S1").unwrap()));
    assert_eq!((ask.count, ask.priority), (7, -3));
    assert_eq!(ask.gang.as_deref(), Some("ring"));
}

#[test]
fn a_malformed_ask_is_refused_by_place_and_field() {
    let field = "request.requests[1]";
    assert_eq!(
        problem(|ask| ask.resources.clear()),
        format!("{field}.resources: must not be empty")
    );
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
        let problem = problem(|ask| ask.resources = vec![cpus(bad)]);
        assert!(
            problem.starts_with(&format!("{field}.resources: ")),
            "{problem}"
        );
    }
    for count in [0, limits::MAX_COUNT_PER_ASK + 1] {
        assert_eq!(
            problem(|ask| ask.tepui_count = Some(count)),
            format!("{field}.tepui_count: must be between 1 and 1000000, not {count}")
        );
    }
    for gang in [String::new(), "g".repeat(limits::MAX_GANG_NAME_BYTES + 1)] {
        assert_eq!(
            problem(|ask| ask.tepui_gang = Some(gang)),
            format!("{field}.tepui_gang: must have between 1 and 255 bytes")
        );
    }
    let agent = v1::AgentId {
        value: "a/b".to_owned(),
    };
    let problem = problem(|ask| ask.agent_id = Some(agent));
    assert!(
        problem.starts_with(&format!("{field}.agent_id: ")),
        "{problem}"
    );
}

#[test]
fn more_asks_than_anybody_needs_are_refused() {
    let most = limits::MAX_ASKS_PER_REQUEST;
    assert_eq!(parse(vec![one(); most]).unwrap().len(), most);
    assert_eq!(
        parse(vec![one(); most + 1]).unwrap_err(),
        "request.requests: has 1025 items, 1024 are allowed"
    );
}

#[test]
fn a_request_as_mesos_knows_it_is_taken_and_ignored() {
    let action = |requests| request(call::Request { requests }).unwrap();
    let malformed = v1::Request::default();
    for plain in [vec![one(), one()], vec![malformed]] {
        let Action::Ignored(why) = action(plain) else {
            panic!()
        };
        assert!(why.starts_with("REQUEST: "), "{why}");
    }
    let counted = v1::Request {
        tepui_count: Some(1),
        ..one()
    };
    assert!(matches!(action(vec![one(), counted]), Action::Request(asks) if asks.len() == 2));
    assert!(matches!(action(Vec::new()), Action::Request(asks) if asks.is_empty()));
}
