//! What is done to a container while it runs: signals, changes, further programs.

use std::{fs, path::Path};

use tepui_containers::{Bytes, Program, SessionSpec, SessionStream, Spec};

use crate::{
    machine::{Machine, exited, id, signaled, soon},
    runc::{Bundle, Runc},
    setup::{HOSTNAME, MEMORY, Setup},
    table::{Table, Verdict},
    tepui,
};

/// A task that says when it is there, and ends in its own way when it is asked to.
const TASK: &str = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done";

/// What a further program finds: name, line, wanted.
const INSIDE: [(&str, &str, &str); 9] = [
    ("exec_host_name", "hostname", HOSTNAME),
    (
        "exec_sees_the_task",
        "grep -l -a 'exi[t] 9' /proc/[0-9]*/cmdline | wc -l",
        "1",
    ),
    (
        "exec_network",
        "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '",
        "lo",
    ),
    ("exec_root", "ls -d /srv /bin/busybox | wc -l", "2"),
    (
        "exec_environment",
        "echo \"$GREETING\"",
        "hello  \"world\" $HOME",
    ),
    (
        "exec_capabilities",
        "grep CapBnd /proc/self/status | tr -dc 0-9a-f | tail -c 16",
        "00000000a80425fb",
    ),
    (
        "exec_no_new_privileges",
        "grep -c 'NoNewPrivs:.1' /proc/self/status",
        "1",
    ),
    (
        "exec_memory_is_bounded_too",
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes \
      /sys/fs/cgroup/memory.max 2>/dev/null | head -n 1",
        "67108864",
    ),
    ("exec_exit_code", "exit 5", "5"),
];

/// What both found, as it is wanted.
struct Found {
    name: &'static str,
    theirs: Option<String>,
    ours: String,
    wanted: &'static str,
}

impl Found {
    /// Something that is so or is not.
    fn holds(name: &'static str, theirs: Option<bool>, ours: bool) -> Self {
        Self {
            name,
            theirs: theirs.map(|it| it.to_string()),
            ours: ours.to_string(),
            wanted: "true",
        }
    }
}

pub(crate) async fn check(machine: &Machine, runc: Option<&Runc>, table: &mut Table) {
    let mut found = one_that_runs(machine, runc).await;
    found.push(one_that_is_killed(machine, runc).await);
    for found in found {
        let theirs = found.theirs.map(|it| Verdict::of(&it, found.wanted));
        let theirs = theirs.unwrap_or(Verdict::NotRun("not installed"));
        table.add(found.name, theirs, Verdict::of(&found.ours, found.wanted));
    }
}

/// Everything that is done to a container until it is asked to end.
async fn one_that_runs(machine: &Machine, runc: Option<&Runc>) -> Vec<Found> {
    let setup = Setup::new("live");
    let arguments = ["/bin/sh", "-c", TASK];
    let bundle = runc.map(|runc| runc.bundle(&setup, &arguments));
    let bundle = bundle.as_ref().map(start);
    let spec = tepui::spec(machine, &setup, "live", &arguments);
    launch(machine, &spec).await;
    let mut all = Vec::new();

    let again = machine.runtime.launch(spec.clone()).await.is_err();
    let theirs = bundle.map(|it| !it.start_again());
    all.push(Found::holds("one_name_one_container", theirs, again));
    for (name, line, wanted) in INSIDE {
        all.push(Found {
            name,
            theirs: bundle.map(|it| it.exec(line)),
            ours: exec(machine, line).await,
            wanted,
        });
    }
    let raised = raise_memory(machine, &spec).await;
    let theirs = bundle.map(Bundle::raise_memory);
    all.push(Found::holds("memory_can_be_raised", theirs, raised));
    let usage = machine.runtime.usage(&spec.id).await.unwrap();
    let counted = usage.cpu_nanos > 0 && usage.memory_bytes > 0 && usage.pids > 0;
    let theirs = bundle.map(Bundle::is_counted);
    all.push(Found::holds("use_is_counted", theirs, counted));

    machine.runtime.terminate(&spec.id).unwrap();
    let ended = machine.runtime.wait(&spec.id).await == exited(9);
    let theirs = bundle.map(Bundle::terminate);
    all.push(Found::holds("signal_term_is_passed_on", theirs, ended));
    machine.runtime.remove(&spec.id).await.unwrap();
    if let Some(bundle) = bundle {
        bundle.end();
    }
    all
}

async fn launch(machine: &Machine, spec: &Spec) {
    machine.runtime.launch(spec.clone()).await.unwrap();
    is_ready(&spec.sandbox.join("stdout"));
}

fn is_ready(out: &Path) {
    let ready = || fs::read_to_string(out).is_ok_and(|text| text == "ready\n");
    soon("the task is ready", ready);
}

fn start(bundle: &Bundle) -> &Bundle {
    bundle.start();
    is_ready(&bundle.folder.join("out"));
    bundle
}

/// A further program's output, or its exit code if it wrote nothing.
async fn exec(machine: &Machine, line: &str) -> String {
    let spec = SessionSpec {
        container: id("live"),
        program: Program::Shell(line.to_owned()),
        environment: Vec::new(),
        working_dir: None,
        terminal: None,
    };
    let mut session = machine.runtime.open_session(spec).await.unwrap();
    let mut out = Vec::new();
    while let Some((stream, bytes)) = session.output.next().await {
        if stream == SessionStream::Output {
            out.extend(bytes);
        }
    }
    let status = session.control.wait().await;
    match String::from_utf8_lossy(&out).trim() {
        "" => status.to_string().replace("exited with status ", ""),
        out => out.to_owned(),
    }
}

/// Prints the limit of memory, as it is seen inside.
const LIMIT: &str = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max \
                     2>/dev/null | head -n 1";

async fn raise_memory(machine: &Machine, spec: &Spec) -> bool {
    let mut limits = spec.limits.clone();
    limits.memory = Bytes(2 * MEMORY);
    machine.runtime.update(&spec.id, &limits).await.unwrap();
    exec(machine, LIMIT).await == (2 * MEMORY).to_string()
}

/// Many processes that do not want to go.
async fn one_that_is_killed(machine: &Machine, runc: Option<&Runc>) -> Found {
    let line = "trap '' TERM; (sleep 1000 & sleep 1000 &); echo ready; while :; do sleep 1; done";
    let setup = Setup::new("killed");
    let arguments = ["/bin/sh", "-c", line];
    let theirs = runc.map(|runc| {
        let bundle = runc.bundle(&setup, &arguments);
        start(&bundle).call(&["kill", &bundle.id, "KILL"]);
        soon("it has ended", || bundle.state()["status"] == "stopped");
        bundle.end();
        true
    });
    let spec = tepui::spec(machine, &setup, "killed", &arguments);
    launch(machine, &spec).await;
    machine.runtime.kill(&spec.id).await.unwrap();
    let exit = machine.runtime.wait(&spec.id).await;
    machine.runtime.remove(&spec.id).await.unwrap();
    let gone = exit == signaled(9) && machine.groups().is_empty();
    Found::holds("signal_kill_ends_everything", theirs, gone)
}

impl Bundle {
    fn start_again(&self) -> bool {
        let folder = self.folder.to_str().unwrap();
        let output = self.call(&["run", "--detach", "--bundle", folder, &self.id]);
        output.status.success()
    }

    fn exec(&self, line: &str) -> String {
        let output = self.call(&["exec", &self.id, "/bin/sh", "-c", line]);
        match String::from_utf8_lossy(&output.stdout).trim() {
            "" => output.status.code().unwrap().to_string(),
            out => out.to_owned(),
        }
    }

    fn raise_memory(&self) -> bool {
        let memory = (2 * MEMORY).to_string();
        self.call(&["update", "--memory", &memory, &self.id]);
        self.exec(LIMIT) == memory
    }

    fn is_counted(&self) -> bool {
        let output = self.call(&["events", "--stats", &self.id]);
        let stats: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let positive = |path| {
            let number = stats.pointer(path).and_then(serde_json::Value::as_u64);
            number.unwrap_or(0) > 0
        };
        positive("/data/cpu/usage/total")
            && positive("/data/memory/usage/usage")
            && positive("/data/pids/current")
    }

    /// Whether it ends soon when it is asked to.
    fn terminate(&self) -> bool {
        self.call(&["kill", &self.id, "TERM"]);
        soon("it has ended", || self.state()["status"] == "stopped");
        true
    }
}
