//! What an instance runs.

/// A line for the shell, or a program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run by `/bin/sh -c`.
    Shell(String),
    /// The program, then its arguments.
    Arguments(Vec<String>),
}

impl Command {
    /// Whether nothing is named.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::Arguments(arguments) if arguments.is_empty())
    }

    /// What is wrong with it, if anything.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let parts = match self {
            Self::Shell(line) => std::slice::from_ref(line),
            Self::Arguments(arguments) => arguments,
        };
        match parts.first() {
            None => Some("must name a program"),
            Some(first) if first.trim().is_empty() => Some("must not be empty"),
            Some(_) if parts.iter().any(|part| part.contains('\0')) => {
                Some("must not contain a NUL character")
            }
            Some(_) => None,
        }
    }
}
