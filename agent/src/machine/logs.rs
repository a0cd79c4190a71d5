//! How much of a task's output is kept: what the operator says, or less if the task says so (Mesos:
//! LOG-01).

use tepui_containers::{Bytes, LogRoom};

/// The variables of a task by which Mesos' logrotate logger is told of its output and its errors.
const SIZES: [&str; 2] = [
    "CONTAINER_LOGGER_MAX_STDOUT_SIZE",
    "CONTAINER_LOGGER_MAX_STDERR_SIZE",
];
const OPTIONS: [&str; 2] = [
    "CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS",
    "CONTAINER_LOGGER_LOGROTATE_STDERR_OPTIONS",
];

/// The room of a task's output and of its errors; none if it may write as it likes.
pub(super) fn rooms(most: [LogRoom; 2], environment: &[(String, String)]) -> Option<[LogRoom; 2]> {
    let variable = |name: &str| {
        let found = environment.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    let mut rooms = most;
    for (stream, room) in rooms.iter_mut().enumerate() {
        if let Some(bytes) = variable(SIZES[stream]).and_then(bytes) {
            room.bytes = room.bytes.min(bytes);
        }
        if let Some(kept) = variable(OPTIONS[stream]).and_then(kept) {
            room.kept = room.kept.min(kept);
        }
    }
    rooms
        .iter()
        .any(|room| room.bytes < Bytes(u64::MAX))
        .then_some(rooms)
}

/// A size as Mesos writes it: `512KB`, `10MB`.
fn bytes(text: &str) -> Option<Bytes> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_uppercase());
    let shift = match &text[digits.len()..] {
        "B" => 0,
        "KB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return None,
    };
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(1 << shift).map(Bytes)
}

/// How many older files lines of options for logrotate keep; others of them mean nothing here.
fn kept(options: &str) -> Option<u32> {
    let mut lines = options.lines().map(str::trim);
    lines.find_map(|line| line.strip_prefix("rotate ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: LogRoom = LogRoom {
        bytes: Bytes(10 << 20),
        kept: 9,
    };

    fn of(variables: &[(&str, &str)]) -> Option<[LogRoom; 2]> {
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        rooms([MOST; 2], &variables.collect::<Vec<_>>())
    }

    #[test]
    fn a_task_may_want_less_of_its_output_kept_and_never_more() {
        assert_eq!(of(&[]), Some([MOST; 2]));
        let less = of(&[(SIZES[0], "512KB"), (OPTIONS[1], "compress\n rotate 3\n")]);
        let expected = [
            LogRoom {
                bytes: Bytes(512 << 10),
                ..MOST
            },
            LogRoom { kept: 3, ..MOST },
        ];
        assert_eq!(less, Some(expected));
        for (name, value) in [
            (SIZES[0], "1TB"),
            (SIZES[0], "99999999999999999TB"),
            (SIZES[0], "ten"),
            (OPTIONS[0], "rotate 500"),
            (OPTIONS[0], "rotate"),
        ] {
            assert_eq!(of(&[(name, value)]), Some([MOST; 2]), "{value}");
        }
    }

    #[test]
    fn who_may_write_as_he_likes_writes_himself() {
        let any = LogRoom {
            bytes: Bytes(u64::MAX),
            ..MOST
        };
        assert_eq!(rooms([any; 2], &[]), None);
        assert!(rooms([any, MOST], &[]).is_some());
    }
}
