//! Calls per second and how soon an event comes, over each road: HTTP with JSON, HTTP with
//! protobuf, gRPC.
//!
//! `operators`: several callers ask the core the same small question, each on a connection that it
//! keeps. `frameworks`: one asks for tasks that nobody knows, one after the other for the time from
//! the call to its event, and many at once for events per second. The bench is at the other end of
//! each connection, on the same processors.

mod line;

use std::{
    thread,
    time::{Duration, Instant},
};

use prost::Message;
use tepui_cluster_tests::Cluster;
use tepui_proto::{
    services::operator_client::OperatorClient,
    v1::master::{Call, call::Type},
};

use self::line::Line;
use super::{
    framework::{block_on, text},
    http::{Connection, Head},
};
use crate::{Settings, report::Report};

/// Callers at a time.
const CALLERS: usize = 8;
/// How long they call.
const SPAN: Duration = Duration::from_secs(2);
/// Events that are waited for one by one.
const SINGLE: usize = 2_000;
/// Calls that are under way at once, and how often that many.
const AT_ONCE: usize = 64;
const ROUNDS: usize = 300;

/// A way to a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Road {
    Json,
    Protobuf,
    Grpc,
}

impl Road {
    const ALL: [Self; 3] = [Self::Json, Self::Protobuf, Self::Grpc];

    const fn name(self) -> &'static str {
        match self {
            Self::Json => "http-json",
            Self::Protobuf => "http-protobuf",
            Self::Grpc => "grpc",
        }
    }

    const fn media(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf | Self::Grpc => "application/x-protobuf",
        }
    }

    /// A message as it is written on this road.
    fn encode(self, message: &(impl Message + serde::Serialize)) -> Result<Vec<u8>, String> {
        match self {
            Self::Json => serde_json::to_vec(message).map_err(text),
            Self::Protobuf | Self::Grpc => Ok(message.encode_to_vec()),
        }
    }
}

pub(crate) fn run(_: &Settings, report: &mut Report) -> Result<(), String> {
    let cluster = Cluster::start(0);
    let master = cluster.master.address();
    for road in Road::ALL {
        let began = Instant::now();
        let times = operators(master, road)?;
        let span = began.elapsed().as_secs_f64();
        report
            .part(&format!("operators-{}", road.name()))
            .with("callers", CALLERS)
            .with("calls", times.len())
            .with("per_second", format!("{:.0}", times.len() as f64 / span))
            .with_percentiles("call", &times);
    }
    for road in Road::ALL {
        let (single, span) = frameworks(master, road)?;
        let events = AT_ONCE * ROUNDS;
        let rate = events as f64 / span.as_secs_f64();
        report
            .part(&format!("frameworks-{}", road.name()))
            .with("at_once", AT_ONCE)
            .with("events_per_second", format!("{rate:.0}"))
            .with_percentiles("call_to_event", &single);
    }
    Ok(())
}

/// How long each of many calls took.
fn operators(master: &str, road: Road) -> Result<Vec<Duration>, String> {
    let callers = (0..CALLERS).map(|_| {
        let master = master.to_owned();
        thread::spawn(move || match road {
            Road::Grpc => block_on(ask_by_grpc(&master)),
            road => ask_by_http(&master, road),
        })
    });
    let mut times = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        times.extend(caller.join().map_err(|_| "a caller panicked")??);
    }
    Ok(times)
}

fn question() -> Call {
    Call {
        r#type: Some(Type::GetMaster.into()),
        ..Call::default()
    }
}

fn ask_by_http(master: &str, road: Road) -> Result<Vec<Duration>, String> {
    let mut connection = Connection::open(master)?;
    let head = Head {
        path: "/api/v1",
        media: road.media(),
        stream_id: None,
    };
    let body = [road.encode(&question())?];
    let (mut times, end) = (Vec::new(), Instant::now() + SPAN);
    while Instant::now() < end {
        let began = Instant::now();
        let answer = connection.call(head, &body)?;
        times.push(began.elapsed());
        if answer.is_empty() {
            return Err("an empty answer".to_owned());
        }
    }
    Ok(times)
}

async fn ask_by_grpc(master: &str) -> Result<Vec<Duration>, String> {
    let client = OperatorClient::connect(format!("http://{master}"));
    let mut client = client.await.map_err(text)?;
    let (mut times, end) = (Vec::new(), Instant::now() + SPAN);
    while Instant::now() < end {
        let began = Instant::now();
        let answer = client.call(question()).await.map_err(text)?;
        times.push(began.elapsed());
        answer.into_inner().get_master.ok_or("an empty answer")?;
    }
    Ok(times)
}

/// The times from a call to its event, and how long many calls take together.
fn frameworks(master: &str, road: Road) -> Result<(Vec<Duration>, Duration), String> {
    let mut line = Line::open(master, road)?;
    let mut single = Vec::with_capacity(SINGLE);
    for _ in 0..SINGLE {
        let began = Instant::now();
        line.ask(1)?;
        single.push(began.elapsed());
    }
    let began = Instant::now();
    for _ in 0..ROUNDS {
        line.ask(AT_ONCE)?;
    }
    let span = began.elapsed();
    line.leave()?;
    Ok((single, span))
}
