//! A framework on one of the roads, without the SDK, which would do more than what is measured.

use prost::Message;
use tepui_proto::{
    decode,
    services::scheduler_client::SchedulerClient,
    v1::{
        self,
        scheduler::{Call, Event, call, event},
    },
};
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{
    super::{
        framework::text,
        http::{Connection, Head, Records},
    },
    AT_ONCE, Road,
};

/// A subscribed framework.
pub(super) struct Line {
    road: Road,
    id: Option<v1::FrameworkId>,
    way: Way,
}

enum Way {
    Http {
        calls: Connection,
        events: Records,
        stream_id: String,
    },
    Grpc {
        runtime: Runtime,
        calls: mpsc::Sender<Call>,
        events: Box<Streaming<Event>>,
    },
}

impl Line {
    pub(super) fn open(master: &str, road: Road) -> Result<Self, String> {
        let way = match road {
            Road::Grpc => grpc(master)?,
            road => http(master, road)?,
        };
        let mut line = Self {
            road,
            id: None,
            way,
        };
        let first = line.event()?.subscribed.ok_or("no SUBSCRIBED")?;
        line.id = Some(first.framework_id);
        Ok(line)
    }

    /// Asks for so many tasks that nobody knows, in as many calls, and waits for the answers.
    pub(super) fn ask(&mut self, count: usize) -> Result<(), String> {
        let task = call::reconcile::Task {
            task_id: v1::TaskId {
                value: "nobody".to_owned(),
            },
            agent_id: None,
        };
        let question = Call {
            framework_id: self.id.clone(),
            r#type: Some(call::Type::Reconcile.into()),
            reconcile: Some(call::Reconcile { tasks: vec![task] }),
            ..Call::default()
        };
        self.say(&vec![question; count])?;
        for _ in 0..count {
            while self.event()?.r#type() != event::Type::Update {}
        }
        Ok(())
    }

    /// Leaves for good.
    pub(super) fn leave(mut self) -> Result<(), String> {
        let teardown = Call {
            framework_id: self.id.clone(),
            r#type: Some(call::Type::Teardown.into()),
            ..Call::default()
        };
        self.say(&[teardown])
    }

    fn say(&mut self, messages: &[Call]) -> Result<(), String> {
        let road = self.road;
        match &mut self.way {
            Way::Http {
                calls, stream_id, ..
            } => {
                let bodies: Result<Vec<_>, _> = messages.iter().map(|it| road.encode(it)).collect();
                calls.call(head(road, Some(stream_id)), &bodies?).map(drop)
            }
            Way::Grpc { calls, .. } => {
                for message in messages {
                    // There is room: all that went before was answered.
                    calls.try_send(message.clone()).map_err(text)?;
                }
                Ok(())
            }
        }
    }

    fn event(&mut self) -> Result<Event, String> {
        match &mut self.way {
            Way::Http { events, .. } => {
                let record = events.next()?;
                match self.road {
                    Road::Json => decode::json(&record).map_err(text),
                    _ => Event::decode(&*record).map_err(text),
                }
            }
            Way::Grpc {
                runtime, events, ..
            } => {
                let event = runtime.block_on(events.message()).map_err(text)?;
                event.ok_or_else(|| "the stream ended".to_owned())
            }
        }
    }
}

fn head(road: Road, stream_id: Option<&str>) -> Head<'_> {
    Head {
        path: "/api/v1/scheduler",
        media: road.media(),
        stream_id,
    }
}

fn subscribe() -> Call {
    let framework_info = v1::FrameworkInfo {
        user: "nobody".to_owned(),
        name: "roads".to_owned(),
        ..v1::FrameworkInfo::default()
    };
    Call {
        r#type: Some(call::Type::Subscribe.into()),
        subscribe: Some(call::Subscribe {
            framework_info,
            ..call::Subscribe::default()
        }),
        ..Call::default()
    }
}

fn http(master: &str, road: Road) -> Result<Way, String> {
    let body = road.encode(&subscribe())?;
    let subscribed = Connection::open(master)?.subscribe(head(road, None), &body)?;
    let (events, stream_id) = subscribed;
    Ok(Way::Http {
        calls: Connection::open(master)?,
        events,
        stream_id,
    })
}

fn grpc(master: &str) -> Result<Way, String> {
    let runtime = Runtime::new().map_err(text)?;
    let (calls, outgoing) = mpsc::channel(AT_ONCE + 1);
    let events = runtime.block_on(async {
        let client = SchedulerClient::connect(format!("http://{master}"));
        let mut client = client.await.map_err(text)?;
        calls.send(subscribe()).await.map_err(text)?;
        let events = client.open(ReceiverStream::new(outgoing)).await;
        Ok::<_, String>(events.map_err(text)?.into_inner())
    })?;
    Ok(Way::Grpc {
        runtime,
        calls,
        events: Box::new(events),
    })
}
