//! The calls of an agent that are streams: a program in a task's container that is typed at, and
//! read by two.

use prost::Message;
use serde_json::{Value, from_slice, json, to_value};
use tepui_proto::{
    decode, recordio,
    services::{
        SessionInput, SessionOutput, SessionStart, node_client::NodeClient, session_input::What,
        session_output,
    },
    v1::{
        self,
        agent::{Call, ProcessIo, process_io},
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::{
    http::{self, Answer},
    outcome::Outcome,
    roads::Road,
    scene::Scene,
};

/// It writes what it reads, and in the end a word of its own.
const PROGRAM: &str = "cat; echo over >&2";

const TYPED: &[u8] = b"typed\n";

/// The calls, in the order in which they are made.
pub const CALLS: [&str; 3] = [
    "LAUNCH_NESTED_CONTAINER_SESSION",
    "ATTACH_CONTAINER_OUTPUT",
    "ATTACH_CONTAINER_INPUT",
];

/// A way in which streams come: a road, and whether the answer is named a stream of records.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub road: Road,
    pub is_named: bool,
}

impl Way {
    pub const ALL: [Self; 5] = [
        Self::new(Road::Grpc, false),
        Self::new(Road::Json, false),
        Self::new(Road::Protobuf, false),
        Self::new(Road::Json, true),
        Self::new(Road::Protobuf, true),
    ];

    const fn new(road: Road, is_named: bool) -> Self {
        Self { road, is_named }
    }

    fn headers(self) -> Vec<(&'static str, &'static str)> {
        let media = self.road.media();
        if self.is_named {
            vec![
                ("Accept", "application/recordio"),
                ("Message-Accept", media),
            ]
        } else {
            vec![("Accept", media)]
        }
    }

    fn encode(self, call: &Value) -> Vec<u8> {
        match self.road {
            Road::Json => call.to_string().into_bytes(),
            _ => wire(call).encode_to_vec(),
        }
    }
}

fn wire(call: &Value) -> Call {
    decode::json(call.to_string().as_bytes()).unwrap()
}

/// What a program has written.
#[derive(Default)]
struct Written([Vec<u8>; 2]);

impl Written {
    fn add(&mut self, io: &ProcessIo) {
        let Some(data) = &io.data else { return };
        let of = match data.r#type() {
            process_io::data::Type::Stderr => 1,
            _ => 0,
        };
        self.0[of].extend_from_slice(data.data());
    }

    fn outcome(&self) -> Outcome {
        let [out, err] = self.0.each_ref().map(|it| String::from_utf8_lossy(it));
        Outcome::Done(json!({"output": out, "errors": err}))
    }
}

/// Makes the calls, and gives what came of each.
pub async fn talk(scene: &Scene, way: Way, name: &str) -> Vec<Outcome> {
    if way.road == Road::Grpc {
        return exec(scene).await;
    }
    let id = json!({"value": name, "parent": {"value": scene.container}});
    let launch = json!({"type": CALLS[0], "launch_nested_container_session":
        {"container_id": id, "command": {"value": PROGRAM}}});
    let mut session = post(scene, way, &launch).await;
    // The first record says that it is there.
    let mut written = [Written::default(), Written::default()];
    written[0].add(&next(&mut session, way).await.expect("a heartbeat"));
    let attach = json!({"type": CALLS[1], "attach_container_output": {"container_id": id}});
    let mut output = post(scene, way, &attach).await;
    written[1].add(&next(&mut output, way).await.expect("a heartbeat"));
    let input = input(scene, way, &id).await;
    for (of, stream) in [&mut session, &mut output].into_iter().enumerate() {
        while let Some(io) = next(stream, way).await {
            written[of].add(&io);
        }
    }
    let [session, output] = written.map(|it| it.outcome());
    vec![session, output, input]
}

async fn post(scene: &Scene, way: Way, call: &Value) -> Answer {
    let mut headers = way.headers();
    headers.push(("Content-Type", way.road.media()));
    let mut answer = http::post(scene.agent, "/api/v1", &headers, &way.encode(call)).await;
    if answer.status != 200 {
        panic!("{call}: {}", answer.text().await);
    }
    let (kind, inner) = if way.is_named {
        ("application/recordio", Some(way.road.media()))
    } else {
        (way.road.media(), None)
    };
    assert_eq!(answer.header("content-type"), Some(kind));
    assert_eq!(answer.header("message-content-type"), inner);
    answer
}

async fn next(answer: &mut Answer, way: Way) -> Option<ProcessIo> {
    let record = answer.record().await?;
    Some(match way.road {
        Road::Json => decode::json(&record).unwrap(),
        _ => ProcessIo::decode(&*record).unwrap(),
    })
}

/// Types, and ends the input.
async fn input(scene: &Scene, way: Way, id: &Value) -> Outcome {
    let part = |part: Value| json!({"type": CALLS[2], "attach_container_input": part});
    let to = part(json!({"type": "CONTAINER_ID", "container_id": id}));
    let typed = [TYPED, b""].map(|bytes| {
        let io = to_value(stdin(bytes)).unwrap();
        part(json!({"type": "PROCESS_IO", "process_io": io}))
    });
    let records = std::iter::once(&to).chain(&typed);
    let body = records.flat_map(|call| recordio::encode(&way.encode(call)));
    let media = way.road.media();
    let headers = [
        ("Accept", media),
        ("Content-Type", "application/recordio"),
        ("Message-Content-Type", media),
    ];
    let body: Vec<u8> = body.collect();
    let mut answer = http::post(scene.agent, "/api/v1", &headers, &body).await;
    match answer.status {
        200 => Outcome::Done(from_slice(b"{}").unwrap()),
        _ => Outcome::Refused(answer.text().await),
    }
}

fn stdin(bytes: &[u8]) -> ProcessIo {
    ProcessIo {
        r#type: Some(process_io::Type::Data.into()),
        data: Some(process_io::Data {
            r#type: Some(process_io::data::Type::Stdin.into()),
            data: Some(bytes.to_vec()),
        }),
        control: None,
    }
}

/// The same over gRPC, where one stream each way is all three.
async fn exec(scene: &Scene) -> Vec<Outcome> {
    let client = NodeClient::connect(format!("http://{}", scene.agent)).await;
    let start = SessionStart {
        framework_id: Some(v1::FrameworkId {
            value: scene.framework.clone(),
        }),
        task_id: Some(v1::TaskId {
            value: "long".to_owned(),
        }),
        command: Some(v1::CommandInfo {
            value: Some(PROGRAM.to_owned()),
            ..v1::CommandInfo::default()
        }),
        ..SessionStart::default()
    };
    let (inputs, outgoing) = mpsc::channel(16);
    let ios = [TYPED, b""].map(|bytes| What::ProcessIo(stdin(bytes)));
    for what in std::iter::once(What::Start(start)).chain(ios) {
        inputs
            .send(SessionInput { what: Some(what) })
            .await
            .unwrap();
    }
    let outputs = client.unwrap().exec(ReceiverStream::new(outgoing)).await;
    let mut outputs: Streaming<SessionOutput> = outputs.unwrap().into_inner();
    let mut written = Written::default();
    while let Some(output) = outputs.message().await.unwrap() {
        if let Some(session_output::What::ProcessIo(io)) = output.what {
            written.add(&io);
        }
    }
    let input = Outcome::Done(json!({}));
    vec![written.outcome(), written.outcome(), input]
}
