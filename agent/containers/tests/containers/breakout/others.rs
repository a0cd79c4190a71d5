//! C15, C21, C24: what belongs to other tasks and to the host: processes, memory, queues, sockets,
//! packets.

use std::{
    os::{linux::net::SocketAddrExt, unix::net::SocketAddr, unix::net::UnixListener},
    process::{Child, Command},
};

use tepui_containers::{Capabilities, Isolator, NetworkSpec};

use super::{holds_by, powerful};
use crate::machine::Machine;

/// A process of the host, with a word in its command line that nothing else has.
struct Victim(Child, String);

impl Victim {
    fn new(case: u32) -> Self {
        let seconds = format!("{}.{case}", 100_000 + std::process::id());
        let process = Command::new("sleep").arg(&seconds).spawn().unwrap();
        Self(process, seconds)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program of the host's for a test.
fn host(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn c15_processes_of_others_cannot_be_traced() {
    let victim = Victim::new(15);
    // PTRACE_ATTACH.
    let line = format!(
        "perl -e 'print \"BROKEN\" if syscall(101, 16, {}, 0, 0) >= 0'",
        victim.0.id()
    );
    let Some(machine) = Machine::trusting() else {
        return;
    };
    let behind = machine.run(machine.trusted("behind", &line)).await;
    assert!(!behind.out.contains("BROKEN"), "{behind:?}");
    let open = Machine::with(|options| {
        *options = machine.options.clone();
        options.runtime_dir.set_file_name("open");
        options.cgroup_root.push_str("-open");
        let walls = [Isolator::PidNamespace, Isolator::Files];
        let isolation = options.isolation;
        options.isolation = walls.iter().fold(isolation, |all, it| all.without(*it));
    });
    let open = open.unwrap();
    let spec = powerful(&open, open.shell("open", &line));
    let without = open.run(spec).await;
    assert!(without.out.contains("BROKEN"), "{without:?}");
}

#[tokio::test]
async fn c21_processes_of_others_are_not_seen() {
    let victim = Victim::new(21);
    // The pattern does not match itself.
    let (first, rest) = victim.1.split_at(1);
    let line = format!(
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -q '[{first}]{rest}' && echo BROKEN; true"
    );
    let walls = [Isolator::PidNamespace, Isolator::Files];
    holds_by("cmdline", &line, &walls).await;
}

#[tokio::test]
async fn c21_shared_memory_of_system_v_is_not_seen() {
    let made = host("ipcmk", &["-M", "64"]);
    let number = made.trim().rsplit(' ').next().unwrap();
    let line = format!("grep -qE '^ *-?[0-9]+ +{number} ' /proc/sysvipc/shm && echo BROKEN; true");
    holds_by("sysv", &line, &[Isolator::IpcNamespace]).await;
    host("ipcrm", &["-m", number]);
}

#[tokio::test]
async fn c21_message_queues_are_not_seen() {
    let name = format!("tepui-c21-{}", std::process::id());
    // mq_open for reading, and mq_unlink.
    let open = |flags: u32| format!("syscall(240, my $n = \"{name}\", {flags}, 384, 0)");
    host("perl", &["-e", &format!("exit({} < 0)", open(0o100))]);
    let line = format!("perl -e 'print \"BROKEN\" if {} >= 0'", open(0));
    holds_by("queue", &line, &[Isolator::IpcNamespace]).await;
    let unlink = format!("exit(syscall(241, my $n = \"{name}\") < 0)");
    host("perl", &["-e", &unlink]);
}

/// On the host's network they are reached: that is what its network is.
#[tokio::test]
async fn c21_abstract_sockets_are_out_of_reach_of_another_network() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let name = format!("tepui-c21-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let line = format!(
        "perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); \
         print \"BROKEN\" if connect(S, pack(\"S\", AF_UNIX) . \"\\0{name}\")'"
    );
    let mut spec = machine.shell("alone", &line);
    spec.network = NetworkSpec::Alone;
    let alone = machine.run(spec).await;
    assert!(!alone.out.contains("BROKEN"), "{alone:?}");
    let shared = machine.run_shell(&line).await;
    assert!(shared.out.contains("BROKEN"), "{shared:?}");
}

/// Docker's capabilities have the right to it; an operator takes it away from all tasks.
#[tokio::test]
async fn c24_raw_packets_take_a_capability_that_an_operator_can_keep() {
    let line = "perl -e 'print \"BROKEN\" if socket(S, 2, 3, 1) || socket(S, 17, 3, 768)'";
    let Some(open) = Machine::new() else { return };
    let outcome = open.run_shell(line).await;
    assert!(outcome.out.contains("BROKEN"), "{outcome:?}");
    let raw: Capabilities = "NET_RAW".parse().unwrap();
    let machine = Machine::with(|options| {
        let without = Capabilities::DEFAULT.without(raw);
        options.policy.effective_capabilities = without;
        options.policy.bounding_capabilities = without;
    });
    let machine = machine.unwrap();
    let outcome = machine.run_shell(line).await;
    assert!(!outcome.out.contains("BROKEN"), "{outcome:?}");
    let mut spec = machine.shell("asking", line);
    spec.security.effective = Some(raw);
    assert!(machine.runtime.launch(spec).await.is_err());
}
