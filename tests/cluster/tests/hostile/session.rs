//! A framework without manners: it says what it is told to, on a bare gRPC stream.

use std::{io::Write, net::TcpStream, time::Duration};

use tepui_cluster_tests::PATIENCE;
use tepui_sdk::{
    model::{Resources, Role},
    v1::{
        self,
        scheduler::{self, Call, Event, call::Type, event},
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

/// One stream to a master.
pub(crate) struct Session {
    calls: mpsc::Sender<Call>,
    events: Streaming<Event>,
    framework: Option<v1::FrameworkId>,
}

impl Session {
    /// Opens a stream with this first call.
    pub(crate) async fn open(address: &str, first: Call) -> Self {
        let channel = Channel::from_shared(format!("http://{address}"))
            .unwrap()
            .connect()
            .await
            .unwrap();
        let mut client = tepui_sdk::services::scheduler_client::SchedulerClient::new(channel)
            .max_encoding_message_size(usize::MAX);
        let (calls, receiver) = mpsc::channel(8);
        calls.send(first).await.unwrap();
        let events = client
            .open(ReceiverStream::new(receiver))
            .await
            .unwrap()
            .into_inner();
        Self {
            calls,
            events,
            framework: None,
        }
    }

    /// Opens a stream and subscribes.
    pub(crate) async fn subscribe(address: &str) -> Self {
        Self::subscribe_with(address, |_| {}).await
    }

    /// The same with a framework that is different in something.
    pub(crate) async fn subscribe_with(
        address: &str,
        change: impl FnOnce(&mut v1::FrameworkInfo),
    ) -> Self {
        let capability = v1::framework_info::capability::Type::PartitionAware;
        let mut framework_info = v1::FrameworkInfo {
            user: "root".to_owned(),
            name: "hostile".to_owned(),
            capabilities: vec![v1::framework_info::Capability {
                r#type: Some(capability.into()),
            }],
            ..Default::default()
        };
        change(&mut framework_info);
        let subscribe = scheduler::call::Subscribe {
            framework_info,
            ..Default::default()
        };
        let first = Call {
            r#type: Some(Type::Subscribe.into()),
            subscribe: Some(subscribe),
            ..Default::default()
        };
        let mut session = Self::open(address, first).await;
        let subscribed = session
            .next_of(event::Type::Subscribed)
            .await
            .subscribed
            .unwrap();
        session.framework = Some(subscribed.framework_id);
        session
    }

    async fn say(&self, kind: Type, call: Call) {
        let framework_id = self.framework.clone();
        // The stream may be over, which is what some tests are about.
        let _ = self
            .calls
            .send(Call {
                r#type: Some(kind.into()),
                framework_id,
                ..call
            })
            .await;
    }

    /// ACCEPT.
    pub(crate) async fn accept(&self, offers: &[&str], operations: Vec<v1::offer::Operation>) {
        let offer_ids = offers
            .iter()
            .map(|&it| v1::OfferId {
                value: it.to_owned(),
            })
            .collect();
        let accept = scheduler::call::Accept {
            offer_ids,
            operations,
            filters: None,
            ..scheduler::call::Accept::default()
        };
        self.say(
            Type::Accept,
            Call {
                accept: Some(accept),
                ..Default::default()
            },
        )
        .await;
    }

    /// REQUEST.
    pub(crate) async fn request(&self, requests: Vec<v1::Request>) {
        let request = scheduler::call::Request { requests };
        self.say(
            Type::Request,
            Call {
                request: Some(request),
                ..Default::default()
            },
        )
        .await;
    }

    /// TEARDOWN.
    pub(crate) async fn teardown(&self) {
        self.say(Type::Teardown, Call::default()).await;
    }

    async fn next(&mut self) -> Result<Option<Event>, Status> {
        tokio::time::timeout(PATIENCE, self.events.message())
            .await
            .expect("the master is silent")
    }

    /// The next event, whatever it is.
    pub(crate) async fn first(&mut self) -> Event {
        self.next().await.unwrap().expect("the stream ended")
    }

    /// The next event of a kind; others are passed over.
    pub(crate) async fn next_of(&mut self, kind: event::Type) -> Event {
        loop {
            let event = self.next().await.unwrap().expect("the stream ended");
            if event.r#type() == kind {
                return event;
            }
        }
    }

    /// The first offer that comes.
    pub(crate) async fn offer(&mut self) -> v1::Offer {
        self.next_of(event::Type::Offers)
            .await
            .offers
            .unwrap()
            .offers
            .remove(0)
    }

    /// The next update that `is_wanted`.
    pub(crate) async fn next_status(
        &mut self,
        is_wanted: impl Fn(&v1::TaskStatus) -> bool,
    ) -> v1::TaskStatus {
        loop {
            let status = self
                .next_of(event::Type::Update)
                .await
                .update
                .unwrap()
                .status;
            if is_wanted(&status) {
                return status;
            }
        }
    }

    /// The next update of a task.
    pub(crate) async fn status_of(&mut self, task: &str) -> v1::TaskStatus {
        self.next_status(|it| it.task_id.value == task).await
    }

    /// Reads to the end of the stream and gives the status, or the text of the ERROR event.
    pub(crate) async fn end(&mut self) -> Option<Status> {
        let mut said = None;
        loop {
            match self.next().await {
                Ok(Some(event)) => {
                    let error = event
                        .error
                        .map(|it| Status::failed_precondition(it.message));
                    said = error.or(said);
                }
                Ok(None) => return said,
                Err(status) => return Some(status),
            }
        }
    }
}

/// Resources of the default role.
pub(crate) fn parse(resources: &str) -> Vec<v1::Resource> {
    let resources = Resources::parse(resources, &Role::default()).unwrap();
    resources.to_proto(Some(&Role::default()))
}

/// A task on the agent of `offer` that sleeps.
pub(crate) fn task(id: &str, offer: &v1::Offer, resources: &str) -> v1::TaskInfo {
    v1::TaskInfo {
        name: id.to_owned(),
        task_id: v1::TaskId {
            value: id.to_owned(),
        },
        agent_id: offer.agent_id.clone(),
        resources: parse(resources),
        command: Some(v1::CommandInfo {
            value: Some("sleep 100".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// LAUNCH.
pub(crate) fn launch(task_infos: Vec<v1::TaskInfo>) -> v1::offer::Operation {
    v1::offer::Operation {
        r#type: Some(v1::offer::operation::Type::Launch.into()),
        launch: Some(v1::offer::operation::Launch { task_infos }),
        ..Default::default()
    }
}

/// Sends bytes on a connection of their own and closes it.
pub(crate) fn send_raw(address: &str, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    // The master may close first.
    let _ = stream.write_all(bytes);
}

/// Begins a gRPC call over HTTP/2 whose message announces more bytes than follow.
pub(crate) fn send_half_a_message(address: &str) {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    let path = b"/tepui.v1.Scheduler/Open";
    // Headers without compression: POST, http, the path, the content type.
    let mut headers = vec![0x83, 0x86, 0x04, path.len() as u8];
    headers.extend(path);
    headers.extend([0x0f, 0x10, 16]);
    headers.extend(b"application/grpc");
    bytes.extend([0, 0, headers.len() as u8, 1, 4, 0, 0, 0, 1]);
    bytes.extend(headers);
    // A frame of data that announces a message of 100 bytes and holds three of it.
    bytes.extend([0, 0, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 100, 8, 1, 18]);
    send_raw(address, &bytes);
}
