//! Tests of the module that this one belongs to.

use std::{cell::RefCell, fs::File};

use nix::libc;
use tepui_sys::fake::Recorder;

use super::{
    wire::{EnteredPlan, TerminalPlan},
    *,
};
use crate::init::wire::{CapabilityPlan, Cause, Command, Rights, UserPlan};

/// An agent that notes what it hears.
struct FakeCaller {
    plan: Option<SessionPlan>,
    heard: RefCell<Vec<String>>,
}

impl Caller for FakeCaller {
    fn announce(&self) -> io::Result<()> {
        Ok(())
    }

    fn plan(&self) -> io::Result<Option<(SessionPlan, Files)>> {
        let file = || OwnedFd::from(File::open("/dev/null").unwrap());
        let plan = self.plan.clone();
        Ok(plan.map(|plan| {
            let streams = plan.terminal.is_none().then(|| [file(), file(), file()]);
            let init = file();
            (plan, Files { init, streams })
        }))
    }

    fn started(&self, program: i32, terminal: Option<OwnedFd>) -> io::Result<()> {
        let terminal = terminal.is_some();
        let line = format!("{program} started, terminal {terminal}");
        self.heard.borrow_mut().push(line);
        Ok(())
    }

    fn report(&self, failure: &Failure) {
        self.heard.borrow_mut().push(failure.what.clone());
    }

    fn finish(&self, _: &impl Kernel, program: i32, _: Option<&OwnedFd>) -> io::Result<()> {
        self.heard.borrow_mut().push(format!("{program} finished"));
        Ok(())
    }
}

fn session(terminal: bool) -> SessionPlan {
    let plan = Plan {
        command: Command {
            path: "/bin/tool".into(),
            arguments: vec!["tool".into()],
        },
        user: Some(UserPlan {
            uid: 7,
            gid: 8,
            groups: vec![8, 9],
        }),
        sandbox: "/sandbox".into(),
        rights: Rights {
            capabilities: Some(CapabilityPlan {
                bounding: 0xff,
                held: 0xf,
                passed_on: 0,
            }),
            no_new_privileges: true,
            filters: vec![vec![1, 2]],
            ..Rights::default()
        },
        oom_score_adj: Some(0),
        ..Plan::default()
    };
    let entered = EnteredPlan {
        mount: true,
        pid: true,
        ..EnteredPlan::default()
    };
    let size = TerminalPlan {
        rows: 24,
        columns: 80,
    };
    SessionPlan {
        plan,
        entered,
        terminal: terminal.then_some(size),
    }
}

fn run_over(kernel: &Recorder, plan: Option<SessionPlan>) -> (u8, Vec<String>) {
    let request = SessionRequest {
        join: vec!["/cg/pids/cgroup.procs".into()],
        ..SessionRequest::default()
    };
    let heard = RefCell::default();
    let caller = FakeCaller { plan, heard };
    let code = run(kernel, &request, &caller);
    (code, caller.heard.into_inner())
}

const HELPER: [&str; 8] = [
    "reset signals",
    "hide",
    "set name tepui-session",
    "new session",
    "write 0 to /cg/pids/cgroup.procs",
    "write 0 to /proc/self/oom_score_adj",
    "enter namespaces, mount true, pid true",
    "open folder /sandbox",
];

const RIGHTS: [&str; 9] = [
    "enter folder",
    "keep only one file",
    "set umask 022",
    "limit capabilities to ff",
    "become user 7:8 [8, 9]",
    "set capabilities f passing on 0",
    "close on exec",
    "renounce privileges",
    "filter calls by 2 instructions",
];

#[test]
fn a_program_is_run_in_the_container_with_the_task_s_rights_taken_last() {
    let kernel = Recorder::new(Forked::Child);
    run_over(&kernel, Some(session(false)));
    let given = ["give to 7:8"; 3];
    let child = ["fork", "new session", "reset signals", "set streams"];
    let expected = [&HELPER[..], &given, &child, &RIGHTS].concat();
    let calls = kernel.calls();
    assert_eq!(calls[..calls.len() - 1], expected);
    assert_eq!(calls[calls.len() - 1], r#"exec /bin/tool ["tool"] []"#);
}

#[test]
fn a_terminal_is_the_container_s_own_and_controls_the_program() {
    let kernel = Recorder::new(Forked::Child);
    run_over(&kernel, Some(session(true)));
    let expected = [
        "open terminal of 24 by 80",
        "give to 7:8",
        "fork",
        "new session",
        "reset signals",
        "control by terminal",
        "set streams",
    ];
    assert_eq!(kernel.calls()[HELPER.len()..][..7], expected);
}

#[test]
fn the_helper_tells_that_the_program_runs_and_waits_for_it() {
    // The other side of the fork has the pipe's end alone, and closes it.
    let kernel = Recorder::new(Forked::Parent(9));
    let (code, heard) = run_over(&kernel, Some(session(true)));
    assert_eq!(code, 0);
    assert_eq!(heard, ["9 started, terminal true", "9 finished"]);
}

#[test]
fn without_a_plan_nothing_is_entered() {
    let kernel = Recorder::new(Forked::Child);
    let (code, heard) = run_over(&kernel, None);
    assert_eq!((code, heard.len()), (0, 0));
    assert!(!kernel.calls().iter().any(|call| call.starts_with("enter")));
}

#[test]
fn whatever_fails_is_told_and_no_program_runs() {
    let steps = HELPER.iter().chain(&["open terminal", "fork"]);
    for step in steps {
        let kernel = Recorder::new(Forked::Child).refusing(step, libc::EPERM);
        let (code, heard) = run_over(&kernel, Some(session(true)));
        assert_eq!((code, heard.len()), (CANNOT_RUN, 1), "{step}");
        assert!(!kernel.calls().iter().any(|call| call.starts_with("exec")));
    }
    for step in ["control", "set streams"].iter().chain(&RIGHTS) {
        if step.starts_with("set umask") {
            continue;
        }
        let kernel = Recorder::new(Forked::Child).refusing(step, libc::EPERM);
        let (code, _) = run_over(&kernel, Some(session(true)));
        assert_eq!(code, CANNOT_RUN, "{step}");
        assert!(!kernel.calls().iter().any(|call| call.starts_with("exec")));
    }
}

#[test]
fn a_program_that_cannot_be_run_is_told_by_its_name() {
    let kernel = Recorder::new(Forked::Child);
    kernel.exec_errors.borrow_mut().push_back(libc::EACCES);
    let plan = session(false).plan;
    let failure = exec(&kernel, &plan);
    assert_eq!(failure.cause, Cause::Program);
    assert_eq!(failure.what, "/bin/tool");
}

#[test]
fn the_helper_keeps_of_its_power_only_what_it_needs_once_the_program_is_there() {
    let kernel = Recorder::new(Forked::Parent(9));
    let mut session = session(true);
    session.plan.lessen = true;
    let (code, heard) = run_over(&kernel, Some(session.clone()));
    assert_eq!((code, heard.len()), (0, 2));
    let calls = kernel.calls();
    let lessened = [
        "fork",
        "limit capabilities to 20",
        "set capabilities 20 passing on 0",
        "renounce privileges",
    ];
    assert_eq!(calls[calls.len() - 4..], lessened);
    for step in &lessened[1..] {
        let kernel = Recorder::new(Forked::Parent(9)).refusing(step, libc::EPERM);
        let (code, heard) = run_over(&kernel, Some(session.clone()));
        assert_eq!((code, heard.len()), (CANNOT_RUN, 1), "{step}");
    }
}
