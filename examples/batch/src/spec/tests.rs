//! What a job file may say.

use super::*;

const WORDCOUNT: &str = include_str!("../../wordcount.yaml");

fn refusal(text: &str) -> String {
    Job::parse(text).unwrap_err().to_string()
}

/// The word count with one text in place of another.
fn refusal_with(old: &str, new: &str) -> String {
    let plain = "name: a\ninput: {lines: [x]}\nstages:\n  - map: {builtin: words}\n";
    assert!(plain.contains(old), "{old}");
    refusal(&plain.replace(old, new))
}

#[test]
fn the_example_is_a_word_count() {
    let job = Job::parse(WORDCOUNT).unwrap();
    assert_eq!(job.name, "wordcount");
    assert!(job.counts_words());
    assert_eq!(
        job.input.files,
        ["/usr/include", "/usr/share/common-licenses"]
    );
    assert_eq!(job.input.missing, Missing::Skip);
}

#[test]
fn what_is_left_out_has_a_default() {
    let job =
        Job::parse("{name: a, input: {lines: [x]}, stages: [{map: {command: cat}}]}").unwrap();
    assert_eq!((job.cpus, job.mem, job.retries), (0.5, 128.0, 3));
    assert_eq!(job.stages[0].partitions, 4);
    assert_eq!(job.input.missing, Missing::Refuse);
    assert!(!job.counts_words());
}

#[test]
fn an_unknown_key_is_refused_by_name_wherever_it_stands() {
    for (old, new) in [
        ("name: a", "name: a\ncolour: red"),
        ("{lines: [x]}", "{lines: [x], colour: red}"),
        ("{builtin: words}", "{builtin: words, colour: red}"),
        ("- map", "- colour: red\n    map"),
    ] {
        let text = refusal_with(old, new);
        assert!(text.contains("unknown field `colour`"), "{text}");
    }
    let text = refusal_with("builtin: words", "builtin: verbs");
    assert!(text.contains("unknown variant `verbs`"), "{text}");
}

#[test]
fn the_order_of_stages_is_one_map_then_reduces() {
    for (old, new, message) in [
        (
            "map:",
            "reduce:",
            "stages[0]: the first stage must be a `map`",
        ),
        (
            "- map: {builtin: words}",
            "- map: {builtin: words}\n  - map: {command: cat}",
            "stages[1]: only the first stage is a `map`: write `reduce`",
        ),
        (
            "words}",
            "words}\n    reduce: {builtin: sum}",
            "stages[0]: give either `map` or `reduce`",
        ),
        ("words", "sum", "stages[0].map: its builtin is `words`"),
        (
            "{builtin: words}",
            "{}",
            "stages[0].map: give either `builtin` or `command`",
        ),
        (
            "{builtin: words}",
            "{command: ''}",
            "stages[0].map: the command is empty or has a zero byte",
        ),
        (
            "\n  - map: {builtin: words}",
            " []",
            "stages: 0 is not between 1 and 16",
        ),
    ] {
        assert_eq!(refusal_with(old, new), message);
    }
}

#[test]
fn each_value_beyond_its_limit_is_refused_by_name() {
    for (old, new, message) in [
        ("name: a", "name: A", "name: \"A\" is no name of a job"),
        (
            "name: a",
            "name: a\nretries: 101",
            "retries: 101 is not between 0 and 100",
        ),
        (
            "name: a",
            "name: a\ncpus: 0",
            "cpus: 0 is not between 0.01 and 1000000",
        ),
        (
            "name: a",
            "name: a\nmem: .nan",
            "mem: NaN is not between 32 and 1000000",
        ),
        (
            "name: a",
            "name: a\nenv: {'A=B': x}",
            "env.A=B: a variable needs a name",
        ),
        (
            "words}",
            "words}\n    partitions: 0",
            "stages[0].partitions: 0 is not between 1 and 512",
        ),
        (
            "lines: [x]",
            "lines: []",
            "input: give either `files` or `lines`",
        ),
        (
            "lines: [x]",
            "lines: [x], files: [/a]",
            "input: give `files` or `lines`, not both",
        ),
        (
            "lines: [x]",
            "lines: ['x', \"y\\nz\"]",
            "input.lines[1]: a line has no line end in it",
        ),
        (
            "lines: [x]",
            "files: [a]",
            "input.files[0]: \"a\" must begin with `/`",
        ),
        (
            "lines: [x]",
            "files: [/a, /a]",
            "input.files[1]: \"/a\" is there twice",
        ),
    ] {
        let text = refusal_with(old, new);
        assert!(text.starts_with(message), "{text}");
    }
    assert!(refusal(&" ".repeat(limits::JOB_FILE_BYTES + 1)).starts_with("a job file may have"));
}

#[test]
fn each_list_has_a_longest() {
    let plain = "name: a\ninput: {lines: [x]}\nstages:\n  - map: {builtin: words}\n";
    let job = Job::parse(plain).unwrap();
    let refusal = |change: &dyn Fn(&mut Job)| {
        let mut job = job.clone();
        change(&mut job);
        job.validate().unwrap_err().to_string()
    };
    let reduce = Job::parse(WORDCOUNT).unwrap().stages.remove(1);
    let text = refusal(&|job| job.stages.resize(limits::STAGES + 1, reduce.clone()));
    assert_eq!(text, "stages: 17 is not between 1 and 16");
    let text = refusal(&|job| job.stages[0].partitions = limits::PARTITIONS + 1);
    assert_eq!(text, "stages[0].partitions: 513 is not between 1 and 512");
    let text = refusal(&|job| {
        job.input
            .lines
            .resize(limits::INPUT_ENTRIES + 1, "x".into())
    });
    assert_eq!(text, "input.lines: 10001 is not between 0 and 10000");
    let text = refusal(&|job| {
        job.input.lines.clear();
        job.input.files = (0..=limits::INPUT_ENTRIES)
            .map(|n| format!("/{n}"))
            .collect();
    });
    assert_eq!(text, "input.files: 10001 is not between 0 and 10000");
    let text = refusal(&|job| {
        job.env = (0..=limits::ENVIRONMENT)
            .map(|n| (format!("V{n}"), String::new()))
            .collect();
    });
    assert_eq!(text, "env: 101 is not between 0 and 100");
}

#[test]
fn a_job_survives_being_stored() {
    let job = Job::parse(WORDCOUNT).unwrap();
    let stored = serde_json::to_string(&job).unwrap();
    assert_eq!(serde_json::from_str::<Job>(&stored).unwrap(), job);
}
