//! HTTP beside gRPC, on the same port.

use axum::{
    Router,
    routing::{MethodRouter, any},
};
use tepui_edge::http::process;

use super::{Node, operator, plain};
use crate::{
    executors::{self, Executors},
    machine::Containers,
};

/// The HTTP routes.
pub(super) fn routes<C: Containers>(node: Node<C>, executors: Executors) -> Router {
    let calls = [
        ("/api/v1", any(operator::call::<C>)),
        // A name that some clients use.
        ("/api/v1/operator", any(operator::call::<C>)),
    ];
    let all = calls
        .into_iter()
        .chain(plain::routes())
        .chain(process::routes());
    let of_node = all.fold(Router::new(), |router, (path, method)| {
        router.merge(everywhere(path, &method))
    });
    of_node.with_state(node).merge(executor_routes(executors))
}

/// The routes of executors.
pub(super) fn executor_routes(executors: Executors) -> Router {
    everywhere("/api/v1/executor", &any(executors::call)).with_state(executors)
}

/// Mesos' endpoints are under the name of its process too, and forgive a slash at the end.
fn everywhere<S: Clone + Send + Sync + 'static>(path: &str, method: &MethodRouter<S>) -> Router<S> {
    let names = [path.to_owned(), format!("/slave(1){path}")];
    let paths = names
        .into_iter()
        .flat_map(|path| [format!("{path}/"), path]);
    paths.fold(Router::new(), |router, path| {
        router.route(&path, method.clone())
    })
}
