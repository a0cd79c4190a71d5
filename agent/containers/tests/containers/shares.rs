//! What cgroups do about disks and packets where the operator says so.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use tepui_containers::{Bytes, Isolator, Runtime};
use tepui_model::Quantity;

use crate::machine::{AGENT, Machine, Remains, id};

/// What a file of a container's group says, whichever of these there is.
fn told(machine: &Machine, name: &str, files: &[&str]) -> Option<String> {
    let groups = machine.groups().into_iter();
    let groups = groups.filter(|path| path.ends_with(name));
    let mut paths = groups.flat_map(|group| files.iter().map(move |file| group.join(file)));
    paths.find_map(|path| fs::read_to_string(path).ok())
}

const WEIGHTS: [&str; 4] = [
    "io.weight",
    "io.bfq.weight",
    "blkio.weight",
    "blkio.bfq.weight",
];

#[tokio::test]
async fn a_container_weighs_at_disks_by_the_processors_that_it_asks_for() {
    let machine = Machine::with(|options| {
        options.isolation = options.isolation.with(Isolator::Io);
    });
    let Some(machine) = machine else { return };
    let plain = machine.shell("plain", "sleep 60");
    machine.runtime.launch(plain).await.unwrap();
    let mut options = machine.options.clone();
    options.runtime_dir = machine.folder.path().join("other");
    options.cgroup_root = format!("{}-weighing", machine.options.cgroup_root);
    options.policy.io.weight_per_cpu = Some(50);
    let remains = Remains(options.clone());
    let made = Runtime::probe(options.clone());
    let weighs = told(&machine, "plain", &WEIGHTS).is_some();
    assert_eq!(made.is_ok(), weighs, "{made:?}");
    let runtime = match made {
        Ok(runtime) => runtime,
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(text.contains("cgroups/blkio: the kernel weighs"), "{text}");
            eprintln!("less: this kernel weighs nobody's use of disks");
            return;
        }
    };
    let mut spec = machine.shell("heavy", "sleep 60");
    spec.limits.cpu_shares = Quantity::from_units(3);
    let mut limits = spec.limits.clone();
    runtime.launch(spec).await.unwrap();
    let weight = || {
        let groups = crate::machine::groups(&options).into_iter();
        let groups = groups.filter(|path| path.ends_with("heavy"));
        let mut files = groups.flat_map(|group| WEIGHTS.map(|file| group.join(file)));
        let text = files
            .find_map(|file| fs::read_to_string(file).ok())
            .unwrap();
        let line = text.lines().next().unwrap_or_default().to_owned();
        line.trim_start_matches("default ").to_owned()
    };
    assert_eq!(weight(), "150");
    limits.cpu_shares = Quantity::from_units(2);
    runtime.update(&id("heavy"), &limits).await.unwrap();
    assert_eq!(weight(), "100");
    runtime.kill(&id("heavy")).await.unwrap();
    runtime.remove(&id("heavy")).await.unwrap();
    drop((runtime, remains));
}

#[tokio::test]
async fn what_a_container_reads_and_writes_is_bounded() {
    let machine = Machine::with(|options| {
        options.isolation = options.isolation.with(Isolator::Io);
        options.policy.io.most_read = Some(Bytes(64 << 20));
        options.policy.io.most_written = Some(Bytes(32 << 20));
    });
    let Some(machine) = machine else { return };
    let spec = machine.shell("bounded", "sleep 60");
    machine.runtime.launch(spec).await.unwrap();
    let read = told(&machine, "bounded", &["blkio.throttle.read_bps_device"]);
    let text = read.or_else(|| told(&machine, "bounded", &["io.max"]));
    let text = text.unwrap();
    if text.trim().is_empty() {
        return eprintln!("less: this machine shows no disk");
    }
    for line in text.lines() {
        let bounds = [" 67108864", "rbps=67108864 wbps=33554432"];
        assert!(bounds.iter().any(|one| line.contains(one)), "{text}");
    }
    if let Some(written) = told(&machine, "bounded", &["blkio.throttle.write_bps_device"]) {
        assert!(
            written.lines().all(|line| line.ends_with(" 33554432")),
            "{written}"
        );
    }
    machine.runtime.kill(&id("bounded")).await.unwrap();
}

/// Where the controller would be.
const NET_CLS: &str = "/sys/fs/cgroup/net_cls";

/// Why packets can have no handles here, if they cannot.
fn no_handles() -> Option<&'static str> {
    let controllers = fs::read_to_string("/proc/cgroups").unwrap_or_default();
    if !controllers
        .lines()
        .any(|line| line.starts_with("net_cls\t"))
    {
        return Some("this kernel has no net_cls");
    }
    if !Path::new("/sys/fs/cgroup/memory").exists() {
        return Some("cgroup v2 has no net_cls");
    }
    None
}

#[tokio::test]
async fn a_container_s_packets_have_its_handle() {
    let Some(machine) = Machine::new() else {
        return;
    };
    if let Some(reason) = no_handles() {
        return eprintln!("not run: {reason}");
    }
    let mut options = machine.options.clone();
    options.runtime_dir = machine.folder.path().join("agent");
    options.cgroup_root = format!("{}-agent", machine.options.cgroup_root);
    let remains = Remains(options.clone());
    let sandbox = machine.sandbox("marked");
    let made = fs::create_dir(NET_CLS).is_ok();
    // Where it is not mounted, it is for this agent alone, and goes with it.
    let line = "mount -t cgroup -o net_cls none \"$1\" || exit 9; \
                shift; \"$@\"; code=$?; \
                for i in $(seq 200); do \
                find /sys/fs/cgroup/net_cls/tepui-test -depth -type d -exec rmdir {} + 2>&- && break; \
                sleep 0.05; done; exit $code";
    let mut agent = Command::new("unshare")
        .args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            line,
            "sh",
            NET_CLS,
            AGENT,
        ])
        .args([&options.runtime_dir, Path::new(&options.cgroup_root)])
        .arg(&sandbox)
        .args(["marked", "while [ ! -e go ]; do sleep 0.02; done"])
        .args(["all,cgroups/net_cls", "wait"])
        .env("TEPUI_TEST_NET_CLS", "0x12")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(agent.stdout.as_mut().unwrap())
        .read_line(&mut said)
        .unwrap();
    let class = format!(
        "/proc/{}/root{NET_CLS}/{}/marked/net_cls.classid",
        agent.id(),
        options.cgroup_root
    );
    let class = fs::read_to_string(class);
    fs::write(sandbox.join("go"), "").unwrap();
    let ended = agent.wait().unwrap();
    if made {
        let _ = fs::remove_dir(NET_CLS);
    }
    drop(remains);
    assert_eq!((said.as_str(), ended.code()), ("started\n", Some(0)));
    assert_eq!(class.unwrap().trim(), 0x0012_0001.to_string());
}
