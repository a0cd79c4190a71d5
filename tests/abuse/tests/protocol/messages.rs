//! P1 to P10, P20, P21, P26: what is said.

use std::io::{BufReader, Write};

use prost::Message;
use serde_json::{Value, json};
use tepui_abuse::{
    Role, Victim,
    http1::{self, JSON, PROTOBUF},
    http2::{self, Connection, DATA, END_HEADERS, HEADERS},
};
use tepui_edge::{http::gzip::pack, limits::BODY_BYTES};
use tepui_proto::v1::{self, scheduler};

/// A field with these bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

fn subscribe(name: &str) -> scheduler::Call {
    let framework_info = v1::FrameworkInfo {
        user: "u".into(),
        name: name.into(),
        ..Default::default()
    };
    scheduler::Call {
        r#type: Some(scheduler::call::Type::Subscribe.into()),
        subscribe: Some(scheduler::call::Subscribe {
            framework_info,
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[test]
fn p01_a_message_of_64_mib_is_refused_before_it_has_come() {
    const LENGTH: usize = (64 << 20) + 1;
    let victim = Victim::start();
    for role in Role::BOTH {
        victim.forget_peak(role);
        for path in [role.operator(), role.other()] {
            let body = vec![b' '; LENGTH];
            let answer = victim.post(role, path, JSON, &body);
            answer.says(413, &format!("over the limit of {BODY_BYTES} bytes"));
        }
        let peak = victim.peak(role) - victim.resident(role).min(victim.peak(role));
        assert!(peak < 128 << 20, "{role:?} took {peak} bytes meanwhile");
    }
    // The length alone is enough over gRPC.
    let mut grpc = Connection::open(victim.address(Role::Master), &[]);
    let head = http2::request("POST", "/tepui.v1.Operator/Call", "application/grpc");
    grpc.send(&http2::frame(HEADERS, END_HEADERS, 1, &head))
        .unwrap();
    let prefix = [&[0][..], &(LENGTH as u32).to_be_bytes()].concat();
    grpc.send(&http2::frame(DATA, 0, 1, &prefix)).unwrap();
    let answer = grpc.find(HEADERS).expect("an answer");
    assert_eq!(answer.flags & http2::END_STREAM, http2::END_STREAM);
    grpc.is_alive();
    victim.is_unharmed();
}

#[test]
fn p02_texts_of_ten_mebibytes_are_refused() {
    let victim = Victim::start();
    let long = "x".repeat(10 << 20);
    let subscribe = subscribe(&long);
    let text = serde_json::to_vec(&subscribe).unwrap();
    for (kind, body) in [(JSON, text), (PROTOBUF, subscribe.encode_to_vec())] {
        let mut stream = BufReader::new(http1::connect(victim.address(Role::Master)));
        let headers = [("Content-Type", kind), ("Accept", JSON)];
        let head = http1::head("POST", "/api/v1/scheduler", &headers, body.len());
        stream.get_mut().write_all(&[head, body].concat()).unwrap();
        let answer = http1::answer(&mut stream).expect("an answer");
        if answer.status == 200 {
            // As Mesos tells what is wrong with a framework.
            let event = http1::chunk(&mut stream).expect("an event");
            let event = String::from_utf8_lossy(&event).into_owned();
            assert!(
                event.contains("\"ERROR\""),
                "{}",
                &event[..event.len().min(300)]
            );
            assert!(event.len() < 4096, "it is told in {} bytes", event.len());
        } else {
            answer.says(400, "name");
            assert!(answer.body.len() < 4096);
        }
    }
    let listing = json!({"type": "LIST_FILES", "list_files": {"path": long}});
    let read = json!({"type": "READ_FILE", "read_file": {"path": long, "offset": 0}});
    for call in [listing, read] {
        let answer = victim.operate(Role::Agent, &call);
        assert!([400, 404].contains(&answer.status), "{}", answer.status);
        assert!(answer.body.len() < 4096, "{} bytes", answer.body.len());
        let answer = victim.operate(Role::Master, &call);
        assert_eq!(answer.status, 404);
        assert!(answer.body.len() < 4096, "{} bytes", answer.body.len());
    }
    victim.is_unharmed();
}

#[test]
fn p03_lists_of_millions_of_nothing_are_refused_for_the_room_that_they_take() {
    let victim = Victim::start();
    let nothing = |field_number| field(field_number, &[]).repeat(8_000_000);
    // Offers to accept, operations, requests, tasks to reconcile, each of two bytes.
    let lists = [(4, 1), (4, 2), (11, 1), (9, 1)];
    for (part, list) in lists {
        let body = field(part, &nothing(list));
        victim.forget_peak(Role::Master);
        let before = victim.resident(Role::Master);
        let answer = victim.post(Role::Master, "/api/v1/scheduler", PROTOBUF, &body);
        assert_eq!(answer.status, 400, "{part}.{list}: {}", answer.text());
        let peak = victim.peak(Role::Master).saturating_sub(before);
        assert!(
            peak < 256 << 20,
            "{part}.{list} took {peak} bytes meanwhile"
        );
    }
    let ids = "{},".repeat(2_000_000);
    let text = format!(r#"{{"type":"DECLINE","decline":{{"offer_ids":[{ids}{{}}]}}}}"#);
    let answer = victim.post(Role::Master, "/api/v1/scheduler", JSON, text.as_bytes());
    assert_eq!(answer.status, 400, "{}", answer.text());
    victim.is_unharmed();
}

#[test]
fn p04_deep_messages_are_refused_and_what_is_taken_can_be_answered() {
    let victim = Victim::start();
    let nested = |depth: usize| {
        // From the inside out, and within each its name: what is outside is written last.
        let mut id = Vec::new();
        for _ in 0..depth {
            let name = field(1, b"x").into_iter().rev();
            let length = length_of(id.len()).into_iter().rev();
            if !id.is_empty() {
                id.extend(length);
                id.push(2 << 3 | 2);
            }
            id.extend(name);
        }
        id.reverse();
        // WAIT_CONTAINER of an agent, in whose part 14 the id is.
        let call: &[u8] = &[8, 23];
        [
            call,
            &[14 << 3 | 2],
            &length_of(field(1, &id).len()),
            &field(1, &id),
        ]
        .concat()
    };
    for depth in [90, 97, 98, 99, 100, 101, 128, 10_000, 100_000] {
        let answer = victim.post(Role::Agent, "/api/v1", PROTOBUF, &nested(depth));
        let code = answer.status;
        // A hundred levels are taken, and that of the call and of its part are two of them.
        let expected: &[u16] = if depth > 100 {
            &[400]
        } else {
            &[400, 404, 501]
        };
        assert!(expected.contains(&code), "{depth}: {}", answer.text());
    }
    victim.is_unharmed();
}

fn length_of(length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_varint(length as u64, &mut out);
    out
}

#[test]
fn p05_a_million_unknown_fields_are_passed_over() {
    let victim = Victim::start();
    let mut unknown = Vec::new();
    for n in 0..1_000_000_u32 {
        prost::encoding::encode_varint(u64::from(1000 + n % 5000) << 3, &mut unknown);
        unknown.push(1);
    }
    let whole = [vec![8, 3], unknown].concat(); // GET_VERSION
    for role in Role::BOTH {
        let answer = victim.post(role, "/api/v1", PROTOBUF, &whole);
        assert_eq!(answer.status, 200, "{role:?}: {}", answer.text());
        let answer = victim.post(role, role.other(), PROTOBUF, &whole[2..]);
        let text = match role {
            Role::Master => "Expecting 'type' to be present",
            // An executor must say who it is, and required fields are part of the form.
            Role::Agent => "Failed to parse body into Call protobuf",
        };
        answer.says(400, text);
    }
    victim.is_unharmed();
}

#[test]
fn p06_wrong_wire_types_are_refused() {
    let victim = Victim::start();
    let values: [(u8, &[u8]); 6] = [
        (0, &[1]),
        (1, &[0; 8]),
        (2, &[1, 0]),
        (3, &[]),
        (4, &[]),
        (7, &[0; 8]),
    ];
    for role in Role::BOTH {
        for path in [role.operator(), role.other()] {
            for number in 1..16_u8 {
                for (wire, value) in values {
                    if (path, number, wire) == ("/api/v1", 1, 0) {
                        // The right one: GET_HEALTH.
                        continue;
                    }
                    let body = [&[number << 3 | wire][..], value].concat();
                    let answer = victim.post(role, path, PROTOBUF, &body);
                    let code = answer.status;
                    assert!((400..500).contains(&code), "{path} {number}/{wire}: {code}");
                }
            }
        }
    }
    victim.is_unharmed();
}

#[test]
fn p07_text_that_is_not_utf8_is_refused() {
    let victim = Victim::start();
    let info = [field(1, b"u"), field(2, b"\xff\xfe")].concat();
    let call = [vec![16, 1], field(3, &field(1, &info))].concat();
    let answer = victim.post(Role::Master, "/api/v1/scheduler", PROTOBUF, &call);
    answer.says(400, "Failed to parse body into Call protobuf");
    for role in Role::BOTH {
        let answer = victim.post(role, "/api/v1", JSON, b"{\"type\": \"\xc3\x28\"}");
        answer.says(400, "Failed to parse body into JSON");
    }
    victim.is_unharmed();
}

#[test]
fn p08_a_message_cut_at_any_byte_is_refused() {
    let victim = Victim::start();
    let call = subscribe("cut");
    let forms = [
        (JSON, serde_json::to_vec(&call).unwrap()),
        (PROTOBUF, call.encode_to_vec()),
    ];
    for (kind, whole) in forms {
        let mut stream = BufReader::new(http1::connect(victim.address(Role::Master)));
        for length in 0..whole.len() {
            let headers = [("Content-Type", kind)];
            let head = http1::head("POST", "/api/v1/scheduler", &headers, length);
            let request = [&head, &whole[..length]].concat();
            stream.get_mut().write_all(&request).unwrap();
            let answer = http1::answer(&mut stream).expect("an answer");
            assert_eq!(answer.status, 400, "{kind} {length}");
        }
    }
    victim.is_unharmed();
}

#[test]
fn p09_what_unpacks_to_much_is_unpacked_no_further_than_the_limit() {
    let victim = Victim::start();
    let bomb = pack(&vec![b' '; 256 << 20]);
    assert!(bomb.len() < 2 << 20, "a hundred to one at least");
    for role in Role::BOTH {
        victim.forget_peak(role);
        let before = victim.resident(role);
        let headers = [("Content-Type", JSON), ("Content-Encoding", "gzip")];
        for path in [role.operator(), role.other()] {
            let answer = http1::post(victim.address(role), path, &headers, &bomb);
            answer.says(413, "over the limit");
        }
        let peak = victim.peak(role).saturating_sub(before);
        assert!(peak < 128 << 20, "{role:?} took {peak} bytes meanwhile");
    }
    victim.is_unharmed();
}

#[test]
fn p20_json_of_a_hundred_thousand_levels_is_refused() {
    let victim = Victim::start();
    let open = ["[", "{\"a\":", "{\"subscribe\":", "[{\"x\":["];
    for role in Role::BOTH {
        for path in [role.operator(), role.other()] {
            for level in open {
                let body = level.repeat(100_000);
                let answer = victim.post(role, path, JSON, body.as_bytes());
                answer.says(400, "Failed to parse body into JSON");
            }
        }
    }
    victim.is_unharmed();
}

#[test]
fn p21_json_that_is_odd_is_refused() {
    let victim = Victim::start();
    let cases: [&[u8]; 9] = [
        b"{\"type\": \"GET_VERSION\0\"}",
        b"\0",
        br#"{"type": "\ud800"}"#,
        br#"{"type": "\udc00\ud800"}"#,
        br#"{"list_files": {"path": 1e400}, "type": "LIST_FILES"}"#,
        br#"{"set_logging_level": {"level": 1e400}, "type": "SET_LOGGING_LEVEL"}"#,
        br#"{"read_file": {"offset": -1}, "type": "READ_FILE"}"#,
        br#"{"type": "GET_VERSION"} {"type": "GET_VERSION"}"#,
        b"\xef\xbb\xbf{\"type\": \"GET_VERSION\"}",
    ];
    for role in Role::BOTH {
        for case in cases {
            let answer = victim.post(role, "/api/v1", JSON, case);
            let shown = String::from_utf8_lossy(case);
            assert_eq!(answer.status, 400, "{role:?} {shown}: {}", answer.text());
        }
    }
    victim.is_unharmed();
}

#[test]
fn p26_a_request_that_is_repeated_has_no_second_effect() {
    let victim = Victim::start();
    let agent =
        victim.ask(Role::Master, "GET_AGENTS")["get_agents"]["agents"][0]["agent_info"]["id"]
            .clone();
    let resource = json!([{"name": "disk", "type": "SCALAR", "scalar": {"value": 1000},
        "reservations": [{"type": "DYNAMIC", "role": "r"}]}]);
    let reserve = json!({"type": "RESERVE_RESOURCES",
        "reserve_resources": {"agent_id": agent, "resources": resource}});
    assert_eq!(victim.operate(Role::Master, &reserve).status, 202);
    // There is not as much a second time.
    assert_eq!(victim.operate(Role::Master, &reserve).status, 409);
    let weights = json!({"type": "UPDATE_WEIGHTS",
        "update_weights": {"weight_infos": [{"role": "r", "weight": 2.0}]}});
    let listed: Vec<Value> = (0..2)
        .map(|_| {
            assert_eq!(victim.operate(Role::Master, &weights).status, 200);
            victim.ask(Role::Master, "GET_WEIGHTS")
        })
        .collect();
    assert_eq!(listed[0], listed[1]);
    victim.is_unharmed();
}
