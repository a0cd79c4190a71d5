//! The init's life: it reaps, passes SIGTERM on, and writes down how the task ended.

use std::io;

use tepui_sys::{Kernel, Logger, Reaped, Signal};

/// Tells an init without a PID namespace to kill everything that descends from it. With one, the
/// agent kills the init itself, and the kernel does the rest.
pub(crate) const KILL_SIGNAL: Signal = Signal::SIGUSR1;

/// What is passed on to the task's own program and to nobody else: it is for the program to say
/// what these mean.
pub(crate) const PASSED_ON: [Signal; 8] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGCONT,
    Signal::SIGWINCH,
];

/// Waits until the task's own process has ended, and writes its output meanwhile. Orphans are
/// reaped on the way; SIGTERM goes to all, as the signal by which the task wants to be asked to
/// end.
pub(super) fn wait_for(
    kernel: &impl Kernel,
    (task, mut logger): (i32, Option<&mut Logger>),
    own_processes: bool,
    stop: Signal,
) -> io::Result<Reaped> {
    loop {
        let signal = match &mut logger {
            Some(logger) => kernel.wait_signal_and_log(logger),
            None => kernel.wait_signal(),
        };
        match signal? {
            Signal::SIGCHLD => {
                // One signal may stand for many children.
                let mut ended = None;
                while let Some(reaped) = kernel.reap()? {
                    if reaped.pid() == task {
                        ended = Some(reaped);
                    }
                }
                if let Some(reaped) = ended {
                    return Ok(reaped);
                }
            }
            Signal::SIGTERM if own_processes => kernel.signal_all(stop)?,
            Signal::SIGTERM => kernel.signal_descendants(stop)?,
            KILL_SIGNAL if !own_processes => kernel.signal_descendants(Signal::SIGKILL)?,
            // It is this one's child, so its number stands for no other until it is reaped here.
            other if PASSED_ON.contains(&other) => kernel.signal_one(task, other)?,
            _ => {}
        }
    }
}

/// Reaps what ends until it is told to end itself.
pub(super) fn hold(kernel: &impl Kernel) -> io::Result<Reaped> {
    loop {
        match kernel.wait_signal()? {
            Signal::SIGCHLD => while kernel.reap()?.is_some() {},
            Signal::SIGTERM | KILL_SIGNAL => return Ok(Reaped::Exited { pid: 0, code: 0 }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tepui_sys::{Forked, fake::Recorder};

    use super::*;

    const TASK: i32 = 2;

    fn kernel(signals: &[Signal], reaped: &[Option<Reaped>]) -> Recorder {
        let kernel = Recorder::new(Forked::Parent(TASK));
        kernel.signals.borrow_mut().extend(signals);
        kernel.reaped.borrow_mut().extend(reaped);
        kernel
    }

    const DONE: Option<Reaped> = Some(Reaped::Exited { pid: TASK, code: 3 });
    const ORPHAN: Option<Reaped> = Some(Reaped::Signaled { pid: 9, signal: 15 });

    #[test]
    fn who_holds_for_others_reaps_and_ends_when_told() {
        let kernel = kernel(&[Signal::SIGCHLD, Signal::SIGTERM], &[ORPHAN, ORPHAN, None]);
        let code = Reaped::Exited { pid: 0, code: 0 };
        assert_eq!(hold(&kernel).unwrap(), code);
        assert!(kernel.reaped.borrow().is_empty());
        assert!(kernel.calls().is_empty());
    }

    #[test]
    fn orphans_are_reaped_and_the_task_s_status_is_what_counts() {
        let kernel = kernel(
            &[Signal::SIGCHLD, Signal::SIGCHLD],
            &[ORPHAN, None, DONE, ORPHAN, None],
        );
        assert_eq!(
            wait_for(&kernel, (TASK, None), true, Signal::SIGTERM).unwrap(),
            DONE.unwrap()
        );
        assert!(
            kernel.reaped.borrow().is_empty(),
            "all that had ended was reaped"
        );
    }

    #[test]
    fn sigterm_goes_to_every_process() {
        let signals = [
            Signal::SIGTERM,
            Signal::SIGPIPE,
            Signal::SIGTERM,
            Signal::SIGCHLD,
        ];
        let kernel = kernel(&signals, &[DONE]);
        wait_for(&kernel, (TASK, None), true, Signal::SIGTERM).unwrap();
        assert_eq!(kernel.calls(), ["signal all SIGTERM", "signal all SIGTERM"]);
    }

    #[test]
    fn other_signals_go_to_the_program_alone() {
        let signals = [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGCHLD];
        let kernel = kernel(&signals, &[DONE]);
        wait_for(&kernel, (TASK, None), true, Signal::SIGTERM).unwrap();
        assert_eq!(kernel.calls(), ["signal 2 SIGHUP", "signal 2 SIGUSR1"]);
    }

    #[test]
    fn without_a_pid_namespace_descendants_are_signalled_and_killed() {
        let signals = [Signal::SIGTERM, KILL_SIGNAL, Signal::SIGCHLD];
        let kernel = kernel(&signals, &[DONE]);
        wait_for(&kernel, (TASK, None), false, Signal::SIGQUIT).unwrap();
        assert_eq!(
            kernel.calls(),
            ["signal descendants SIGQUIT", "signal descendants SIGKILL"]
        );
    }
}
