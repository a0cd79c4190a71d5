//! What the documents name is there.

use std::{collections::BTreeSet, fs};

use tepui_tidy::{functions, root, sources};

/// The documents that name tests.
const DOCUMENTS: [&str; 4] = [
    "SPECIFICATION.md",
    "docs/containers.md",
    "docs/mesos-compatibility.md",
    "docs/recovery.md",
];

/// A name of a test is a promise: it has more words than a flag or a field.
const WORDS: usize = 4;

/// What begins like this is a field of ours.
const OURS: &str = "tepui_";

/// What stands between backticks and looks like the name of a test.
fn named_tests(text: &str) -> BTreeSet<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_name = |it: &&str| {
        it.split('_').count() >= WORDS
            && !it.starts_with(OURS)
            && it
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    quoted.filter(is_name).collect()
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let sources = sources().unwrap_or_else(|error| panic!("the sources cannot be read: {error}"));
    let all = sources.iter().flat_map(|source| functions(&source.text));
    let known: BTreeSet<&str> = all.map(|function| function.name).collect();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document));
        let text = text.unwrap_or_else(|error| panic!("{document}: {error}"));
        let named = named_tests(&text);
        assert!(!named.is_empty(), "{document} names no test");
        let missing: Vec<&str> = named
            .into_iter()
            .filter(|name| !known.contains(name))
            .collect();
        assert!(
            missing.is_empty(),
            "{document} names what is not there: {missing:?}"
        );
    }
}

#[test]
fn names_of_tests_are_told_from_flags_and_fields() {
    let text = "`executor_ids`, `offer_constraints_of` and `tepui_all_or_nothing` but `an_offer_can_be_used_once`, not `a/b_c_d_e`";
    let found: Vec<&str> = named_tests(text).into_iter().collect();
    assert_eq!(found, ["an_offer_can_be_used_once"]);
    assert_eq!(named_tests("`g09_a_case_by_its_number`").len(), 1);
}
