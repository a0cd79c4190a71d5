//! Volumes of the host by the operator's leave, and of the sandbox.

use std::{fs, os::unix::fs::symlink, path::Path};

use tepui_containers::{LaunchError, Spec, VolumeKind, VolumeSpec};

use crate::machine::{Machine, exited, id};

fn volume(kind: VolumeKind, source: &Path, target: &str) -> VolumeSpec {
    VolumeSpec {
        kind,
        source: source.to_owned(),
        target: target.into(),
        read_only: false,
        shared: false,
    }
}

/// A machine that allows a folder of its own, with a file in it.
fn allowing() -> Option<Machine> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.keep();
    fs::write(path.join("file"), "of the host").unwrap();
    Machine::with(|options| options.policy.host_paths = vec![path])
}

fn allowed(machine: &Machine) -> &Path {
    &machine.options.policy.host_paths[0]
}

async fn refused(machine: &Machine, spec: Spec) -> LaunchError {
    let error = machine.runtime.launch(spec).await.unwrap_err();
    assert!(machine.groups().is_empty(), "{error}");
    error
}

#[tokio::test]
async fn folders_and_files_that_the_operator_allows_are_seen_as_asked_for() {
    let Some(machine) = allowing() else { return };
    let line = "cat here/file one; echo more > here/new; echo x > fixed/file";
    let mut spec = machine.shell("host", line);
    let host = |name: &str| allowed(&machine).join(name);
    spec.volumes = vec![
        volume(VolumeKind::HostPath, allowed(&machine), "here"),
        volume(VolumeKind::HostPath, &host("file"), "one"),
        volume(VolumeKind::HostPath, allowed(&machine), "fixed"),
    ];
    spec.volumes[2].read_only = true;
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.out, "of the hostof the host", "{outcome:?}");
    assert!(outcome.err.contains("Read-only"), "{outcome:?}");
    assert_eq!(fs::read_to_string(host("new")).unwrap(), "more\n");
    fs::remove_dir_all(allowed(&machine)).unwrap();
}

#[tokio::test]
async fn what_the_operator_does_not_allow_is_refused_with_the_flag() {
    let Some(machine) = Machine::new() else {
        return;
    };
    for path in ["/", "/etc/passwd"] {
        let mut spec = machine.shell("host", "true");
        spec.volumes = vec![volume(VolumeKind::HostPath, Path::new(path), "here")];
        let error = refused(&machine, spec).await;
        assert!(
            error.to_string().contains("--allowed-host-paths"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn u13_a_link_in_an_allowed_folder_leads_nowhere_else() {
    let Some(machine) = allowing() else { return };
    let base = allowed(&machine).to_owned();
    symlink("/etc", base.join("absolute")).unwrap();
    symlink("../../../../etc", base.join("upwards")).unwrap();
    fs::create_dir(base.join("real")).unwrap();
    symlink("real", base.join("within")).unwrap();
    for name in ["absolute", "upwards", "absolute/ssl", "upwards/ssl"] {
        let mut spec = machine.shell("link", "true");
        spec.volumes = vec![volume(VolumeKind::HostPath, &base.join(name), "here")];
        refused(&machine, spec).await;
    }
    // A folder behind a link that stays inside is fine.
    fs::create_dir(base.join("real/deep")).unwrap();
    let mut spec = machine.shell("within", "test -d here");
    spec.volumes = vec![volume(
        VolumeKind::HostPath,
        &base.join("within/deep"),
        "here",
    )];
    assert_eq!(machine.run(spec).await.exit, exited(0));
    fs::remove_dir_all(base).unwrap();
}

#[tokio::test]
async fn a_folder_of_the_sandbox_is_made_and_seen_elsewhere() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("sandbox", "echo kept > elsewhere/file; id -u");
    spec.volumes = vec![volume(
        VolumeKind::SandboxPath,
        Path::new("a/b"),
        "elsewhere",
    )];
    spec.user = Some("65534".to_owned());
    machine.open_way(&spec);
    let sandbox = spec.sandbox.clone();
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.out, "65534\n", "{outcome:?}");
    assert_eq!(
        fs::read_to_string(sandbox.join("a/b/file")).unwrap(),
        "kept\n"
    );
    let mut spec = machine.shell("trap", "true");
    symlink("/etc", spec.sandbox.join("a")).unwrap();
    spec.volumes = vec![volume(
        VolumeKind::SandboxPath,
        Path::new("a/b"),
        "elsewhere",
    )];
    refused(&machine, spec).await;
    assert!(!Path::new("/etc/b").exists());
}

#[tokio::test]
async fn on_the_host_s_root_no_folder_is_made_for_a_volume() {
    let Some(machine) = allowing() else { return };
    let target = format!("/tepui-no-such-folder-{}", std::process::id());
    let mut spec = machine.shell("absolute", "true");
    spec.volumes = vec![volume(VolumeKind::HostPath, allowed(&machine), &target)];
    let error = refused(&machine, spec.clone()).await;
    assert!(error.to_string().contains(&target), "{error}");
    assert!(!Path::new(&target).exists());
    // One that is there is covered, for the container alone.
    spec.id = id("covered");
    spec.volumes[0].target = "/media".into();
    spec.program = tepui_containers::Program::Shell("cat /media/file".to_owned());
    assert_eq!(machine.run(spec).await.out, "of the host");
    fs::remove_dir_all(allowed(&machine)).unwrap();
}
