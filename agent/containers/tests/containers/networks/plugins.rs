//! What plugins are told, in which order, and what becomes of their work when the agent dies.

use super::*;

/// A plugin that writes down what it is told, does what `then` says, and answers as a good one.
pub(super) fn write_plugin(folder: &Path, name: &str, then: &str) {
    let text = format!(
        r#"#!/bin/sh
input=$(cat)
echo "$CNI_COMMAND {name} $CNI_CONTAINERID $CNI_IFNAME $input" >> {log}
echo "$CNI_NETNS $CNI_PATH" > {folder}/{name}.environment
{then}
[ $CNI_COMMAND = ADD ] && echo '{{"cniVersion": "1.0.0", "ips": [{{"address": "10.9.0.7/16"}}],
    "by": "{name}"}}'
exit 0
"#,
        log = log(folder).display(),
        folder = folder.display(),
    );
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(path, mode).unwrap();
}

/// Configures a network of such plugins.
pub(super) fn configure(folder: &Path, name: &str, version: &str, plugins: &[&str]) {
    let plugins = plugins.iter().map(|kind| {
        format!(r#"{{"type": "{kind}", "capabilities": {{"portMappings": true}}, "own": 1}}"#)
    });
    let plugins = plugins.collect::<Vec<_>>().join(",");
    let text =
        format!(r#"{{"cniVersion": "{version}", "name": "{name}", "plugins": [{plugins}]}}"#);
    fs::write(folder.join(format!("{name}.conflist")), text).unwrap();
}

fn log(folder: &Path) -> std::path::PathBuf {
    folder.join("log")
}

/// What the plugins were told so far, one line each, without their input.
pub(super) fn calls(folder: &Path) -> Vec<String> {
    let lines = lines(folder);
    let short = |line: &String| line.split(" {").next().unwrap().to_owned();
    lines.iter().map(short).collect()
}

fn lines(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(log(folder)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn plugins_are_called_in_order_each_with_the_answer_of_the_one_before() {
    let Some(machine) = machine() else { return };
    let folder = folder(&machine);
    for plugin in ["one", "two"] {
        write_plugin(&folder, plugin, "");
    }
    configure(&folder, "net", "1.0.0", &["one", "two"]);
    let mut spec = machine.shell("told", "sleep 60");
    spec.network = NetworkSpec::Attached(vec![Attachment {
        network: "net".to_owned(),
        ports: vec![PortMapping {
            host_port: 31001,
            container_port: 53,
            protocol: Protocol::Udp,
        }],
    }]);
    machine.runtime.launch(spec.clone()).await.unwrap();
    machine.runtime.check_networks(&spec.id).await.unwrap();
    machine.runtime.kill(&spec.id).await.unwrap();
    machine.runtime.remove(&spec.id).await.unwrap();
    let expected = [
        "ADD one",
        "ADD two",
        "CHECK one",
        "CHECK two",
        "DEL two",
        "DEL one",
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|call| format!("{call} told eth0"))
        .collect();
    assert_eq!(calls(&folder), expected);
    let inputs: Vec<serde_json::Value> = lines(&folder)
        .iter()
        .map(|line| serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap())
        .collect();
    for input in &inputs {
        assert_eq!(
            (&input["name"], &input["cniVersion"]),
            (&"net".into(), &"1.0.0".into())
        );
        assert_eq!(input["own"], 1);
        assert!(input.get("capabilities").is_none(), "{input}");
        let mapping = &input["runtimeConfig"]["portMappings"][0];
        let expected =
            serde_json::json!({"hostPort": 31001, "containerPort": 53, "protocol": "udp"});
        assert_eq!(mapping, &expected);
    }
    assert!(inputs[0].get("prevResult").is_none());
    assert_eq!(inputs[1]["prevResult"]["by"], "one");
    for input in &inputs[2..] {
        assert_eq!(input["prevResult"]["by"], "two", "{input}");
    }
    let environment = fs::read_to_string(folder.join("one.environment")).unwrap();
    let path = format!("{}:{STANDARD_PLUGINS}", folder.display());
    assert_eq!(environment.trim().split_once(' ').unwrap().1, path);
    assert_nothing_left(&machine);
}

#[tokio::test]
async fn an_old_version_of_the_interface_is_not_asked_what_it_does_not_know() {
    let Some(machine) = machine() else { return };
    let folder = folder(&machine);
    write_plugin(&folder, "old", "");
    configure(&folder, "net", "0.3.1", &["old"]);
    let mut spec = machine.shell("aged", "sleep 60");
    attached(&mut spec, &["net"]);
    machine.runtime.launch(spec.clone()).await.unwrap();
    machine.runtime.check_networks(&spec.id).await.unwrap();
    machine.runtime.kill(&spec.id).await.unwrap();
    machine.runtime.remove(&spec.id).await.unwrap();
    assert_eq!(calls(&folder), ["ADD old aged eth0", "DEL old aged eth0"]);
    assert!(
        lines(&folder)
            .iter()
            .all(|line| !line.contains("prevResult"))
    );
}

/// A plugin that waits, when it adds, for as long as a file is there.
fn write_waiting_plugin(folder: &Path, name: &str) {
    let folder_name = folder.display();
    let wait = format!(
        "if [ $CNI_COMMAND = ADD ]; then touch {folder_name}/waits
         while [ -e {folder_name}/waits ]; do sleep 0.02; done
         echo 'LATE' >> {}; fi",
        log(folder).display()
    );
    write_plugin(folder, name, &wait);
}

#[tokio::test]
async fn an_agent_killed_while_a_plugin_adds_leaves_nothing_that_the_next_does_not_remove() {
    let Some(machine) = machine() else { return };
    let folder = folder(&machine);
    write_plugin(&folder, "first", "");
    write_waiting_plugin(&folder, "second");
    configure(&folder, "net", "1.0.0", &["first", "second"]);
    let (run, root) = (
        machine.folder.path().join("agent"),
        format!("{}-agent", machine.options.cgroup_root),
    );
    let mut agent = Command::new(AGENT)
        .arg(&run)
        .arg(&root)
        .arg(machine.sandbox("cut"))
        .args(["cut", "sleep 60", "all", "stay", "net"])
        .arg(&folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let waits = folder.join("waits");
    soon("the plugin waits", || waits.exists());
    agent.kill().unwrap();
    agent.wait().unwrap();
    let networks = machine.options.networks.clone();
    let other = Machine::with(|options| {
        (options.runtime_dir, options.cgroup_root, options.networks) = (run, root, networks);
    });
    let other = other.unwrap();
    let found = other.runtime.recover().await;
    assert_eq!((found.len(), found[0].state), (1, RecoveredState::Exited));
    let removing = tokio::spawn({
        let runtime = other.runtime.clone();
        async move {
            runtime.wait(&id("cut")).await;
            runtime.remove(&id("cut")).await
        }
    });
    tokio::task::yield_now().await;
    // The plugin outlived its agent: what it adds now must be deleted after it.
    fs::remove_file(waits).unwrap();
    removing.await.unwrap().unwrap();
    let calls = calls(&folder);
    let expected = ["LATE", "DEL second cut eth0", "DEL first cut eth0"];
    assert_eq!(calls[calls.len() - 3..], expected, "{calls:?}");
    assert_nothing_left(&other);
}

#[tokio::test]
async fn a_container_whose_agent_was_killed_keeps_its_network_until_it_is_removed() {
    let Some(machine) = machine() else { return };
    let folder = folder(&machine);
    write_plugin(&folder, "first", "");
    configure(&folder, "net", "1.0.0", &["first"]);
    let mut spec = machine.shell(
        "kept",
        "while [ ! -e go ]; do sleep 0.02; done; ls /sys/class/net",
    );
    attached(&mut spec, &["net"]);
    machine.runtime.launch(spec.clone()).await.unwrap();
    let machine = machine.restart();
    machine.runtime.recover().await;
    assert!(tepui_sys::is_network(
        &machine.runtime.network(&spec.id).unwrap()
    ));
    assert_eq!(machine.runtime.attached(&spec.id)[0].network, "net");
    fs::write(spec.sandbox.join("go"), "").unwrap();
    assert_eq!(machine.runtime.wait(&spec.id).await, exited(0));
    let machine = machine.restart();
    machine.runtime.recover().await;
    machine.runtime.wait(&spec.id).await;
    machine.runtime.remove(&spec.id).await.unwrap();
    assert_eq!(
        calls(&folder),
        ["ADD first kept eth0", "DEL first kept eth0"]
    );
    assert_nothing_left(&machine);
}

#[tokio::test]
async fn after_a_reboot_plugins_are_told_that_the_namespace_is_gone() {
    let Some(machine) = machine() else { return };
    let folder = folder(&machine);
    write_plugin(&folder, "first", "");
    configure(&folder, "net", "1.0.0", &["first"]);
    let mut spec = machine.shell("gone", ":");
    attached(&mut spec, &["net"]);
    machine.runtime.launch(spec.clone()).await.unwrap();
    machine.runtime.wait(&spec.id).await;
    let network = machine.runtime.network(&spec.id).unwrap();
    nix::mount::umount2(&network, nix::mount::MntFlags::MNT_DETACH).unwrap();
    machine.runtime.remove(&spec.id).await.unwrap();
    let environment = fs::read_to_string(folder.join("first.environment")).unwrap();
    assert!(environment.starts_with(' '), "no namespace: {environment}");
    assert_nothing_left(&machine);
}
