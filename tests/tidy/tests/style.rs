//! The house style, as far as a program can see it.

use tepui_tidy::{Source, functions, sources};

const LINES_IN_A_FILE: usize = 600;
const LINES_IN_A_FUNCTION: usize = 70;
const COLUMNS: usize = 100;

/// Asserts that no source breaks a rule; `broken` names the places.
fn hold(rule: &str, broken: impl Fn(&Source) -> Vec<String>) {
    let sources = sources().unwrap_or_else(|error| panic!("the sources cannot be read: {error}"));
    assert!(
        sources.len() > 100,
        "only {} sources were found",
        sources.len()
    );
    let places: Vec<String> = sources
        .iter()
        .flat_map(|source| {
            broken(source)
                .into_iter()
                .map(|it| format!("{}{it}", source.path))
        })
        .collect();
    assert!(places.is_empty(), "{rule}:\n{}", places.join("\n"));
}

fn lines_with<'a>(text: &'a str, what: &'a str) -> impl Iterator<Item = String> + 'a {
    let found = text
        .lines()
        .enumerate()
        .filter(move |(_, line)| line.contains(what));
    found.map(|(at, line)| format!(":{} {}", at + 1, line.trim()))
}

#[test]
fn no_file_is_longer_than_600_lines() {
    hold("too long a file", |source| {
        let lines = source.text.lines().count();
        (lines > LINES_IN_A_FILE)
            .then(|| format!(": {lines} lines"))
            .into_iter()
            .collect()
    });
}

#[test]
fn no_function_is_longer_than_70_lines() {
    hold("too long a function", |source| {
        let long = functions(&source.text)
            .into_iter()
            .filter(|it| it.length > LINES_IN_A_FUNCTION);
        long.map(|it| format!(":{} {}: {} lines", it.line, it.name, it.length))
            .collect()
    });
}

#[test]
fn no_comment_is_wider_than_100_columns() {
    // Code is rustfmt's, which breaks what can be broken.
    hold("too wide a comment", |source| {
        let is_wide = |line: &&str| line.chars().count() > COLUMNS && !line.contains("http");
        let comments = source
            .text
            .lines()
            .filter(|line| line.trim_start().starts_with("//"));
        comments
            .filter(is_wide)
            .map(|line| format!(": {}", line.trim()))
            .collect()
    });
}

#[test]
fn every_file_says_in_its_first_line_what_it_is_for() {
    hold("no header", |source| {
        let has_header = source.text.starts_with("//!") || source.text.starts_with("#!");
        (!has_header).then(String::new).into_iter().collect()
    });
}

#[test]
fn no_test_is_ignored_and_nothing_is_left_to_do() {
    let banned = ["#[ign", "tod", "unimplemen", "FIX", "TOD"];
    let endings = ["ore", "o!(", "ted!(", "ME", "O:"];
    hold("unfinished", |source| {
        let words = banned
            .iter()
            .zip(endings)
            .map(|(start, end)| format!("{start}{end}"));
        words
            .flat_map(|word| lines_with(&source.text, &word).collect::<Vec<_>>())
            .collect()
    });
}

#[test]
fn unsafe_code_lives_in_two_places_and_each_block_is_justified() {
    hold("unsafe without a reason or out of place", |source| {
        let lines: Vec<&str> = source.text.lines().collect();
        let is_unsafe = |line: &str| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("unsafe {")
                || code.contains("unsafe impl")
                || code.contains("unsafe extern")
                || code.contains("#[unsafe(")
        };
        let found = (0..lines.len()).filter(|at| is_unsafe(lines[*at]));
        let is_justified = |at: usize| {
            let before = lines[at.saturating_sub(8)..at].iter().rev();
            before
                .take_while(|it| !it.trim().is_empty())
                .any(|it| it.contains("// SAFETY:"))
        };
        // System calls; and the names by which a JVM finds its natives.
        let homes = ["agent/sys/", "libmesos/src/natives.rs"];
        let is_home = homes.iter().any(|home| source.path.starts_with(home));
        // Tests speak of it in their texts, and cannot use it: the lint forbids it there.
        let is_sound = |at: usize| source.is_test() || is_home && is_justified(at);
        let broken = found.filter(|at| !is_sound(*at));
        broken
            .map(|at| format!(":{} {}", at + 1, lines[at].trim()))
            .collect()
    });
}

#[test]
fn only_programs_and_what_runs_in_tasks_print() {
    // What runs inside a task writes to the task's own output.
    let may_print = [
        "cli/",
        "tests/",
        "examples/",
        "proto/build/",
        "agent/containers/src/init/",
    ];
    let may_print =
        |path: &str| path.contains("/examples/") || may_print.iter().any(|it| path.starts_with(it));
    hold("prints", |source| {
        let is_build_script = source.path.ends_with("/build.rs");
        let is_free = may_print(&source.path) || is_build_script || source.is_test();
        let found = ["println!(", "eprintln!(", "print!("].into_iter();
        let found = found.flat_map(|it| lines_with(source.product(), it).collect::<Vec<_>>());
        if is_free { Vec::new() } else { found.collect() }
    });
}
