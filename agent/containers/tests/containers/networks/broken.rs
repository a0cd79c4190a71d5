//! Plugins that fail, hang, lie and talk nonsense: the launch fails with what they said, and
//! nothing is left.

use std::time::Duration;

use super::{
    plugins::{calls, configure, write_plugin},
    *,
};

/// Launches a container on a network of one good plugin and one that does this when it adds;
/// returns what is told.
async fn refused_by(machine: &Machine, name: &str, then: &str) -> String {
    let folder = folder(machine);
    write_plugin(&folder, "good", "");
    let then = format!("if [ $CNI_COMMAND = ADD ]; then {then}; fi");
    write_plugin(&folder, "bad", &then);
    configure(&folder, "net", "1.0.0", &["good", "bad"]);
    let mut spec = machine.shell(name, "sleep 60");
    attached(&mut spec, &["net"]);
    let error = machine.runtime.launch(spec.clone()).await.unwrap_err();
    let told: Vec<_> = calls(&folder)
        .into_iter()
        .filter(|call| call.contains(name))
        .collect();
    let expected = ["ADD good", "ADD bad", "DEL bad", "DEL good"];
    let expected: Vec<_> = expected
        .iter()
        .map(|call| format!("{call} {name} eth0"))
        .collect();
    assert_eq!(told, expected, "what was added is deleted: {error}");
    assert_nothing_left(machine);
    // The same name can be used again, and the agent still launches.
    spec.network = NetworkSpec::Host;
    spec.program = tepui_containers::Program::Shell("exit 5".to_owned());
    assert_eq!(machine.run(spec).await.exit, exited(5));
    error.to_string()
}

#[tokio::test]
async fn a_plugin_that_fails_is_quoted() {
    let Some(machine) = machine() else { return };
    let failure =
        r#"echo '{"cniVersion": "1.0.0", "code": 100, "msg": "no room", "details": "x"}'; exit 1"#;
    let error = refused_by(&machine, "failed", failure).await;
    let expected = "network 'net': the plugin 'bad' failed to attach the container: no room: x";
    assert_eq!(error, expected);
    let error = refused_by(&machine, "grumbling", "echo 'what is this' >&2; exit 3").await;
    assert!(error.ends_with("container: what is this"), "{error}");
    let error = refused_by(&machine, "mute", "exit 1").await;
    assert!(error.ends_with("it does not say why"), "{error}");
    let error = refused_by(&machine, "killed", "kill -9 $$").await;
    assert!(error.ends_with("it does not say why"), "{error}");
}

#[tokio::test]
async fn a_plugin_that_speaks_another_version_is_asked_which() {
    let Some(machine) = machine() else { return };
    let folder = folder(&machine);
    let version = r#"case $CNI_COMMAND in
        VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "2.0.0"]}';;
        ADD) echo '{"code": 1, "msg": "incompatible CNI versions"}'; exit 1;;
        esac"#;
    write_plugin(&folder, "other", version);
    configure(&folder, "net", "1.0.0", &["other"]);
    let mut spec = machine.shell("version", "sleep 60");
    attached(&mut spec, &["net"]);
    let error = machine.runtime.launch(spec).await.unwrap_err().to_string();
    assert!(error.contains("this plugin speaks 0.4.0, 2.0.0"), "{error}");
    assert_nothing_left(&machine);
}

#[tokio::test]
async fn a_plugin_that_hangs_is_killed_with_all_that_it_started() {
    let limit = Duration::from_millis(700);
    let Some(machine) = machine_with(|networks| networks.plugin_timeout = limit) else {
        return;
    };
    let file = machine.folder.path().join("child");
    let hang = format!("sleep 1000 & echo $! > {}; wait", file.display());
    let error = refused_by(&machine, "hanging", &hang).await;
    assert!(
        error.contains("did not attach the container within 700ms"),
        "{error}"
    );
    let child = fs::read_to_string(&file).unwrap();
    let child = Path::new("/proc").join(child.trim());
    soon("what it started ended", || !child.exists());
    let deaf = "exec >/dev/null 2>&1; sleep 1000";
    let error = refused_by(&machine, "deaf", deaf).await;
    assert!(error.contains("and was killed"), "{error}");
}

#[tokio::test]
async fn a_plugin_that_lies_or_talks_nonsense_is_not_believed() {
    let Some(machine) = machine() else { return };
    for (name, answer, problem) in [
        ("nonsense", "echo nonsense; exit 0", "expected ident"),
        ("nothing", "exit 0", "EOF while parsing"),
        ("list", "echo '[]'; exit 0", "no object"),
        (
            "address",
            r#"echo '{"ips": [{"address": "10.0.0.999/8"}]}'; exit 0"#,
            "no address",
        ),
        (
            "interface",
            r#"echo '{"ips": [{"address": "10.0.0.9/8", "interface": 4}]}'; exit 0"#,
            "interface 4",
        ),
        (
            "deep",
            r"head -c 100000 /dev/zero | tr '\0' '['; exit 0",
            "recursion limit",
        ),
        (
            "endless",
            "cat /dev/zero; exit 0",
            "more than 1048576 bytes",
        ),
        (
            "loud",
            "cat /dev/zero >&2; exit 0",
            "more than 1048576 bytes",
        ),
    ] {
        let error = refused_by(&machine, name, answer).await;
        assert!(
            error.contains("'bad'") && error.contains(problem),
            "{name}: {error}"
        );
        assert!(error.len() < 5000, "{name} is passed on whole");
    }
}

#[tokio::test]
async fn a_plugin_that_cannot_be_run_is_named_with_what_to_do() {
    let Some(machine) = machine() else { return };
    let folder = folder(&machine);
    configure(&folder, "net", "1.0.0", &["missing"]);
    let mut spec = machine.shell("unfound", ":");
    attached(&mut spec, &["net"]);
    let error = machine
        .runtime
        .launch(spec.clone())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("--network-cni-plugins-dir"), "{error}");
    // What was never there has nothing to delete: only the record waits for the next agent.
    fs::write(folder.join("missing"), "no program").unwrap();
    let machine = machine.restart();
    for found in machine.runtime.recover().await {
        machine.runtime.wait(&found.id).await;
        let error = machine.runtime.remove(&found.id).await.unwrap_err();
        assert!(
            error.to_string().contains("cannot run the plugin"),
            "{error}"
        );
        write_plugin(&folder, "missing", "");
        machine.runtime.remove(&found.id).await.unwrap();
    }
    assert_nothing_left(&machine);
}

#[tokio::test]
async fn ports_that_nobody_maps_are_refused_before_anything_is_done() {
    let Some(machine) = machine() else { return };
    let folder = folder(&machine);
    write_plugin(&folder, "plain", "");
    let text = r#"{"cniVersion": "1.0.0", "name": "net", "type": "plain"}"#;
    fs::write(folder.join("net.conf"), text).unwrap();
    let mut spec = machine.shell("ports", ":");
    spec.network = NetworkSpec::Attached(vec![Attachment {
        network: "net".to_owned(),
        ports: vec![PortMapping {
            host_port: 1,
            container_port: 2,
            protocol: Protocol::Tcp,
        }],
    }]);
    let error = machine.runtime.launch(spec).await.unwrap_err().to_string();
    assert!(error.contains("maps no ports"), "{error}");
    assert!(calls(&folder).is_empty());
    assert_nothing_left(&machine);
}

#[tokio::test]
async fn a_plugin_that_cannot_delete_keeps_the_record_and_nothing_else() {
    let Some(machine) = machine() else { return };
    let folder = folder(&machine);
    write_plugin(&folder, "sticky", "[ $CNI_COMMAND = DEL ] && exit 1");
    write_plugin(&folder, "good", "");
    configure(&folder, "net", "1.0.0", &["good", "sticky"]);
    let mut spec = machine.shell("stuck", ":");
    attached(&mut spec, &["net"]);
    machine.runtime.launch(spec.clone()).await.unwrap();
    machine.runtime.wait(&spec.id).await;
    let error = machine
        .runtime
        .remove(&spec.id)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("'sticky' failed to detach the container"),
        "{error}"
    );
    assert!(calls(&folder).contains(&"DEL good stuck eth0".to_owned()));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(machine.options.runtime_dir.to_str().unwrap()));
    write_plugin(&folder, "sticky", "");
    machine.runtime.remove(&spec.id).await.unwrap();
    assert_nothing_left(&machine);
}
