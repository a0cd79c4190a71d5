//! What names a process for good: its number, when it started, and in which boot.

use std::{fs, io};

/// The id of this boot of the machine, a UUID as text.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// When a process started, in clock ticks since boot.
pub fn start_time(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_start_time(&stat).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Field 22 of `/proc/PID/stat`. The second is the program's name, which may hold spaces and
/// brackets.
fn parse_start_time(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The process ids of all processes descended from one, parents before children.
pub(crate) fn descendants(pid: u32) -> Vec<i32> {
    let mut found: Vec<i32> = children(&pid.to_string());
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        let more = children(&pid.to_string());
        found.extend(more);
        next += 1;
    }
    found
}

/// The children of a process, over all its threads. One that has ended has none.
fn children(pid: &str) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists = threads
        .flatten()
        .map(|thread| fs::read_to_string(thread.path().join("children")));
    let list: Vec<String> = lists.flatten().collect();
    list.iter()
        .flat_map(|list| list.split_ascii_whitespace())
        .flat_map(str::parse)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn descendants_are_found_over_generations() {
        let mut shell = Command::new("sh")
            .args(["-c", "sh -c 'sleep 60 & echo; wait' & wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = shell.stdout.take().unwrap();
        io::BufRead::read_line(&mut io::BufReader::new(out), &mut line).unwrap();
        let found = descendants(shell.id());
        assert_eq!(found.len(), 2, "{found:?}");
        for pid in found {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), crate::Signal::SIGKILL)
                .unwrap();
        }
        shell.wait().unwrap();
        assert!(descendants(shell.id()).is_empty());
    }

    #[test]
    fn a_process_name_cannot_forge_a_start_time() {
        let fields = "S 1 2 2 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1";
        assert_eq!(
            parse_start_time(&format!("7 (a) S 1 (b) {fields}")),
            Some(4711)
        );
        assert_eq!(parse_start_time("7 (a"), None);
        assert_eq!(parse_start_time("7 (a) S"), None);
    }

    #[test]
    fn the_start_time_of_this_process_does_not_change() {
        let pid = std::process::id();
        assert_eq!(start_time(pid).unwrap(), start_time(pid).unwrap());
        assert!(start_time(pid).unwrap() > 0);
        assert_eq!(boot_id().unwrap().len(), 36);
    }
}
