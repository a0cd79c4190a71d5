//! Secrets as files, and where they must not be found.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tepui_containers::{SecretFile, Spec};

use crate::{
    machine::{Machine, exited, id, soon},
    roots::{busybox, rooted},
};

const SECRET: &str = "a-secret-of-the-tests-b1946ac9";

fn with_secret(mut spec: Spec, target: &str) -> Spec {
    spec.secrets.push(SecretFile {
        target: target.into(),
        content: SECRET.into(),
    });
    spec
}

/// The files below a folder that hold the secret.
fn holding(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.append(&mut holding(&path)),
            Ok(kind) if kind.is_file() && has_secret(&path) => found.push(path),
            _ => {}
        }
    }
    found
}

fn has_secret(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    bytes
        .windows(SECRET.len())
        .any(|part| part == SECRET.as_bytes())
}

/// The processes of this machine whose command lines hold the secret.
fn told_by_command_lines() -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.map(|process| process.path().join("cmdline"));
    lines.filter(|path| has_secret(path)).collect()
}

#[tokio::test]
async fn a_secret_is_a_file_that_its_user_reads_and_nobody_writes() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let line = "cat deep/token; stat -c ' %a %u' deep/token; chmod 600 deep/token; \
                echo x > deep/token; rm deep/token; grep -c ' ramfs ' /proc/self/mounts";
    let mut spec = with_secret(machine.shell("file", line), "deep/token");
    spec.user = Some("65534".to_owned());
    machine.open_way(&spec);
    let sandbox = spec.sandbox.clone();
    let outcome = machine.run(spec).await;
    assert_eq!(
        outcome.out,
        format!("{SECRET} 400 65534\n1\n"),
        "{outcome:?}"
    );
    for refused in ["chmod", "cannot create", "rm"] {
        assert!(outcome.err.contains(refused), "{outcome:?}");
    }
    let left = fs::read(sandbox.join("deep/token")).unwrap();
    assert!(
        left.is_empty(),
        "on the host there is a name and nothing in it"
    );
}

#[tokio::test]
async fn root_itself_cannot_write_it_and_another_user_cannot_read_it() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let line = "echo x > token; chmod 666 token; chown 1 token; \
                setpriv --reuid 65534 --clear-groups cat token; stat -c '%a %u' token";
    let outcome = machine
        .run(with_secret(machine.shell("root", line), "token"))
        .await;
    assert_eq!(outcome.out, "400 0\n", "{outcome:?}");
}

#[tokio::test]
async fn a_secret_lies_where_it_is_asked_for_in_a_root_of_its_own() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let Some(root) = busybox(machine.folder.path()) else {
        return;
    };
    let spec = rooted(&machine, "own", &root, "cat /run/secrets/token");
    let outcome = machine.run(with_secret(spec, "/run/secrets/token")).await;
    assert_eq!(outcome.out, SECRET, "{outcome:?}");
    assert_eq!(fs::read(root.join("run/secrets/token")).unwrap(), b"");
}

#[tokio::test]
async fn while_the_task_runs_the_secret_is_in_no_file_and_no_command_line() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let line = "cat token | wc -c; while ! test -e go; do sleep 0.01; done";
    let spec = with_secret(machine.shell("hidden", line), "token");
    let (name, sandbox) = (spec.id.clone(), spec.sandbox.clone());
    machine.runtime.launch(spec).await.unwrap();
    let read = || fs::read_to_string(sandbox.join("stdout")).unwrap();
    soon("the task has read it", || {
        read().trim() == SECRET.len().to_string()
    });
    assert_eq!(holding(machine.folder.path()), Vec::<PathBuf>::new());
    assert_eq!(told_by_command_lines(), Vec::<PathBuf>::new());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(machine.folder.path().to_str().unwrap()));
    fs::write(sandbox.join("go"), "").unwrap();
    assert_eq!(machine.runtime.wait(&name).await, exited(0));
    machine.runtime.remove(&name).await.unwrap();
    // What is looked for would be found.
    fs::write(sandbox.join("leak"), SECRET).unwrap();
    assert_eq!(holding(machine.folder.path()).len(), 1);
}

#[tokio::test]
async fn a_secret_of_the_environment_is_for_the_agent_s_user_alone() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("variable", "printf %s \"$TOKEN\" | wc -c; exec sleep 600");
    spec.environment
        .push(("TOKEN".to_owned(), SECRET.to_owned()));
    let sandbox = spec.sandbox.clone();
    machine.runtime.launch(spec).await.unwrap();
    let read = || fs::read_to_string(sandbox.join("stdout")).unwrap();
    soon("the task has seen it", || {
        read().trim() == SECRET.len().to_string()
    });
    assert_eq!(told_by_command_lines(), Vec::<PathBuf>::new());
    for path in holding(machine.folder.path()) {
        let mut folders = path.ancestors();
        let private = |folder: &Path| {
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &fs::metadata(folder).unwrap().permissions(),
            );
            mode & 0o077 == 0
        };
        assert!(
            folders.any(
                |folder| folder.starts_with(machine.folder.path().join("run")) && private(folder)
            ),
            "{} can be reached by others",
            path.display()
        );
    }
    machine.runtime.kill(&id("variable")).await.unwrap();
    machine.runtime.remove(&id("variable")).await.unwrap();
}

#[tokio::test]
async fn too_many_or_too_long_secrets_are_refused() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut many = machine.shell("many", "true");
    let secret = |number: usize| SecretFile {
        target: format!("s{number}").into(),
        content: Vec::new(),
    };
    many.secrets = (0..=tepui_containers::limits::MAX_SECRET_FILES)
        .map(secret)
        .collect();
    let mut long = machine.shell("long", "true");
    long.secrets = vec![SecretFile {
        target: "s".into(),
        content: vec![b'x'; tepui_containers::limits::MAX_SECRET_BYTES + 1],
    }];
    for spec in [many, long] {
        let error = machine.runtime.launch(spec).await.unwrap_err();
        assert!(error.to_string().contains("may have"), "{error}");
    }
    // The most that there can be, it can have.
    let mut most = machine.shell("most", "cat s0 s63 | wc -c");
    let secret = |number: usize| SecretFile {
        target: format!("s{number}").into(),
        content: vec![b'x'; tepui_containers::limits::MAX_SECRET_BYTES / 64],
    };
    most.secrets = (0..64).map(secret).collect();
    assert_eq!(machine.run(most).await.out, "32768\n");
}
