//! What the end of a container means for its task.

use tepui_model::{Reason, Source, TaskState, TaskStatus};
use tepui_proto::v1;

use crate::{Exit, ExitStatus, KillCause, Limitation, limits, task::Task};

/// A new state of a task, before it has a time and a name.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) state: TaskState,
    pub(crate) source: Source,
    pub(crate) reason: Option<Reason>,
    pub(crate) message: String,
    pub(crate) limitation: Option<v1::TaskResourceLimitation>,
    /// Whether the task is well, when that is what ended it.
    healthy: Option<bool>,
    /// How the command ended, as a shell's `$?`.
    exit_status: Option<u8>,
}

impl Outcome {
    /// A state that the agent decides on.
    pub(crate) fn by_agent(state: TaskState, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            state,
            source: Source::Agent,
            reason: Some(reason),
            message: message.into(),
            limitation: None,
            healthy: None,
            exit_status: None,
        }
    }

    /// A state that follows from what the command did, as Mesos' command executor reports it.
    pub(crate) fn by_executor(state: TaskState, message: impl Into<String>) -> Self {
        Self {
            state,
            source: Source::Executor,
            reason: None,
            message: message.into(),
            limitation: None,
            healthy: None,
            exit_status: None,
        }
    }

    /// What an executor said.
    pub(crate) fn of(status: &TaskStatus) -> Self {
        Self {
            state: status.state,
            source: status.source.unwrap_or(Source::Executor),
            reason: status.reason,
            message: status.message.clone().unwrap_or_default(),
            limitation: status.passengers.limitation.clone(),
            healthy: status.healthy,
            exit_status: None,
        }
    }

    /// The same for a reason.
    pub(crate) fn because(self, reason: Reason) -> Self {
        Self {
            reason: Some(reason),
            ..self
        }
    }

    /// Fills in what this says about the state.
    pub(crate) fn describe(self, status: &mut TaskStatus) {
        status.state = self.state;
        status.source = Some(self.source);
        status.reason = self.reason;
        status.healthy = self.healthy;
        let mut message = self.message;
        cut(&mut message, limits::MAX_MESSAGE_BYTES);
        status.message = (!message.is_empty()).then_some(message);
        status.passengers.limitation = self.limitation;
        if let Some(code) = self.exit_status {
            status.set_exit_status(code);
        }
    }

    fn with_exit(self, status: ExitStatus) -> Self {
        let code = match status {
            ExitStatus::Code(code) => u8::try_from(code).ok(),
            ExitStatus::Signal(signal) => {
                u8::try_from(signal).ok().map(|it| it.saturating_add(128))
            }
            ExitStatus::Unknown => None,
        };
        Self {
            exit_status: code,
            ..self
        }
    }
}

/// Cuts a message to the longest that may travel.
fn cut(message: &mut String, most: usize) {
    let mut end = most.min(message.len());
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.truncate(end);
}

/// What the end of its container means for a task (Mesos: EXE-01, ISO-03, SPC-06, KIL-02).
pub(crate) fn of_exit(task: &Task, exit: &Exit) -> Outcome {
    if let Some(report) = &exit.limitation {
        return beyond(report);
    }
    let cause = task.kill.map(|kill| kill.cause);
    match (cause, exit.status) {
        (Some(_), _) if task.started.is_none() => Outcome::by_agent(
            TaskState::Killed,
            Reason::TaskKilledDuringLaunch,
            "Killed before its command was reported as running",
        ),
        (Some(KillCause::CompletionTime), _) => Outcome {
            reason: Some(Reason::MaxCompletionTimeReached),
            ..Outcome::by_executor(TaskState::Failed, "Max completion time exceeded")
        },
        (Some(KillCause::Unhealthy), status) => unhealthy(task, status),
        // As in Mesos, a command that ends well when asked to end has finished.
        (_, ExitStatus::Code(0)) => {
            Outcome::by_executor(TaskState::Finished, describe(exit.status)).with_exit(exit.status)
        }
        (Some(_), status) => {
            Outcome::by_executor(TaskState::Killed, describe(status)).with_exit(status)
        }
        (None, ExitStatus::Unknown) => Outcome::by_agent(
            TaskState::Failed,
            Reason::ExecutorTerminated,
            describe(ExitStatus::Unknown),
        ),
        (None, status) => {
            Outcome::by_executor(TaskState::Failed, describe(status)).with_exit(status)
        }
    }
}

/// A task whose health check failed too often was killed (Mesos: CHK-02).
fn unhealthy(task: &Task, status: ExitStatus) -> Outcome {
    let failed = task
        .checks
        .iter()
        .filter(|check| check.is_well() == Some(false));
    let why = failed.filter_map(|check| check.last()).next();
    let why = why.map_or_else(String::new, |finding| format!(": {}", finding.words()));
    let message = format!("{}; it was killed as unhealthy{why}", describe(status));
    Outcome {
        healthy: Some(false),
        ..Outcome::by_executor(TaskState::Killed, message)
            .because(Reason::TaskHealthCheckStatusUpdated)
            .with_exit(status)
    }
}

/// What a container that could not be started means for its task.
pub(crate) fn of_launch_failure(task: &Task, message: &str) -> Outcome {
    if task.kill.is_some() {
        let message = format!("Killed while its container could not be started: {message}");
        return Outcome::by_agent(TaskState::Killed, Reason::TaskKilledDuringLaunch, message);
    }
    let message = format!("Failed to launch container: {message}");
    Outcome::by_agent(TaskState::Failed, Reason::ContainerLaunchFailed, message)
}

/// A container met a limit.
pub(crate) fn beyond(report: &Limitation) -> Outcome {
    let reason = report.reason();
    Outcome {
        limitation: Some(report.told()),
        ..Outcome::by_agent(TaskState::Failed, reason, report.message.clone())
    }
}

/// How a container ended, in words.
pub(crate) fn words(exit: &Exit) -> String {
    describe(exit.status)
}

/// The words of Mesos' command executor.
fn describe(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("Command exited with status {code}"),
        ExitStatus::Signal(signal) => match signal_text(signal) {
            Some(text) => format!("Command terminated with signal {text}"),
            None => format!("Command terminated with signal {signal}"),
        },
        ExitStatus::Unknown => "The command ended, and nobody saw how".to_owned(),
    }
}

/// What the C library calls the signals that end a process.
fn signal_text(signal: i32) -> Option<&'static str> {
    const TEXTS: [&str; 16] = [
        "",
        "Hangup",
        "Interrupt",
        "Quit",
        "Illegal instruction",
        "Trace/breakpoint trap",
        "Aborted",
        "Bus error",
        "Floating point exception",
        "Killed",
        "User defined signal 1",
        "Segmentation fault",
        "User defined signal 2",
        "Broken pipe",
        "Alarm clock",
        "Terminated",
    ];
    match signal {
        1..=15 => usize::try_from(signal)
            .ok()
            .and_then(|index| TEXTS.get(index))
            .copied(),
        24 => Some("CPU time limit exceeded"),
        25 => Some("File size limit exceeded"),
        31 => Some("Bad system call"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use tepui_model::Time;

    use super::*;
    use crate::{Limited, agent::tests::sleeper, task::KillOrder};

    fn task(started: Option<Time>, cause: Option<KillCause>) -> Task {
        let mut task = Task::new(sleeper("t"), None);
        task.started = started;
        task.kill = cause.map(|cause| KillOrder {
            cause,
            since: Time::ZERO,
            grace: Duration::ZERO,
        });
        task
    }

    fn outcome(cause: Option<KillCause>, exit: &Exit) -> (TaskState, Option<Reason>, String) {
        let outcome = of_exit(&task(Some(Time::ZERO), cause), exit);
        (outcome.state, outcome.reason, outcome.message)
    }

    #[test]
    fn a_command_ends_as_in_mesos() {
        let text = "Command exited with status 0".to_owned();
        assert_eq!(
            outcome(None, &Exit::code(0)),
            (TaskState::Finished, None, text.clone())
        );
        assert_eq!(
            outcome(Some(KillCause::Asked), &Exit::code(0)),
            (TaskState::Finished, None, text)
        );
        let text = "Command exited with status 3".to_owned();
        assert_eq!(
            outcome(None, &Exit::code(3)),
            (TaskState::Failed, None, text.clone())
        );
        assert_eq!(
            outcome(Some(KillCause::Asked), &Exit::code(3)),
            (TaskState::Killed, None, text)
        );
        let text = "Command terminated with signal Segmentation fault".to_owned();
        assert_eq!(
            outcome(None, &Exit::signal(11)),
            (TaskState::Failed, None, text)
        );
        let text = "Command terminated with signal 64".to_owned();
        assert_eq!(
            outcome(None, &Exit::signal(64)),
            (TaskState::Failed, None, text)
        );
    }

    #[test]
    fn an_end_that_nobody_saw_is_a_failure_unless_it_was_asked_for() {
        let (state, reason, _) = outcome(None, &Exit::unknown());
        assert_eq!(
            (state, reason),
            (TaskState::Failed, Some(Reason::ExecutorTerminated))
        );
        assert_eq!(
            outcome(Some(KillCause::Asked), &Exit::unknown()).0,
            TaskState::Killed
        );
    }

    #[test]
    fn out_of_memory_comes_before_everything_else() {
        let report = Limitation {
            of: Limited::Memory,
            limit_bytes: 32 << 20,
            message: "too much".to_owned(),
        };
        let exit = Exit {
            status: ExitStatus::Signal(9),
            limitation: Some(report),
        };
        let outcome = of_exit(&task(Some(Time::ZERO), Some(KillCause::Asked)), &exit);
        assert_eq!(outcome.state, TaskState::Failed);
        assert_eq!(outcome.reason, Some(Reason::ContainerLimitationMemory));
        let resource = outcome.limitation.unwrap().resources.remove(0);
        assert_eq!(
            (resource.name.as_str(), resource.scalar.unwrap().value),
            ("mem", 32.0)
        );
    }

    #[test]
    fn a_sandbox_that_is_too_large_is_a_failure_with_its_own_reason() {
        let exit = Exit {
            status: ExitStatus::Signal(9),
            limitation: Some(Limitation {
                of: Limited::Disk,
                limit_bytes: 8 << 20,
                message: "too much".to_owned(),
            }),
        };
        let outcome = of_exit(&task(Some(Time::ZERO), None), &exit);
        assert_eq!(outcome.reason, Some(Reason::ContainerLimitationDisk));
        let resource = outcome.limitation.unwrap().resources.remove(0);
        assert_eq!(
            (resource.name.as_str(), resource.scalar.unwrap().value),
            ("disk", 8.0)
        );
    }

    #[test]
    fn a_task_killed_before_it_ran_is_killed_during_launch() {
        let task = task(None, Some(KillCause::Asked));
        for outcome in [
            of_exit(&task, &Exit::code(0)),
            of_launch_failure(&task, "no"),
        ] {
            assert_eq!(outcome.state, TaskState::Killed);
            assert_eq!(outcome.reason, Some(Reason::TaskKilledDuringLaunch));
        }
    }

    #[test]
    fn a_task_that_takes_too_long_has_failed() {
        let (state, reason, _) = outcome(Some(KillCause::CompletionTime), &Exit::signal(9));
        assert_eq!(
            (state, reason),
            (TaskState::Failed, Some(Reason::MaxCompletionTimeReached))
        );
    }

    #[test]
    fn the_exit_status_is_reported_as_a_shell_has_it() {
        let reported = |exit: Exit| {
            let mut status = TaskStatus::new(sleeper("t").id, TaskState::Staging);
            of_exit(&task(Some(Time::ZERO), None), &exit).describe(&mut status);
            status.exit_status()
        };
        assert_eq!(reported(Exit::code(0)), Some(0));
        assert_eq!(reported(Exit::code(7)), Some(7));
        assert_eq!(reported(Exit::signal(9)), Some(137));
        assert_eq!(reported(Exit::unknown()), None);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let mut status = TaskStatus::new(sleeper("t").id, TaskState::Staging);
        let message = "\u{e4}".repeat(limits::MAX_MESSAGE_BYTES);
        Outcome::by_executor(TaskState::Failed, format!("x{message}")).describe(&mut status);
        let message = status.message.unwrap();
        assert_eq!(message.len(), limits::MAX_MESSAGE_BYTES - 1);
    }
}
