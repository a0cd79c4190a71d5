//! What a container may use, and what becomes of those that want more.

use std::{
    fs,
    time::{Duration, Instant},
};

use tepui_containers::{Bytes, ExitStatus, Isolator, Program};
use tepui_model::Quantity;

use crate::machine::{Machine, PATIENCE, exited, soon};

/// A program that eats memory, of which `/bin/sh` needs little help: `tail` keeps a line until it
/// ends.
const EAT: &str = "tail /dev/zero";

#[tokio::test]
async fn a_task_that_meets_its_memory_limit_is_destroyed_and_reported() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("oom", "");
    spec.program = Program::Exec {
        path: "/usr/bin/tail".to_owned(),
        arguments: vec!["tail".to_owned(), "/dev/zero".to_owned()],
    };
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.exit.status, ExitStatus::Signal(9));
    let report = outcome.exit.oom.expect("a report");
    assert_eq!(report.limit, Bytes(64 << 20));
    assert!(
        report.peak.0 > 60 << 20 && report.peak.0 <= 64 << 20,
        "{report:?}"
    );
    assert!(
        report
            .to_string()
            .starts_with("Memory limit exceeded: Requested: 64MB Maximum Used: 6"),
        "{report}"
    );
    assert!(
        report.statistics.starts_with("MEMORY STATISTICS:\n"),
        "{report}"
    );
}

#[tokio::test]
async fn a_container_is_destroyed_when_a_child_of_the_task_meets_the_limit() {
    let Some(machine) = Machine::new() else {
        return;
    };
    // The task itself would go on as if nothing had happened.
    let began = Instant::now();
    let outcome = machine.run_shell(&format!("{EAT}; sleep 600")).await;
    assert!(outcome.exit.oom.is_some(), "{outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(300));
}

#[tokio::test]
async fn shared_memory_counts_and_a_limit_above_the_request_holds() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let fill = |megabytes| {
        format!(
            "head -c {megabytes}M /dev/zero > /dev/shm/x && echo filled; \
                cat /proc/self/oom_score_adj"
        )
    };
    let mut spec = machine.shell("burst", &fill(70));
    spec.limits.memory_limit = Some(Bytes(128 << 20));
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.exit, exited(0), "{outcome:?}");
    let (filled, score) = outcome.out.trim().split_once('\n').unwrap();
    assert_eq!(filled, "filled");
    assert!(
        (3..1000).contains(&score.parse::<i32>().unwrap()),
        "{score}"
    );
    let mut spec = machine.shell("shm", &fill(63));
    spec.limits.memory = Bytes(40 << 20);
    let outcome = machine.run(spec).await;
    assert!(!outcome.out.contains("filled"), "{outcome:?}");
}

#[tokio::test]
async fn a_running_container_gets_more_memory_and_never_less() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let line = "while [ ! -e go ]; do sleep 0.02; done; \
                head -c 90M /dev/zero | tail | wc -c";
    let spec = machine.shell("grow", line);
    let (id, sandbox, mut limits) = (spec.id.clone(), spec.sandbox.clone(), spec.limits.clone());
    machine.runtime.launch(spec).await.unwrap();
    for megabytes in [128, 32] {
        limits.memory = Bytes(megabytes << 20);
        machine.runtime.update(&id, &limits).await.unwrap();
    }
    fs::write(sandbox.join("go"), "").unwrap();
    assert_eq!(machine.runtime.wait(&id).await, exited(0));
    let out = fs::read_to_string(sandbox.join("stdout")).unwrap();
    assert_eq!(out.trim(), "94371840", "`tail` keeps a line until it ends");
    machine.runtime.remove(&id).await.unwrap();
    assert!(machine.runtime.update(&id, &limits).await.is_err());
}

#[tokio::test]
async fn r2_a_fork_bomb_stays_inside_its_bound() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let many = "i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done";
    let bomb = "bomb() { bomb | bomb & }; while :; do bomb; done";
    let mut spec = machine.shell("bomb", &format!("({many}); ({bomb}); exec sleep 60"));
    spec.limits.pids = Some(30);
    let id = spec.id.clone();
    machine.runtime.launch(spec).await.unwrap();
    let began = Instant::now();
    let mut most = 0;
    while most < 28 || began.elapsed() < Duration::from_millis(500) {
        let pids = machine.runtime.usage(&id).await.unwrap().pids;
        assert!(pids <= 31, "{pids}");
        most = most.max(pids);
        assert!(began.elapsed() < PATIENCE, "it got only to {most}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    machine.runtime.kill(&id).await.unwrap();
    machine.runtime.wait(&id).await;
    machine.runtime.remove(&id).await.unwrap();
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn the_options_bound_processes_where_the_task_does_not() {
    let Some(machine) = Machine::with(|options| options.pids_limit = 3) else {
        return;
    };
    let outcome = machine
        .run_shell("(:) && (sleep 1 & sleep 1 & sleep 1 & wait)")
        .await;
    assert!(outcome.err.contains("ork"), "cannot fork: {outcome:?}");
}

#[tokio::test]
async fn a_cpu_quota_holds() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("quota", "while :; do :; done & while :; do :; done");
    spec.limits.cpu_limit = Some(Quantity::from_millis(200));
    let id = spec.id.clone();
    machine.runtime.launch(spec).await.unwrap();
    let used = async || machine.runtime.usage(&id).await.unwrap().cpu_nanos;
    let (began, before) = (Instant::now(), used().await);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let used = Duration::from_nanos(used().await - before);
    let share = used.as_secs_f64() / began.elapsed().as_secs_f64();
    machine.runtime.kill(&id).await.unwrap();
    assert!(share < 0.3, "used {share} processors");
    // How much of it a busy machine leaves is not ours to say.
    assert!(share > 0.0, "used {share} processors");
}

/// What the kernel goes by when processors are short: cgroup v1's shares or v2's weight.
async fn cpu_share(machine: &Machine, id: &str, low_priority: bool) -> u64 {
    let mut spec = machine.shell(id, "sleep 60");
    spec.limits.cpu_shares = Quantity::from_units(2);
    spec.limits.low_cpu_priority = low_priority;
    let container = spec.id.clone();
    machine.runtime.launch(spec).await.unwrap();
    let files = machine
        .groups()
        .into_iter()
        .filter(|path| path.ends_with(id));
    let mut files = files.flat_map(|path| ["cpu.shares", "cpu.weight"].map(|file| path.join(file)));
    let share = files
        .find_map(|file| fs::read_to_string(file).ok())
        .unwrap();
    machine.runtime.kill(&container).await.unwrap();
    machine.runtime.wait(&container).await;
    machine.runtime.remove(&container).await.unwrap();
    share.trim().parse().unwrap()
}

#[tokio::test]
async fn a_container_of_low_priority_has_a_hundredth_of_the_share_of_others() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let shares = (
        cpu_share(&machine, "regular", false).await,
        cpu_share(&machine, "revocable", true).await,
    );
    assert!(shares == (2048, 20) || shares == (200, 2), "{shares:?}");
}

#[tokio::test]
async fn use_is_counted() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let spec = machine.shell(
        "usage",
        "head -c 20M /dev/zero > /dev/shm/x; echo ready; sleep 60",
    );
    let (id, sandbox) = (spec.id.clone(), spec.sandbox.clone());
    machine.runtime.launch(spec).await.unwrap();
    soon("it is ready", || {
        fs::read_to_string(sandbox.join("stdout")).is_ok_and(|text| !text.is_empty())
    });
    let usage = machine.runtime.usage(&id).await.unwrap();
    assert!(usage.cpu_nanos > 0, "{usage:?}");
    assert!(
        (20 << 20..30 << 20).contains(&usage.memory_bytes),
        "{usage:?}"
    );
    assert!((2..=4).contains(&usage.pids), "{usage:?}");
    assert!((2..=4).contains(&usage.processes), "{usage:?}");
    assert!(usage.memory.file >= Some(20 << 20), "{usage:?}");
    assert!(usage.memory.anonymous.is_some(), "{usage:?}");
    assert!(usage.throttling.is_some(), "{usage:?}");
    machine.runtime.kill(&id).await.unwrap();
}

#[tokio::test]
async fn disks_are_counted_when_that_is_asked_for() {
    for counted in [true, false] {
        let machine = Machine::with(|options| {
            if counted {
                options.isolation = options.isolation.with(Isolator::Io);
            }
        });
        let Some(machine) = machine else { return };
        // Past the page cache, which others may have filled.
        let line = "dd if=/dev/zero of=file bs=64k count=4 oflag=direct && echo ready; sleep 60";
        let spec = machine.shell("disk", line);
        let (id, sandbox) = (spec.id.clone(), spec.sandbox.clone());
        machine.runtime.launch(spec).await.unwrap();
        soon("it has written", || {
            fs::read_to_string(sandbox.join("stdout")).is_ok_and(|text| !text.is_empty())
        });
        let usage = machine.runtime.usage(&id).await.unwrap();
        let written: u64 = usage.devices.iter().map(|it| it.written_bytes).sum();
        let writes: u64 = usage.devices.iter().map(|it| it.writes).sum();
        assert_eq!(written >= 256 * 1024 && writes >= 4, counted, "{usage:?}");
        machine.runtime.kill(&id).await.unwrap();
    }
}

#[tokio::test]
async fn r1_a_memory_bomb_ends_and_its_neighbour_does_not_notice() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let neighbour = machine.shell(
        "neighbour",
        "while ! test -e go; do sleep 0.02; done; exit 7",
    );
    let (id, sandbox) = (neighbour.id.clone(), neighbour.sandbox.clone());
    machine.runtime.launch(neighbour).await.unwrap();
    let many = format!("for i in 1 2 3 4; do {EAT} & done; wait");
    let outcome = machine.run(machine.shell("bomb", &many)).await;
    assert!(outcome.exit.oom.is_some(), "{outcome:?}");
    fs::write(sandbox.join("go"), "").unwrap();
    let exit = machine.runtime.wait(&id).await;
    assert_eq!(exit, exited(7), "and no report of memory");
}

#[tokio::test]
async fn r3_a_burner_of_processors_leaves_others_their_share() {
    let Some(machine) = Machine::new() else {
        return;
    };
    // What each gets at most is counted where it is given out, whatever else runs here.
    let burn = "for i in 1 2 3 4 5 6; do while :; do :; done & done; wait";
    let mut spec = machine.shell("burner", burn);
    spec.limits.cpu_limit = Some(Quantity::from_millis(100));
    let id = spec.id.clone();
    machine.runtime.launch(spec).await.unwrap();
    // It was made without a bound.
    let before = machine.runtime.usage(&id).await.unwrap().cpu_nanos;
    let probe = machine.shell("probe", "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done");
    assert_eq!(machine.run(probe).await.exit, exited(0));
    let throttled = loop {
        let usage = machine.runtime.usage(&id).await.unwrap();
        let throttling = usage.throttling.unwrap();
        if throttling.periods >= 10 {
            // A tenth of a processor: no more than 10 ms of each period, and what was begun.
            let most = 10_000_000 * (throttling.periods + 3) + 50_000_000;
            assert!(usage.cpu_nanos - before <= most, "{before} of {usage:?}");
            break throttling.throttled;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(throttled >= 5, "it wanted more: {throttled}");
    machine.runtime.kill(&id).await.unwrap();
}

#[tokio::test]
async fn r8_who_reads_more_than_its_memory_has_no_more_in_the_page_cache() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let line = "truncate -s 256M large && cat large large > /dev/null || exit 9; cd /sys/fs/cgroup; \
                cat memory/memory.usage_in_bytes memory.current 2> /dev/null; exit 4";
    let outcome = machine.run_shell(line).await;
    assert_eq!(outcome.exit, exited(4), "{outcome:?}");
    let held: u64 = outcome.out.trim().parse().unwrap();
    assert!(held <= 64 << 20, "{held}");
    assert!(held >= 8 << 20, "the page cache counts: {held}");
}

#[tokio::test]
async fn r6_open_files_run_out_for_the_task_alone() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let line = "perl -e 'my @f; while (open(my $f, \"<\", \"/dev/null\")) { push @f, $f } \
                print scalar(@f) > 20 ? \"many\" : \"few\", \" $!\"'";
    let mut spec = machine.shell("files", line);
    spec.security.resource_limits = vec![tepui_containers::ResourceLimit {
        resource: tepui_containers::Resource::OpenFiles,
        soft: Some(64),
        hard: Some(64),
    }];
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.out, "many Too many open files", "{outcome:?}");
    // The agent goes on launching.
    assert_eq!(machine.run_shell("true").await.exit, exited(0));
}

#[tokio::test]
async fn what_cannot_be_limited_so_low_gets_the_least_the_kernel_takes() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("least", "true");
    spec.limits.cpu_shares = Quantity::ZERO;
    spec.limits.cpu_limit = Some(Quantity::from_millis(1));
    spec.limits.memory = Bytes(0);
    assert_eq!(machine.run(spec).await.exit, exited(0));
}

#[tokio::test]
async fn r4_a_sandbox_beyond_its_limit_ends_the_task_with_the_reason() {
    let interval = std::time::Duration::from_millis(50);
    let Some(machine) = Machine::with(|options| options.disk_interval = interval) else {
        return;
    };
    let mut spec = machine.shell("disk", "head -c 8M /dev/zero > full; sleep 60");
    spec.disk = Some(Bytes(4 << 20));
    let outcome = machine.run(spec).await;
    let report = outcome.exit.disk.unwrap();
    assert!(report.used > report.limit && report.limit == Bytes(4 << 20));
    assert!(
        report.to_string().contains("exceeds quota (4.0MB)"),
        "{report}"
    );
    // Below it, nothing happens.
    let mut spec = machine.shell("small", "head -c 2M /dev/zero > some; sleep 0.3");
    spec.disk = Some(Bytes(4 << 20));
    let outcome = machine.run(spec).await;
    assert_eq!((outcome.exit.disk, outcome.exit), (None, exited(0)));
}

/// Makes so many empty files, and says so.
fn many(count: u32) -> String {
    format!("mkdir many; cd many; seq 1 {count} | xargs touch; echo made; ")
}

#[tokio::test]
async fn r5_empty_files_beyond_their_bound_end_the_task_with_the_reason() {
    let interval = std::time::Duration::from_millis(50);
    let with = |per_file| {
        Machine::with(|options| {
            options.disk_interval = interval;
            options.bytes_per_file = per_file;
        })
    };
    let Some(machine) = with(Some(Bytes(16 << 10))) else {
        return;
    };
    let mut spec = machine.shell("files", &format!("{} sleep 60", many(10_100)));
    spec.disk = Some(Bytes(64 << 20));
    let outcome = machine.run(spec).await;
    let said = outcome.exit.disk.unwrap().to_string();
    let expected = "Disk usage (10001 files) exceeds quota (10000 files for 64.0MB)";
    assert_eq!(said, expected);
    // More disk is room for more files, and what nobody bounds has no bound.
    let mut spec = machine.shell("more", &format!("{} sleep 0.3", many(10_100)));
    spec.disk = Some(Bytes(256 << 20));
    assert_eq!(machine.run(spec).await.exit, exited(0));
    let machine = with(None).unwrap();
    let mut spec = machine.shell("any", &format!("{} sleep 0.3", many(10_100)));
    spec.disk = Some(Bytes(64 << 20));
    assert_eq!(machine.run(spec).await.exit, exited(0));
}

#[tokio::test]
async fn a_restarted_agent_goes_on_measuring_sandboxes() {
    let interval = std::time::Duration::from_millis(50);
    let Some(machine) = Machine::with(|options| options.disk_interval = interval) else {
        return;
    };
    let wait = "while ! test -e go; do sleep 0.02; done; ";
    let lines = [
        "head -c 8M /dev/zero > full; sleep 60".to_owned(),
        format!("{} sleep 60", many(10_100)),
    ];
    let mut started = Vec::new();
    for (name, line) in ["bytes", "files"].into_iter().zip(lines) {
        let mut spec = machine.shell(name, &format!("{wait}{line}"));
        spec.disk = Some(Bytes(4 << 20));
        started.push((spec.id.clone(), spec.sandbox.clone()));
        machine.runtime.launch(spec).await.unwrap();
    }
    let machine = machine.restart();
    machine.runtime.recover().await;
    let mut reports = Vec::new();
    for (id, sandbox) in started {
        fs::write(sandbox.join("go"), "").unwrap();
        let exit = machine.runtime.wait(&id).await;
        reports.push(exit.disk.unwrap().to_string());
        machine.runtime.remove(&id).await.unwrap();
    }
    assert!(reports[0].ends_with("exceeds quota (4.0MB)"), "{reports:?}");
    assert!(reports[1].contains("10000 files"), "{reports:?}");
}
