//! What tasks want in their sandboxes, over the real binaries.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    process::Command,
    sync::mpsc::{Receiver, channel},
    thread,
};

use tepui_cluster_tests::Cluster;

/// A server that answers each path with itself, and `/hangs` with a byte and then nothing, of which
/// it tells.
fn server() -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, hangs) = channel();
    thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            let path = first.split(' ').nth(1).unwrap().to_owned();
            while lines
                .next()
                .is_some_and(|line| line.is_ok_and(|it| !it.is_empty()))
            {}
            let length = if path == "/hangs" {
                1 << 20
            } else {
                path.len()
            };
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ";
            // Whoever asks may be gone.
            let _ = write!(stream, "{head}{length}\r\n\r\n{path}");
            if path == "/hangs" {
                held.push(stream);
                let _ = sender.send(());
            }
        }
    });
    (address, hangs)
}

#[test]
fn a_command_finds_what_it_wants_in_its_sandbox() {
    let (address, _hangs) = server();
    let given = tempfile::tempdir().unwrap();
    let at = |name: &str| given.path().join(name).display().to_string();
    fs::write(at("tool"), "#!/bin/sh\ncat text name data/in\n").unwrap();
    fs::create_dir(at("data")).unwrap();
    fs::write(at("data/in"), "packed\n").unwrap();
    let packed = Command::new("tar")
        .args(["-C", &at(""), "-czf", &at("data.tgz"), "data"])
        .status();
    assert!(packed.unwrap().success());
    symlink("/etc/passwd", at("out")).unwrap();
    let flags = ["--allowed-host-paths", &at("")];
    // The task's user finds his way there himself.
    let everybody = fs::Permissions::from_mode(0o755);
    fs::set_permissions(given.path(), everybody).unwrap();
    let mut cluster = Cluster::start(0);
    cluster.add_agent(&flags);
    let run = |uris: &[String], command: &str| {
        let mut arguments = vec!["run", "--user", "nobody"];
        uris.iter().for_each(|uri| arguments.extend(["--uri", uri]));
        arguments.extend(["--", "sh", "-c", command]);
        cluster.tepui(&arguments)
    };
    let uris = [
        format!("{},executable", at("tool")),
        format!("{address}/text?a,b"),
        format!("{address}/x/y,cache,output=name"),
        format!("file://{},extract=true", at("data.tgz")),
    ];
    let ran = run(&uris, "./tool; stat -c %U text data/in tool .");
    let expected = "/text?a,b/x/ypacked\nnobody\nnobody\nnobody\nnobody\n";
    assert_eq!(ran.ok(), expected);

    for (uri, expected) in [
        (at("out"), "cannot be opened"),
        ("/etc/hostname".to_owned(), "--allowed-host-paths"),
        (
            format!("{address}/x,checksum=sha256:{}", "0".repeat(64)),
            "checksum",
        ),
    ] {
        let ran = run(&[uri], "true");
        let uri = "cannot fetch the URI '";
        assert!(
            ran.error.contains(uri) && ran.error.contains(expected),
            "{ran:?}"
        );
        assert_eq!(ran.code, Some(1));
    }
    let ran = run(&["ftp://x/y".to_owned()], "true");
    assert!(
        ran.error.contains("this agent fetches http, https, file"),
        "{ran:?}"
    );
}

#[test]
fn a_task_that_is_killed_while_it_fetches_ends_at_once() {
    let (address, hangs) = server();
    let cluster = Cluster::start(1);
    let uri = format!("{address}/hangs");
    let mut child = cluster.spawn(&["run", "--uri", &uri, "--", "true"]);
    hangs.recv().unwrap();
    let tasks = cluster.tepui(&["ps", "-o", "json"]).json();
    let task = tasks["tasks"][0]["task_id"]["value"].as_str().unwrap();
    cluster.tepui(&["kill", task]).ok();
    assert_ne!(child.wait().unwrap().code(), Some(0));
}
