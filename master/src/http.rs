//! Mesos' v1 HTTP API, and plain HTTP beside it: bytes become the same messages that gRPC carries
//! and take the same way.

mod operator;
mod plain;
mod refusal;
mod scheduler;

use axum::{
    Router,
    routing::{MethodRouter, any},
};
use tepui_edge::http::process;

use crate::{desk::Desk, front::Front};

/// What every handler needs; cheap to clone.
#[derive(Clone, Debug)]
struct Site {
    front: Front,
    desk: Desk,
}

/// The HTTP routes.
pub(crate) fn routes(front: Front, desk: Desk) -> Router {
    let routes = [
        ("/api/v1", any(operator::call)),
        // A name that some clients use.
        ("/api/v1/operator", any(operator::call)),
        ("/api/v1/scheduler", any(scheduler::call)),
    ];
    let all = routes
        .into_iter()
        .chain(plain::routes())
        .chain(process::routes());
    let router = all.fold(Router::new(), |router, (path, method)| {
        everywhere(router, path, &method)
    });
    router.with_state(Site { front, desk })
}

/// Mesos' endpoints are under the name of its process too, and forgive a slash at the end.
fn everywhere(router: Router<Site>, path: &str, method: &MethodRouter<Site>) -> Router<Site> {
    let with_slash = |path: String| {
        // What takes the rest of a path takes a slash with it.
        let slash = (!path.contains('*')).then(|| format!("{path}/"));
        [Some(path), slash].into_iter().flatten()
    };
    let names = [path.to_owned(), format!("/master{path}")];
    let paths = names.into_iter().flat_map(with_slash);
    paths.fold(router, |router, path| router.route(&path, method.clone()))
}
