//! The table: each call over each road, and whether the same came of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tepui_cluster_tests::can_isolate;
use tepui_conformance::{
    agents, cases,
    executors::{self, Pair, Who},
    outcome::Outcome,
    roads::{Framework, Road, operate},
    scene::Scene,
    stage::{AgentStage, Stage},
    streams::{self, Way},
};
use tepui_proto::v1::{agent, executor, master, scheduler};

/// What each road made of each call, one road after the other.
struct Table {
    calls: Vec<Value>,
    columns: Vec<Vec<Outcome>>,
}

impl Table {
    /// Prints a line for each call, and fails if any road made something else of one.
    fn judge(&self) {
        let mut differ = Vec::new();
        let heads = [
            "gRPC",
            "HTTP JSON",
            "HTTP protobuf",
            "JSON records",
            "pb records",
        ];
        let heads = heads.iter().take(self.columns.len());
        let heads: String = heads.map(|head| format!("{head:<15}")).collect();
        println!("{:<32}{heads}", "call");
        for (row, call) in self.calls.iter().enumerate() {
            let name = call["type"].as_str().unwrap();
            let first = &self.columns[0][row];
            let cells = self.columns.iter().map(|column| {
                if column[row] != *first {
                    differ.push(format!("{call}: {first:?} but {:?}", column[row]));
                    return "differs".to_owned();
                }
                match &column[row] {
                    Outcome::Done(_) => "pass".to_owned(),
                    Outcome::Refused(_) => "refused".to_owned(),
                }
            });
            let cells: Vec<_> = cells.collect();
            let why = match first {
                Outcome::Refused(text) => text.as_str(),
                Outcome::Done(_) => "",
            };
            let cells: String = cells.iter().map(|cell| format!("{cell:<15}")).collect();
            println!("{name:<32}{cells}{why}");
        }
        assert!(differ.is_empty(), "{}", differ.join("\n"));
    }
}

/// The names of the calls of an API that no case makes.
fn without_case(all: impl Iterator<Item = &'static str>, cases: &[Value]) -> Vec<&'static str> {
    let made: BTreeSet<_> = cases.iter().filter_map(|it| it["type"].as_str()).collect();
    let others = ["UNKNOWN", "SUBSCRIBE"];
    all.filter(|name| !made.contains(name) && !others.contains(name))
        .collect()
}

#[tokio::test]
async fn every_operator_call_is_the_same_over_every_road() {
    let calls = cases::operator();
    let all = (0..64).filter_map(|it| master::call::Type::try_from(it).ok());
    let missing = without_case(all.map(|it| it.as_str_name()), &calls);
    assert!(missing.is_empty(), "no case for {missing:?}");
    let mut columns = Vec::new();
    for road in Road::ALL {
        let stage = Stage::new().await;
        let mut column = Vec::new();
        for call in &calls {
            column.push(operate(&stage.place, road, call).await);
        }
        columns.push(column);
        stage.end().await;
    }
    Table { calls, columns }.judge();
}

#[tokio::test]
async fn every_scheduler_call_is_the_same_over_every_road() {
    let calls = cases::scheduler();
    let all = (0..64).filter_map(|it| scheduler::call::Type::try_from(it).ok());
    let missing = without_case(all.map(|it| it.as_str_name()), &calls);
    assert!(missing.is_empty(), "no case for {missing:?}");
    let mut columns = Vec::new();
    for road in Road::ALL {
        let stage = Stage::new().await;
        let mut framework = Framework::subscribe(&stage.place, road).await;
        let mut column = Vec::new();
        for call in &calls {
            column.push(framework.call(call).await);
        }
        columns.push(column);
        drop(framework);
        stage.end().await;
    }
    Table { calls, columns }.judge();
}

#[tokio::test]
async fn every_call_of_an_executor_is_the_same_over_every_road() {
    let cases = executors::cases();
    let shown = |(who, call): &(Who, Value)| match who {
        Who::Framework => json!({"type": format!("(framework) {}", text(call))}),
        _ => call.clone(),
    };
    let subscribe = json!({"type": "SUBSCRIBE"});
    let calls: Vec<_> = std::iter::once(subscribe)
        .chain(cases.iter().map(shown))
        .collect();
    let all = (0..64).filter_map(|it| executor::call::Type::try_from(it).ok());
    let missing = without_case(all.map(|it| it.as_str_name()), &calls);
    assert!(missing.is_empty(), "no case for {missing:?}");
    let mut columns = Vec::new();
    for road in Road::ALL {
        let stage = AgentStage::new().await;
        let (mut pair, subscribed) = Pair::launch(&stage, road).await;
        let mut column = vec![subscribed];
        for (who, call) in &cases {
            column.push(pair.act(*who, call).await);
        }
        columns.push(column);
        drop(pair);
        stage.end().await;
    }
    let heard = format!("{:?}", columns[0]);
    for event in [
        "SUBSCRIBED",
        "LAUNCH",
        "LAUNCH_GROUP",
        "ACKNOWLEDGED",
        "MESSAGE",
        "KILL",
        "SHUTDOWN",
    ] {
        assert!(
            heard.contains(&format!("String(\"{event}\")")),
            "no {event} in {heard}"
        );
    }
    Table { calls, columns }.judge();
}

/// A task's terminal and what else there is of streams, `tepui-cluster-tests` tries.
#[tokio::test]
async fn every_stream_of_an_agent_is_the_same_over_every_road() {
    if !can_isolate() {
        return;
    }
    let scene = Scene::set().await;
    let calls = streams::CALLS.map(|name| json!({"type": name})).to_vec();
    let mut columns = Vec::new();
    for (number, way) in Way::ALL.into_iter().enumerate() {
        columns.push(streams::talk(&scene, way, &format!("session-{number}")).await);
    }
    let expected = json!({"output": "typed\n", "errors": "over\n"});
    assert_eq!(columns[0][0], Outcome::Done(expected));
    Table { calls, columns }.judge();
}

fn text(call: &Value) -> &str {
    call["type"].as_str().unwrap()
}

#[tokio::test]
async fn every_call_of_an_agents_operators_is_the_same_over_every_road() {
    let calls = agents::cases();
    let all = (0..64).filter_map(|it| agent::call::Type::try_from(it).ok());
    let names = all.map(|it| it.as_str_name());
    let missing = without_case(names.filter(|name| !streams::CALLS.contains(name)), &calls);
    assert!(missing.is_empty(), "no case for {missing:?}");
    let mut columns = Vec::new();
    for road in Road::ALL {
        let stage = AgentStage::new().await;
        let mut column = Vec::new();
        for call in &calls {
            column.push(agents::operate(&stage, road, call).await);
        }
        columns.push(column);
        stage.end().await;
    }
    Table { calls, columns }.judge();
}
