//! An agent of a few lines, for tests: a program that can be launcher and init, and can be killed.
//!
//! `tepui-test-agent RUNTIME_DIR CGROUP_ROOT SANDBOX ID COMMAND ISOLATION wait|stay [NETWORK DIR]`
//! launches one container, says `started`, and then waits for the container, or stays until it is
//! killed. The network's configuration and its plugins are in the folder.

use std::{process::ExitCode, time::Duration};

use tepui_containers::{
    Attachment, Bytes, HandleRange, Limits, NetClasses, NetworkSpec, Networks, Options, Program,
    Runtime, Spec,
};
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
    let [
        runtime_dir,
        cgroup_root,
        sandbox,
        id,
        command,
        isolation,
        then,
        network @ ..,
    ] = &arguments[..]
    else {
        return Err("usage: see the first lines of this program's source".into());
    };
    let mut options = Options::new(runtime_dir, cgroup_root);
    options.isolation = isolation.parse()?;
    if let Ok(primary) = std::env::var("TEPUI_TEST_NET_CLS") {
        options.net_classes = Some(NetClasses {
            primary: NetClasses::half(&primary).ok_or("no handle")?,
            secondary: HandleRange::default(),
        });
    }
    if let [_, folder] = network {
        options.networks = Networks {
            config_dir: Some(folder.into()),
            plugin_dirs: vec![folder.into()],
            ..Networks::default()
        };
    }
    let runtime = Runtime::probe(options)?;
    let id = ContainerId::new(id)?;
    let limits = Limits {
        cpu_shares: Quantity::from_units(1),
        cpu_limit: Some(Quantity::from_units(1)),
        low_cpu_priority: false,
        memory: Bytes(64 << 20),
        memory_limit: None,
        pids: None,
    };
    let mut spec = Spec::new(id.clone(), sandbox, Program::Shell(command.clone()), limits);
    if let [network, _] = network {
        spec.network = NetworkSpec::Attached(vec![Attachment {
            network: network.clone(),
            ports: Vec::new(),
        }]);
    }
    runtime.launch(spec).await?;
    println!("started");
    if then == "stay" {
        tokio::time::sleep(Duration::MAX).await;
    }
    runtime.wait(&id).await;
    Ok(runtime.remove(&id).await?)
}
