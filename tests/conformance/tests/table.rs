//! The table: each call over each road, and whether the same came of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::collections::BTreeSet;

use serde_json::Value;
use tepui_conformance::{
    agents, cases,
    outcome::Outcome,
    roads::{Framework, Road, operate},
    stage::{AgentStage, Stage},
};
use tepui_proto::v1::{agent, master, scheduler};

/// What each road made of each call, one road after the other.
struct Table {
    calls: Vec<Value>,
    columns: Vec<Vec<Outcome>>,
}

impl Table {
    /// Prints a line for each call, and fails if any road made something else of one.
    fn judge(&self) {
        let mut differ = Vec::new();
        let head = ["gRPC", "HTTP JSON", "HTTP protobuf"];
        println!("{:<32}{:<12}{:<12}{}", "call", head[0], head[1], head[2]);
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
            println!(
                "{name:<32}{:<12}{:<12}{:<14}{why}",
                cells[0], cells[1], cells[2]
            );
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
            column.push(operate(&stage, road, call).await);
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
        let mut framework = Framework::subscribe(&stage, road).await;
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
async fn every_call_of_an_agents_operators_is_the_same_over_every_road() {
    let calls = agents::cases();
    let all = (0..64).filter_map(|it| agent::call::Type::try_from(it).ok());
    // Streams are a matter of HTTP; `tepui-agent` and `tepui-cluster-tests` try them.
    let streams = [
        "ATTACH_CONTAINER_INPUT",
        "ATTACH_CONTAINER_OUTPUT",
        "LAUNCH_NESTED_CONTAINER_SESSION",
    ];
    let names = all.map(|it| it.as_str_name());
    let missing = without_case(names.filter(|name| !streams.contains(name)), &calls);
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
