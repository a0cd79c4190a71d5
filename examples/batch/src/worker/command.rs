//! Runs the user's command: lines go in, records come out, both at the same time.

use std::{
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use super::Failure;
use crate::{
    limits::{BUFFER_BYTES, RECORD_BYTES},
    part::PartError,
    plan::PLAN_VARIABLE,
    record::shown,
};

/// Runs `command` in a shell, with what `feed` writes as its input, and hands out each line of its
/// output. Its stderr is the task's.
///
/// A command need not read all of its input. One that fails, fails the task, whatever it wrote.
pub(super) fn run(
    command: &str,
    feed: impl FnOnce(&mut dyn Write) -> Result<(), Failure> + Send,
    each: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        // It would take the place that the command may need for arguments of its own.
        .env_remove(PLAN_VARIABLE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Failure::Command)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (fed, taken) = thread::scope(|scope| {
        let feeding = scope.spawn(move || stdin.map_or(Ok(()), |stdin| give(stdin, feed)));
        let taken = stdout.map_or(Ok(()), |stdout| take(stdout, each));
        if taken.is_err() {
            // Its pipes close, and with them the feeding ends.
            end(&mut child);
        }
        (feeding.join(), taken)
    });
    let status = child.wait().map_err(Failure::Command)?;
    taken?;
    fed.unwrap_or_else(|_| Err(Failure::Command(io::ErrorKind::Other.into())))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::CommandStatus(status))
    }
}

fn give(
    stdin: ChildStdin,
    feed: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut stdin = BufWriter::with_capacity(BUFFER_BYTES, stdin);
    let fed = feed(&mut stdin).and_then(|()| stdin.flush().map_err(Failure::Command));
    match fed {
        // The command has read what it wanted; its status says whether all is well.
        Err(Failure::Command(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn take(
    stdout: ChildStdout,
    mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut stdout = BufReader::with_capacity(BUFFER_BYTES, stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = RECORD_BYTES as u64 + 1;
        stdout
            .by_ref()
            .take(most)
            .read_until(b'\n', &mut line)
            .map_err(Failure::Command)?;
        if line.is_empty() {
            return Ok(());
        }
        let record = line.strip_suffix(b"\n").unwrap_or(&line);
        if record.len() > RECORD_BYTES {
            return Err(PartError::TooLong(shown(record)).into());
        }
        each(record)?;
    }
}

/// Ends a command whose output nobody wants any more.
fn end(child: &mut Child) {
    // It may have ended by itself, which is as well.
    let _ = child.kill();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(command: &str, input: &str) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        run(
            command,
            |stdin| stdin.write_all(input.as_bytes()).map_err(Failure::Command),
            |line| {
                lines.push(String::from_utf8_lossy(line).into_owned());
                Ok(())
            },
        )?;
        Ok(lines)
    }

    #[test]
    fn lines_go_in_and_records_come_out() {
        assert_eq!(output("tr a-z A-Z", "a\nb\n").unwrap(), ["A", "B"]);
        assert_eq!(output("printf 'no end'", "").unwrap(), ["no end"]);
        assert!(output("cat > /dev/null", "a\n").unwrap().is_empty());
    }

    #[test]
    fn more_than_the_pipes_hold_goes_through() {
        let input = "0123456789\n".repeat(100_000);
        assert_eq!(output("cat", &input).unwrap().len(), 100_000);
    }

    #[test]
    fn a_command_need_not_read_all_its_input() {
        let input = "0123456789\n".repeat(100_000);
        assert_eq!(output("head -n 1", &input).unwrap(), ["0123456789"]);
    }

    #[test]
    fn a_command_that_fails_fails_the_task() {
        let error = output("cat; exit 7", "a\n").unwrap_err();
        assert_eq!(error.to_string(), "the command ended with exit status: 7");
    }

    #[test]
    fn an_endless_record_ends_the_command() {
        let error = output("yes | tr -d '\\n'", "").unwrap_err();
        assert!(error.to_string().contains("more than"), "{error}");
    }

    #[test]
    fn what_feeds_the_command_may_fail() {
        let result = run("cat", |_| Err(Failure::NoPlan), |_| Ok(()));
        assert!(matches!(result, Err(Failure::NoPlan)));
    }
}
