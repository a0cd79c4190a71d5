//! Tests of the module that this one belongs to.

use std::cell::RefCell;

use nix::libc;
use tepui_sys::{Reaped, fake::Recorder};

use super::*;
use crate::{
    Isolation,
    init::wire::{
        CapabilityPlan, Cause, CgroupView, Command, DevicePlan, LimitPlan, LogPlan, MountPlan,
        Rights, RootBase, RootPlan, SecretPlan, UserPlan, UsersPlan, VolumePlan,
    },
};

/// An agent that notes when it was called among the calls to the kernel.
#[derive(Default)]
struct FakeAgent<'a> {
    plan: Option<Plan>,
    /// It dies before it has written the container down.
    dies: bool,
    failures: Option<&'a RefCell<Vec<Failure>>>,
}

impl Agent for FakeAgent<'_> {
    fn announce(&self) -> io::Result<()> {
        Ok(())
    }

    fn plan(&self) -> io::Result<Option<Plan>> {
        Ok(self.plan.clone())
    }

    fn may_run(&self) -> io::Result<bool> {
        Ok(!self.dies)
    }

    fn report(&self, failure: &Failure) {
        self.failures.unwrap().borrow_mut().push(failure.clone());
    }
}

fn request() -> InitRequest {
    let join = vec![
        "/cg/memory/cgroup.procs".into(),
        "/cg/pids/cgroup.procs".into(),
    ];
    InitRequest {
        isolation: Isolation::ALL,
        join,
        born_in: None,
        enter: None,
        quota: Some(Quota {
            file: "/cg/cpu/quota".into(),
            value: "1000".to_owned(),
        }),
    }
}

fn mount(kind: &str, target: &str, optional: bool) -> MountPlan {
    let kind_has_devices = kind == "devpts";
    let (kind, target) = (kind.to_owned(), target.into());
    MountPlan {
        kind,
        target,
        options: String::new(),
        devices: kind_has_devices,
        read_only: false,
        optional,
    }
}

fn rights() -> Rights {
    Rights {
        limits: vec![LimitPlan {
            resource: 7,
            soft: 64,
            hard: 128,
        }],
        capabilities: Some(CapabilityPlan {
            bounding: 0xff,
            held: 0xf,
            passed_on: 0xf,
        }),
        no_new_privileges: true,
        filters: vec![vec![1, 2], vec![3]],
    }
}

fn plan() -> Plan {
    Plan {
        hold: false,
        command: Command {
            path: "/bin/tool".into(),
            arguments: vec!["tool".into()],
        },
        environment: vec![("A".into(), "1".into())],
        user: Some(UserPlan {
            uid: 7,
            gid: 8,
            groups: vec![8, 9],
        }),
        users: None,
        sandbox: "/sandbox".into(),
        logs: None,
        status: "/run/status".into(),
        network: Some("/run/net".into()),
        own_mounts: true,
        own_processes: true,
        mounts: vec![
            mount("proc", "/proc", false),
            mount("devpts", "/dev/pts", false),
            mount("tmpfs", "/dev/shm", true),
            mount("mqueue", "/dev/mqueue", true),
        ],
        cgroups: Some(CgroupView {
            binds: vec![("/cg/pids/c1".into(), "/cg/pids".into())],
            folder: "/cg".into(),
            fresh: true,
        }),
        volumes: vec![VolumePlan {
            base: None,
            source: "/volumes/v".into(),
            target: "/sandbox/data".into(),
            read_only: true,
            links: true,
            make: true,
            mapped: false,
            layers: None,
        }],
        secrets: vec![SecretPlan {
            target: "/sandbox/token".into(),
            content: b"hush".to_vec(),
            make: true,
        }],
        shared_memory_of: Some((7, 70)),
        secrets_at: Some("/run/secrets".into()),
        devices: vec![DevicePlan {
            path: "/dev/null".into(),
            block: false,
            major: 1,
            minor: 3,
            mode: 0o666,
        }],
        more_devices: Vec::new(),
        links: vec![("/dev/fd".into(), "/proc/self/fd".into())],
        masked: vec!["/proc/kcore".into()],
        read_only: vec!["/proc/sys".into()],
        root: None,
        working_dir: None,
        folders: Vec::new(),
        stop_signal: None,
        lessen: false,
        hostname: Some("inside".into()),
        rights: rights(),
        oom_score_adj: Some(500),
        console: None,
    }
}

/// Runs an init over a recording kernel; returns its exit code and what it reported.
fn run_over(kernel: &Recorder, request: &InitRequest, plan: Option<Plan>) -> (u8, Vec<Failure>) {
    let agent = FakeAgent {
        plan,
        ..FakeAgent::default()
    };
    run_for(kernel, request, agent)
}

fn run_for(kernel: &Recorder, request: &InitRequest, agent: FakeAgent<'_>) -> (u8, Vec<Failure>) {
    let failures = RefCell::default();
    let agent = FakeAgent {
        failures: Some(&failures),
        ..agent
    };
    (run(kernel, request, agent), failures.into_inner())
}

const ARRIVAL: [&str; 9] = [
    "reset signals",
    "block signals",
    "set name tepui-init",
    "new session",
    "write 0 to /cg/memory/cgroup.procs",
    "write 0 to /cg/pids/cgroup.procs",
    "open /cg/cpu/quota for writing",
    "unshare cgroups",
    "open /run/status for writing",
];

const FILES: [&str; 23] = [
    "forbid devices",
    "copy /dev/shm of process 7",
    "copy /cg/pids/c1",
    "copy /volumes/v",
    "hold 1 secrets of 7 at /run/secrets",
    "take off /cg",
    "mount proc on /proc noexec",
    "mount devpts on /dev/pts noexec dev",
    "mount tmpfs on /dev/shm",
    "show at /dev/shm",
    "make device /dev/null c 1:3 666",
    "link /dev/fd to /proc/self/fd",
    r#"seal devices in /dev but ["/dev/null"]"#,
    "mount tmpfs on /cg mode=755,size=64k",
    "show at /cg/pids ro",
    "protect /cg",
    "show at /sandbox/data over links ro",
    "show at /sandbox/token over links ro",
    "protect /proc/sys",
    "mask /proc/kcore",
    "set hostname inside",
    "write 500 to /proc/self/oom_score_adj",
    "open output stdout",
];

const OUTPUT: [&str; 5] = [
    "open output stderr",
    "give to 7:8",
    "give to 7:8",
    "give to 7:8",
    "set output",
];

/// All that is done before the task is forked, on the host's root.
fn preparation() -> Vec<&'static str> {
    let folders = ["open folder /sandbox", "open folder /sandbox"];
    let root = ["join network /run/net", "detach mounts", "open root /"];
    let parts: [&[&str]; 5] = [&ARRIVAL, &folders, &root, &FILES, &OUTPUT];
    parts.concat()
}

const TASK: [&str; 13] = [
    "new session",
    "reset signals",
    "enter folder",
    "set umask 022",
    "limit resource 7 to 64 of 128",
    "limit capabilities to ff",
    "keep capabilities",
    "become user 7:8 [8, 9]",
    "set capabilities f passing on f",
    "close on exec",
    "renounce privileges",
    "filter calls by 2 instructions",
    "filter calls by 1 instructions",
];

#[test]
fn a_task_is_isolated_before_it_becomes_its_user_and_runs_last_of_all() {
    let kernel = Recorder::new(Forked::Child).without_folder("/dev/mqueue");
    let (code, failures) = run_over(&kernel, &request(), Some(plan()));
    let mut expected = preparation();
    expected.push("fork");
    expected.extend(TASK);
    expected.push(r#"exec /bin/tool ["tool"] ["A=1"]"#);
    assert_eq!(kernel.calls(), expected);
    assert_eq!((code, failures.len()), (127, 1));
    assert_eq!(
        (failures[0].cause, failures[0].what.as_str()),
        (Cause::Program, "/bin/tool")
    );
}

#[test]
fn an_init_keeps_of_its_power_only_what_it_needs_once_the_task_is_there() {
    for hold in [false, true] {
        let kernel = Recorder::new(Forked::Parent(2)).without_folder("/dev/mqueue");
        let plan = Plan {
            lessen: true,
            hold,
            ..plan()
        };
        let _ = run_over(&kernel, &request(), Some(plan));
        let calls = kernel.calls();
        let lessened = [
            "hide",
            "limit capabilities to 20",
            "set capabilities 20 passing on 0",
            "renounce privileges",
            "write 1000 to a file",
        ];
        let at = calls.iter().position(|call| call == "hide").unwrap();
        assert_eq!(calls[at..at + 5], lessened, "{calls:?}");
        let expected = if hold { "set output" } else { "fork" };
        assert_eq!(calls[at - 1], expected);
    }
}

#[test]
fn a_root_of_its_own_is_entered_when_all_is_there_and_the_sandbox_is_opened_inside() {
    let kernel = Recorder::new(Forked::Parent(2)).without_folder("/dev/mqueue");
    let base = RootBase::Layers {
        lower: vec!["/layers/a".into(), "/layers/b".into()],
        upper: "/upper".into(),
        work: "/work".into(),
    };
    let root = RootPlan {
        base,
        at: "/run/root".into(),
        sandbox: "/mnt/sandbox".into(),
    };
    let plan = Plan {
        root: Some(root),
        working_dir: Some("/app".into()),
        folders: vec!["/app".into()],
        ..plan()
    };
    let _ = run_over(&kernel, &request(), Some(plan));
    let calls = kernel.calls();
    assert_eq!(
        calls[ARRIVAL.len()..ARRIVAL.len() + 9],
        [
            "join network /run/net",
            "detach mounts",
            r#"mount layers ["/layers/a", "/layers/b"] under "/upper" and "/work" at /run/root"#,
            "open root /run/root",
            "forbid devices",
            "copy /dev/shm of process 7",
            "copy /cg/pids/c1",
            "copy /sandbox",
            "copy /volumes/v",
        ]
    );
    let at = |call: &str| calls.iter().position(|known| known == call).unwrap();
    assert!(at("show at /mnt/sandbox") < at("show at /sandbox/data over links ro"));
    let entered = at("enter root");
    let made = calls
        .iter()
        .position(|call| call.starts_with("make folder /app"));
    assert!(made.unwrap() < entered);
    assert_eq!(calls[entered - 1], "mask /proc/kcore");
    let inside = ["open folder /mnt/sandbox", "open folder /app"];
    assert!(inside.into_iter().all(|call| at(call) > entered));
    assert!(
        calls[..entered]
            .iter()
            .all(|call| call != "open folder /sandbox")
    );
}

#[test]
fn an_init_writes_the_status_of_its_task_and_signals_nobody() {
    let kernel = Recorder::new(Forked::Parent(2)).without_folder("/dev/mqueue");
    kernel.signals.borrow_mut().push_back(Signal::SIGCHLD);
    kernel
        .reaped
        .borrow_mut()
        .push_back(Some(Reaped::Exited { pid: 2, code: 0 }));
    assert_eq!(run_over(&kernel, &request(), Some(plan())), (0, Vec::new()));
    let mut expected = preparation();
    expected.extend(["fork", "write 1000 to a file", "write exited 0 to a file"]);
    assert_eq!(kernel.calls(), expected);
}

#[test]
fn a_task_whose_processor_time_cannot_be_bounded_is_no_running_task() {
    let kernel = Recorder::new(Forked::Parent(2))
        .without_folder("/dev/mqueue")
        .refusing("write 1000 to a file", libc::EINVAL);
    let (code, failures) = run_over(&kernel, &request(), Some(plan()));
    assert_eq!((code, failures.len()), (127, 1));
    assert_eq!(failures[0].what, "set the CPU quota");
}

#[test]
fn without_a_plan_nothing_is_run() {
    let kernel = Recorder::new(Forked::Child);
    assert_eq!(run_over(&kernel, &request(), None), (0, Vec::new()));
    assert_eq!(kernel.calls(), &ARRIVAL[..8]);
}

#[test]
fn what_the_agent_did_not_write_down_is_made_ready_and_not_run() {
    for hold in [false, true] {
        let kernel = Recorder::new(Forked::Child).without_folder("/dev/mqueue");
        let agent = FakeAgent {
            plan: Some(Plan { hold, ..plan() }),
            dies: true,
            ..FakeAgent::default()
        };
        assert_eq!(run_for(&kernel, &request(), agent), (0, Vec::new()));
        assert_eq!(kernel.calls(), preparation());
    }
}

#[test]
fn every_step_that_fails_ends_the_launch_with_its_name() {
    let preparation = preparation();
    let steps = preparation.iter().chain(&["fork"]).chain(&TASK);
    // These succeed always, or were refused at an earlier place.
    let same = ["new session", "reset signals", "set umask 022"];
    for step in steps.filter(|step| preparation.contains(step) || !same.contains(step)) {
        let kernel = Recorder::new(Forked::Child)
            .without_folder("/dev/mqueue")
            .refusing(step, libc::EPERM);
        let (code, failures) = run_over(&kernel, &request(), Some(plan()));
        assert_eq!((code, failures.len()), (127, 1), "{step}");
        assert_eq!(failures[0].errno, Some(libc::EPERM), "{step}");
        let calls = kernel.calls();
        assert!(
            calls.last().unwrap().starts_with(step),
            "nothing may follow {step}: {calls:?}"
        );
    }
}

#[test]
fn without_isolation_the_init_adopts_orphans_and_kills_them_at_the_end() {
    let kernel = Recorder::new(Forked::Parent(2));
    kernel.signals.borrow_mut().push_back(Signal::SIGCHLD);
    kernel
        .reaped
        .borrow_mut()
        .push_back(Some(Reaped::Exited { pid: 2, code: 0 }));
    let plain = Plan {
        sandbox: "/sandbox".into(),
        status: "/run/status".into(),
        ..Plan::default()
    };
    let request = InitRequest {
        isolation: Isolation::NONE,
        ..InitRequest::default()
    };
    assert_eq!(run_over(&kernel, &request, Some(plain)), (0, Vec::new()));
    assert_eq!(
        &kernel.calls()[4..],
        [
            "adopt orphans",
            "open /run/status for writing",
            "open folder /sandbox",
            "open folder /sandbox",
            "open output stdout",
            "open output stderr",
            "set output",
            "fork",
            "write exited 0 to a file",
            "signal descendants SIGKILL",
        ]
    );
}

#[test]
fn output_that_takes_turns_goes_through_pipes_that_are_the_users() {
    let kernel = Recorder::new(Forked::Parent(2)).without_folder("/dev/mqueue");
    let room = LogPlan {
        bytes: 4096,
        kept: 1,
    };
    let plan = Plan {
        logs: Some([room, room]),
        ..plan()
    };
    let _ = run_over(&kernel, &request(), Some(plan));
    let calls = kernel.calls();
    let begin = calls.iter().position(|call| call == "open output stdout");
    let expected = [
        "open output stdout",
        "open output stderr",
        "give to 7:8",
        "give to 7:8",
        "give to 7:8",
        "pipe",
        "pipe",
        "give to 7:8",
        "give to 7:8",
        "set output",
        "fork",
        "let go of output",
        "write 1000 to a file",
    ];
    assert_eq!(calls[begin.unwrap()..][..expected.len()], expected);
}

#[test]
fn with_users_of_its_own_all_is_made_for_them_and_the_task_enters_their_namespace_last() {
    let kernel = Recorder::new(Forked::Child).without_folder("/dev/mqueue");
    let mut plan = plan();
    plan.users = Some(UsersPlan {
        namespace: "/run/users".into(),
        start: 100_000,
    });
    plan.volumes[0].mapped = true;
    let _ = run_over(&kernel, &request(), Some(plan));
    let calls = kernel.calls();
    let at = |call: &str| calls.iter().position(|known| known == call).unwrap();
    // Both before a mount can hide them.
    assert_eq!(calls[ARRIVAL.len()], "open users /run/users");
    assert_eq!(calls[ARRIVAL.len() + 1], "open folder /sandbox");
    assert!(at("act as 100000") < at("open root /"));
    for source in ["copy /sandbox", "copy /volumes/v"] {
        assert_eq!(calls[at(source) + 1], "map users");
    }
    let mapped = calls.iter().filter(|call| *call == "map users");
    assert_eq!(mapped.count(), 2, "what is ours is nobody's inside");
    assert!(at("hold 1 secrets of 100007 at /run/secrets") < at("act as 0"));
    // Output is opened where it belongs to the task on the disk, and again as the task sees it.
    let outputs = calls.iter().filter(|call| *call == "open output stdout");
    assert_eq!(outputs.count(), 2);
    let entered = at("enter users");
    assert_eq!(calls[entered - 1], "limit resource 7 to 64 of 128");
    assert_eq!(calls[entered + 1], "limit capabilities to ff");
    assert_eq!(calls[entered + 3], "become user 7:8 [8, 9]");
}

#[test]
fn pipes_and_terminals_belong_to_whom_the_task_is_outside() {
    let kernel = Recorder::new(Forked::Parent(2)).without_folder("/dev/mqueue");
    let room = LogPlan {
        bytes: 4096,
        kept: 1,
    };
    let plan = Plan {
        logs: Some([room, room]),
        users: Some(UsersPlan {
            namespace: "/run/users".into(),
            start: 100_000,
        }),
        ..plan()
    };
    let _ = run_over(&kernel, &request(), Some(plan));
    let calls = kernel.calls();
    let given = calls.iter().filter(|call| call.starts_with("give"));
    let given: Vec<_> = given.map(String::as_str).collect();
    let expected = [&["give to 7:8"; 3][..], &["give to 100007:100008"; 2]].concat();
    assert_eq!(given, expected);
}
