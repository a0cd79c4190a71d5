//! A list of paths as a short text: each line says how many bytes it shares with the path before,
//! then the rest. Sorted paths shrink to a third or less; a task's list must fit into its plan.

/// Why a text is no list of paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the list of input files is damaged")]
pub struct Damaged {
    /// The line, from 1.
    pub line: usize,
}

/// Writes the list. The paths have no line end in them, which [`crate::input`] sees to.
pub fn encode<'a>(paths: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    let mut before = "";
    for path in paths {
        let shared = shared_bytes(before, path);
        text.push_str(&shared.to_string());
        text.push(':');
        text.push_str(&path[shared..]);
        text.push('\n');
        before = path;
    }
    text
}

/// Reads the list, path by path.
pub fn decode(text: &str) -> impl Iterator<Item = Result<String, Damaged>> {
    let mut before = String::new();
    text.lines().enumerate().map(move |(index, line)| {
        let damaged = || Damaged { line: index + 1 };
        let (shared, rest) = line.split_once(':').ok_or_else(damaged)?;
        let shared: usize = shared.parse().map_err(|_| damaged())?;
        if !before.is_char_boundary(shared) {
            return Err(damaged());
        }
        before.truncate(shared);
        before.push_str(rest);
        Ok(before.clone())
    })
}

/// How many bytes of whole characters the two begin with alike.
fn shared_bytes(left: &str, right: &str) -> usize {
    let alike = left
        .chars()
        .zip(right.chars())
        .take_while(|(left, right)| left == right);
    alike.map(|(character, _)| character.len_utf8()).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_names_only_where_it_differs_from_the_one_before() {
        let text = encode(["/usr/include/stdio.h", "/usr/include/stdlib.h", "/var"]);
        assert_eq!(text, "0:/usr/include/stdio.h\n16:lib.h\n1:var\n");
    }

    #[test]
    fn a_damaged_line_is_named() {
        for (text, line) in [
            ("x", 1),
            ("0:/a\nq:b\n", 2),
            ("0:/a\n9:b\n", 2),
            ("0:\u{e9}\n1:b", 2),
        ] {
            let error = decode(text).find_map(Result::err);
            assert_eq!(error, Some(Damaged { line }), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(paths in proptest::collection::vec("/[^\r\n]{0,12}", 0..20)) {
            let text = encode(paths.iter().map(String::as_str));
            let read: Result<Vec<_>, _> = decode(&text).collect();
            prop_assert_eq!(read.unwrap(), paths);
        }
    }
}
