//! Commands that are run in the container, with the rights and the environment of its task.

use tepui_agent_core::{Finding, Program};
use tepui_containers::{self as containers, ExitStatus, SessionSpec};
use tepui_model::ContainerId;

use crate::machine::Containers;

/// Runs a command to its end. What it writes concerns nobody; when nobody waits for it any more, it
/// is killed.
pub(super) async fn run(
    containers: &impl Containers,
    container: ContainerId,
    program: Program,
    environment: Vec<(String, String)>,
) -> Finding {
    let program = match program {
        Program::Hold => containers::Program::Hold,
        Program::Shell(line) => containers::Program::Shell(line),
        Program::Exec { path, arguments } => containers::Program::Exec { path, arguments },
        Program::Image { .. } => return Finding::Failed("it names no command".to_owned()),
    };
    let spec = SessionSpec {
        container,
        program,
        environment,
        working_dir: None,
        terminal: None,
    };
    let mut session = match containers.open_session(spec).await {
        Ok(session) => session,
        Err(error) => return Finding::Failed(error.to_string()),
    };
    // One that is gone already reads nothing.
    let _ = session.input.end().await;
    let status = tokio::join!(session.control.wait(), async {
        while session.output.next().await.is_some() {}
    });
    match status.0 {
        ExitStatus::Code(code) => Finding::Exited(code),
        ExitStatus::Signal(signal) => Finding::Exited(128 + signal),
        ExitStatus::Unknown => Finding::Failed("the command ended, and nobody saw how".to_owned()),
    }
}
