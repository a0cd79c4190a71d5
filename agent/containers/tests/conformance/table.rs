//! The table of all checks, and what came of them.

use std::{collections::BTreeSet, io::Write};

/// The fewest checks that make a suite.
const FEWEST: usize = 60;

/// What came of one check in one runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Held,
    /// What was found, and what was wanted.
    Failed(String),
    /// Why it was not run.
    NotRun(&'static str),
}

#[derive(Debug)]
struct Row {
    name: String,
    runc: Verdict,
    tepui: Verdict,
}

/// All checks.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

/// Prints past the tests' runner, which would keep what a test that passes says.
pub(crate) fn say(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).unwrap();
}

impl Verdict {
    /// Compares what was found with what was wanted.
    pub(crate) fn of(found: &str, wanted: &str) -> Self {
        if found == wanted {
            Self::Held
        } else {
            Self::Failed(format!("{found:?} instead of {wanted:?}"))
        }
    }

    fn word(&self) -> &str {
        match self {
            Self::Held => "held",
            Self::Failed(_) => "FAILED",
            Self::NotRun(_) => "-",
        }
    }

    fn remark(&self, runtime: &str) -> String {
        match self {
            Self::Held => String::new(),
            Self::Failed(why) => format!("{runtime}: {why}  "),
            Self::NotRun(why) => format!("{runtime}: {why}  "),
        }
    }
}

impl Table {
    pub(crate) fn add(&mut self, name: impl Into<String>, runc: Verdict, tepui: Verdict) {
        let name = name.into();
        self.rows.push(Row { name, runc, tepui });
    }

    pub(crate) fn print(&self) {
        let mut text = format!("\n{:<44} {:<7} {:<7}\n", "CHECK", "RUNC", "TEPUI");
        for row in &self.rows {
            let (runc, tepui) = (row.runc.word(), row.tepui.word());
            let remarks = row.runc.remark("runc") + &row.tepui.remark("tepui");
            let line = format!("{:<44} {runc:<7} {tepui:<7} {remarks}", row.name);
            text += line.trim_end();
            text.push('\n');
        }
        let count = |held: fn(&Row) -> &Verdict| {
            let held = self.rows.iter().filter(|row| *held(row) == Verdict::Held);
            held.count()
        };
        let (runc, tepui) = (count(|row| &row.runc), count(|row| &row.tepui));
        let all = self.rows.len();
        text += &format!("{all} checks: runc held {runc}, tepui held {tepui}\n");
        say(&text);
    }

    pub(crate) fn assert_all_held(&self) {
        let names: BTreeSet<_> = self.rows.iter().map(|row| &row.name).collect();
        assert_eq!(names.len(), self.rows.len(), "every check has its own name");
        assert!(names.len() >= FEWEST, "only {} checks", names.len());
        let failed = |row: &&Row| {
            [&row.runc, &row.tepui]
                .iter()
                .any(|verdict| matches!(verdict, Verdict::Failed(_)))
        };
        let failed: Vec<_> = self.rows.iter().filter(failed).collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }
}
