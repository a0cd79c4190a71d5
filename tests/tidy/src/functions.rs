//! Finds functions in formatted source by their indentation: rustfmt puts the closing brace of a
//! function in the column of its first line.

/// A function with a body.
#[derive(Debug)]
pub struct Function<'a> {
    /// Its name.
    pub name: &'a str,
    /// The line that it starts on, from 1.
    pub line: usize,
    /// Lines from its signature to its closing brace, both counted.
    pub length: usize,
}

/// Every function with a body in `text`.
pub fn functions(text: &str) -> Vec<Function<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| Some((at, *line, name_in(line)?)));
    starts
        .filter_map(|(at, line, name)| {
            let indent = &line[..line.len() - line.trim_start().len()];
            let closing = format!("{indent}}}");
            let ends_at = lines[at..].iter().position(|it| *it == closing)?;
            let is_declaration = lines[at..at + ends_at].iter().any(|it| {
                it.ends_with(';') && it.starts_with(indent) && !it[indent.len()..].starts_with(' ')
            });
            (!is_declaration).then_some(Function {
                name,
                line: at + 1,
                length: ends_at + 1,
            })
        })
        .collect()
}

fn name_in(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let is_modifier = |word: &&str| {
        word.starts_with("pub")
            || matches!(*word, "const" | "async" | "unsafe" | "extern" | "\"C\"")
    };
    let word = words
        .by_ref()
        .find(|word| !is_modifier(word) && *word != "crate)" && *word != "super)")?;
    let rest = (word == "fn").then(|| words.next())??;
    rest.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_names_and_lines_are_found() {
        let text = "pub async fn a(\n    x: u8,\n) -> u8 {\n    x\n}\n\nimpl B {\n    fn c<T>() {\n    }\n}\n";
        let found: Vec<_> = functions(text)
            .iter()
            .map(|it| (it.name, it.line, it.length))
            .collect();
        assert_eq!(found, [("a", 1, 5), ("c", 8, 2)]);
    }

    #[test]
    fn a_declaration_without_a_body_is_none() {
        let found = functions("trait A {\n    fn b();\n    fn c() {\n    }\n}\n");
        assert_eq!(found.iter().map(|it| it.name).collect::<Vec<_>>(), ["c"]);
    }
}
