//! Running the task's program.

use std::{
    ffi::{CString, NulError},
    io,
};

use nix::libc;
use tepui_sys::Kernel;

use super::wire::{Cause, Command, Failure, Plan};

/// Where programs are looked for when the task's environment names no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs files that are executable and no format the kernel knows: scripts without a first line.
const SHELL: &str = "/bin/sh";

/// Replaces this process by the task's program. It returns only if that failed.
///
/// As `execvpe` does it, but with the `PATH` of the task and not of the agent.
pub(super) fn exec(kernel: &impl Kernel, plan: &Plan) -> Failure {
    let refused =
        |error: &io::Error| Failure::new(Cause::Program, plan.command.path.clone(), error);
    let (arguments, environment) = match c_strings(&plan.command, &plan.environment) {
        Ok(strings) => strings,
        Err(error) => return refused(&error.into()),
    };
    let mut last = io::Error::from_raw_os_error(libc::ENOENT);
    for path in candidates(plan) {
        let Ok(c_path) = CString::new(path.as_str()) else {
            continue;
        };
        let error = kernel.exec(&c_path, &arguments, &environment);
        match error.raw_os_error() {
            Some(libc::ENOEXEC) => {
                return refused(&exec_script(kernel, &c_path, &arguments, &environment));
            }
            // Not in this folder. A file that may not be run is worth telling about, if no other is
            // found.
            Some(libc::ENOENT | libc::ENOTDIR) => {}
            Some(libc::EACCES) => last = error,
            _ => return refused(&error),
        }
    }
    refused(&last)
}

fn exec_script(
    kernel: &impl Kernel,
    path: &CString,
    arguments: &[CString],
    environment: &[CString],
) -> io::Error {
    let Ok(shell) = CString::new(SHELL) else {
        return io::Error::from_raw_os_error(libc::ENOEXEC);
    };
    let mut with_shell = vec![shell.clone(), path.clone()];
    with_shell.extend(arguments.iter().skip(1).cloned());
    kernel.exec(&shell, &with_shell, environment)
}

/// Where the program may be.
fn candidates(plan: &Plan) -> Vec<String> {
    let name = plan.command.path.as_str();
    if name.is_empty() {
        return Vec::new();
    }
    if name.contains('/') {
        return vec![name.to_owned()];
    }
    let path = plan.environment.iter().rev().find(|(key, _)| key == "PATH");
    let path = path.map_or(DEFAULT_PATH, |(_, value)| value.as_str());
    // An empty entry means the working directory.
    let folders = path
        .split(':')
        .map(|folder| if folder.is_empty() { "." } else { folder });
    folders.map(|folder| format!("{folder}/{name}")).collect()
}

fn c_strings(
    command: &Command,
    environment: &[(String, String)],
) -> Result<(Vec<CString>, Vec<CString>), NulError> {
    let arguments = command
        .arguments
        .iter()
        .map(|argument| CString::new(argument.as_str()));
    let environment = environment
        .iter()
        .map(|(key, value)| CString::new(format!("{key}={value}")));
    Ok((
        arguments.collect::<Result<_, _>>()?,
        environment.collect::<Result<_, _>>()?,
    ))
}

#[cfg(test)]
mod tests {
    use tepui_sys::{Forked, fake::Recorder};

    use super::*;

    fn plan(path: &str, search: &str) -> Plan {
        let command = Command {
            path: path.to_owned(),
            arguments: vec!["name".into(), "x".into()],
        };
        let environment = vec![("PATH".to_owned(), search.to_owned())];
        Plan {
            command,
            environment,
            ..Plan::default()
        }
    }

    fn run(plan: &Plan, answers: &[i32]) -> (Vec<String>, Failure) {
        let kernel = Recorder::new(Forked::Child);
        kernel.exec_errors.borrow_mut().extend(answers);
        let failure = exec(&kernel, plan);
        (kernel.calls(), failure)
    }

    #[test]
    fn a_name_is_looked_up_in_the_path_of_the_task() {
        let (calls, failure) = run(&plan("tool", "/a::/b"), &[]);
        let tried: Vec<_> = calls
            .iter()
            .filter_map(|call| call.split(' ').nth(1))
            .collect();
        assert_eq!(tried, ["/a/tool", "./tool", "/b/tool"]);
        assert_eq!(failure.what, "tool");
        assert_eq!(failure.error().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_path_is_taken_as_it_is() {
        let (calls, _) = run(&plan("./tool", "/a"), &[]);
        assert_eq!(calls, [r#"exec ./tool ["name", "x"] ["PATH=/a"]"#]);
        assert!(run(&plan("", "/a"), &[]).0.is_empty());
    }

    #[test]
    fn a_file_that_may_not_be_run_is_reported_when_no_other_is_found() {
        let (calls, failure) = run(&plan("tool", "/a:/b"), &[libc::EACCES, libc::ENOENT]);
        assert_eq!(calls.len(), 2);
        assert_eq!(failure.error().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_script_without_a_first_line_is_run_by_the_shell() {
        let (calls, _) = run(&plan("/a/script", ""), &[libc::ENOEXEC]);
        assert_eq!(
            calls[1],
            r#"exec /bin/sh ["/bin/sh", "/a/script", "x"] ["PATH="]"#
        );
    }

    #[test]
    fn other_errors_end_the_search() {
        let (calls, failure) = run(&plan("tool", "/a:/b"), &[libc::E2BIG]);
        assert_eq!(calls.len(), 1);
        assert_eq!(failure.errno, Some(libc::E2BIG));
    }
}
