//! An agent of a few lines, for tests: a program that can be launcher and init, and can be killed.
//!
//! `tepui-test-agent RUNTIME_DIR CGROUP_ROOT SANDBOX ID COMMAND` launches one container, says `started`,
//! and waits to be killed.

use std::{process::ExitCode, time::Duration};

use tepui_containers::{Bytes, Limits, Options, Program, Runtime, Spec};
use tepui_model::{ContainerId, Quantity};

fn main() -> ExitCode {
    if let Some(code) = tepui_containers::init_main() {
        return code;
    }
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: Vec<String>) -> Result<(), Box<dyn std::error::Error>> {
    let [runtime_dir, cgroup_root, sandbox, id, command] = &arguments[..] else {
        return Err("usage: tepui-test-agent RUNTIME_DIR CGROUP_ROOT SANDBOX ID COMMAND".into());
    };
    let runtime = Runtime::probe(Options::new(runtime_dir, cgroup_root))?;
    let spec = Spec {
        id: ContainerId::new(id)?,
        sandbox: sandbox.into(),
        program: Program::Shell(command.clone()),
        environment: Vec::new(),
        user: None,
        hostname: None,
        limits: Limits {
            cpu_shares: Quantity::from_units(1),
            cpu_limit: None,
            memory: Bytes(64 << 20),
            memory_limit: None,
            pids: None,
        },
    };
    runtime.launch(spec).await?;
    println!("started");
    tokio::time::sleep(Duration::MAX).await;
    Ok(())
}
