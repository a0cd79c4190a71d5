//! What the API asks of the framework's one loop.

use tokio::sync::{mpsc, oneshot};

use crate::{api::AppStatus, core::Refusal, spec::App};

/// Where the answer goes. A client that is gone does not wait for it.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

#[derive(Debug)]
pub(crate) enum Request {
    Deploy {
        apps: Vec<App>,
        reply: Reply<Vec<AppStatus>>,
    },
    List {
        reply: Reply<Vec<AppStatus>>,
    },
    Status {
        name: String,
        reply: Reply<AppStatus>,
    },
    Scale {
        name: String,
        replicas: u32,
        reply: Reply<AppStatus>,
    },
    Remove {
        name: String,
        reply: Reply<()>,
    },
}

/// Sends requests to the loop.
#[derive(Debug, Clone)]
pub(crate) struct Requests(pub(crate) mpsc::Sender<Request>);

impl Requests {
    /// Asks, and waits for the answer; `None` when the framework is shutting down.
    pub(crate) async fn ask<T>(
        &self,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Option<Result<T, Refusal>> {
        let (reply, answer) = oneshot::channel();
        self.0.send(request(reply)).await.ok()?;
        answer.await.ok()
    }
}
