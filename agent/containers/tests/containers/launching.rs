//! What runs, with which arguments and environment, and what is told when it cannot.

use std::{fs, io, os::unix::fs::PermissionsExt};

use tepui_containers::{LaunchError, Program};

use crate::machine::{Machine, exited, id, signaled};

fn exec(path: &str, arguments: &[&str]) -> Program {
    let arguments = arguments
        .iter()
        .map(|&argument| argument.to_owned())
        .collect();
    Program::Exec {
        path: path.to_owned(),
        arguments,
    }
}

#[tokio::test]
async fn a_shell_line_writes_its_output_into_the_sandbox() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let outcome = machine
        .run_shell("echo out; echo err >&2; pwd; cat; exit 3")
        .await;
    assert_eq!(outcome.exit, exited(3));
    let (first, folder) = outcome.out.split_once('\n').unwrap();
    assert_eq!(first, "out");
    assert!(
        folder
            .trim()
            .starts_with(machine.folder.path().to_str().unwrap()),
        "{folder}"
    );
    assert_eq!(outcome.err, "err\n");
}

#[tokio::test]
async fn arguments_are_passed_without_a_shell() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("argv", "");
    let arguments = ["printf", "<%s>", "a b", "", "$HOME", "*", "\u{e9}\n"];
    spec.program = exec("/usr/bin/printf", &arguments);
    let outcome = machine.run(spec).await;
    assert_eq!(
        (outcome.exit, outcome.out.as_str()),
        (exited(0), "<a b><><$HOME><*><\u{e9}\n>")
    );
}

#[tokio::test]
async fn a_program_without_arguments_is_called_by_its_path_and_found_in_its_own_path() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("name", "");
    fs::write(spec.sandbox.join("show"), "#!/bin/sh\necho \"$0 $#\"\n").unwrap();
    fs::set_permissions(spec.sandbox.join("show"), fs::Permissions::from_mode(0o755)).unwrap();
    spec.program = exec("./show", &[]);
    assert_eq!(machine.run(spec.clone()).await.out, "./show 0\n");
    spec.id = id("name2");
    spec.program = exec("show", &["anything", "x"]);
    spec.environment = vec![("PATH".to_owned(), spec.sandbox.to_str().unwrap().to_owned())];
    let outcome = machine.run(spec.clone()).await;
    assert!(outcome.out.ends_with("/show 1\n"), "{}", outcome.out);
}

#[tokio::test]
async fn the_environment_is_exactly_what_was_given() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("env", "");
    spec.program = exec("/usr/bin/env", &["env", "-0"]);
    let variables = [
        ("A", "1"),
        ("B", "x=y z"),
        ("EMPTY", ""),
        ("LINES", "one\ntwo"),
    ];
    spec.environment = variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.out, "A=1\0B=x=y z\0EMPTY=\0LINES=one\ntwo\0");
}

#[tokio::test]
async fn nothing_of_the_agent_s_environment_is_seen_inside() {
    let Some(machine) = Machine::trusting() else {
        return;
    };
    // Cargo gives every test some of these.
    assert!(std::env::vars().count() > 0);
    let outcome = machine
        .run(machine.trusted("environ", "tr '\\0' '\\n' < /proc/1/environ"))
        .await;
    assert_eq!((outcome.exit, outcome.out.as_str()), (exited(0), ""));
}

#[tokio::test]
async fn a_signal_that_ends_the_task_is_its_status() {
    let Some(machine) = Machine::new() else {
        return;
    };
    assert_eq!(machine.run_shell("kill -SEGV $$").await.exit, signaled(11));
    assert_eq!(machine.run_shell("kill -KILL $$").await.exit, signaled(9));
    // A real-time signal, which has no name.
    assert_eq!(machine.run_shell("kill -40 $$").await.exit, signaled(40));
}

#[tokio::test]
async fn a_missing_program_is_a_launch_error_that_names_it_and_is_told_in_the_sandbox() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("missing", "");
    spec.program = exec("/no/such/program", &[]);
    let error = machine.runtime.launch(spec.clone()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot run '/no/such/program': No such file or directory (os error 2)"
    );
    let text = fs::read_to_string(spec.sandbox.join("stderr")).unwrap();
    assert!(
        text.contains("/no/such/program: No such file or directory"),
        "{text}"
    );
    assert!(machine.groups().is_empty(), "nothing is left of it");
    // And its id is free again.
    spec.program = exec("/bin/true", &[]);
    assert_eq!(machine.run(spec).await.exit, exited(0));
}

#[tokio::test]
async fn a_command_that_the_shell_does_not_find_exits_with_127() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let outcome = machine.run_shell("no-such-command").await;
    assert_eq!(outcome.exit, exited(127));
    assert!(outcome.err.contains("no-such-command"), "{}", outcome.err);
}

#[tokio::test]
async fn a_file_that_is_no_program_is_a_launch_error() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("no-program", "");
    spec.program = exec("/etc/passwd", &[]);
    let error = machine.runtime.launch(spec).await.unwrap_err();
    let LaunchError::Program { source, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_reason() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = || machine.shell("refused", "true");
    let launch = async |spec| machine.runtime.launch(spec).await.unwrap_err().to_string();
    let mut wrong = spec();
    wrong.user = Some("no-such-user".to_owned());
    assert_eq!(
        launch(wrong).await,
        "there is no user 'no-such-user' on this agent"
    );
    let mut wrong = spec();
    wrong.environment.push(("A=B".to_owned(), String::new()));
    assert!(launch(wrong).await.contains("environment variable"));
    let mut wrong = spec();
    wrong
        .environment
        .push(("A".to_owned(), "nul \0".to_owned()));
    assert!(launch(wrong).await.starts_with("cannot run"));
    let mut wrong = spec();
    wrong.sandbox = "relative".into();
    assert_eq!(launch(wrong).await, "the sandbox is no absolute path");
    let mut wrong = spec();
    wrong.sandbox = "/no/such/sandbox".into();
    assert!(
        launch(wrong)
            .await
            .starts_with("cannot use the sandbox /no/such/sandbox: ")
    );
    let mut wrong = spec();
    wrong
        .environment
        .push(("A".to_owned(), "x".repeat(9 << 20)));
    assert_eq!(
        launch(wrong).await,
        "the arguments and the environment are too long"
    );
    let mut wrong = spec();
    wrong
        .environment
        .push(("A".to_owned(), "x".repeat(1 << 20)));
    assert!(launch(wrong).await.contains("Argument list too long"));
    assert!(machine.groups().is_empty(), "nothing is left of all that");
}

#[tokio::test]
async fn an_id_is_taken_until_its_container_is_removed() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell("twice", "true");
    machine.runtime.launch(spec.clone()).await.unwrap();
    let error = machine.runtime.launch(spec.clone()).await.unwrap_err();
    assert_eq!(error.to_string(), "a container twice exists already");
    // The refusal harmed nothing.
    assert_eq!(machine.runtime.wait(&spec.id).await, exited(0));
    machine.runtime.remove(&spec.id).await.unwrap();
    assert_eq!(machine.run(spec).await.exit, exited(0));
}

#[tokio::test]
async fn many_containers_are_launched_at_once() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let launches = (0..40).map(|number| {
        let (runtime, spec) = (
            machine.runtime.clone(),
            machine.shell(&format!("m{number}"), "exit 7"),
        );
        tokio::spawn(async move {
            let id = spec.id.clone();
            runtime.launch(spec).await.unwrap();
            let exit = runtime.wait(&id).await;
            runtime.remove(&id).await.unwrap();
            exit
        })
    });
    for launch in launches.collect::<Vec<_>>() {
        assert_eq!(launch.await.unwrap(), exited(7));
    }
}
