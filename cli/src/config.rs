//! Configuration files: `--config FILE` stands for the flags that the file names.
//!
//! A file is a flat TOML table whose keys are the flags of the command, with `-` or `_`. Flags win
//! over the environment, which wins over the file. Since the file becomes flags before they are
//! parsed, it knows exactly what the command line knows, and an unknown key is an unknown flag.

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, Command, CommandFactory};

use crate::arguments::Program;

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("the configuration file {path} cannot be read: {cause}", path = path.display())]
    Unreadable {
        path: PathBuf,
        cause: std::io::Error,
    },
    #[error("the configuration file {path} is not TOML: {cause}", path = path.display())]
    Malformed {
        path: PathBuf,
        cause: toml::de::Error,
    },
    #[error("{path}: there is no key '{key}'; `tepui {command} --help` lists the flags, which are the keys", path = path.display())]
    UnknownKey {
        path: PathBuf,
        key: String,
        command: String,
    },
    #[error("{path}: '{key}' must be a text, a number, true or false, or a list of these", path = path.display())]
    Value { path: PathBuf, key: String },
}

/// Puts the flags of the configuration file, if one is named, behind the command's name.
pub(crate) fn expand(arguments: Vec<OsString>) -> Result<Vec<OsString>, Problem> {
    expand_with(arguments, &|name| std::env::var_os(name))
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

fn expand_with(
    arguments: Vec<OsString>,
    environment: Environment,
) -> Result<Vec<OsString>, Problem> {
    let program = Program::command();
    let mut command = &program;
    let mut depth = 1;
    for word in arguments.iter().skip(1) {
        let Some(inner) = word.to_str().and_then(|word| command.find_subcommand(word)) else {
            break;
        };
        command = inner;
        depth += 1;
    }
    let has_config = command
        .get_arguments()
        .any(|it| it.get_long() == Some("config"));
    let Some(path) = file_of(&arguments[depth.min(arguments.len())..], environment) else {
        return Ok(arguments);
    };
    if !has_config {
        return Ok(arguments);
    }
    let flags = flags(path, command, &arguments, environment)?;
    let (before, after) = arguments.split_at(depth);
    Ok(before
        .iter()
        .cloned()
        .chain(flags)
        .chain(after.iter().cloned())
        .collect())
}

fn file_of(arguments: &[OsString], environment: Environment) -> Option<PathBuf> {
    let mut words = arguments.iter().take_while(|it| *it != "--");
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "--config" {
            return words.next().map(PathBuf::from);
        }
        if let Some(path) = text.strip_prefix("--config=") {
            return Some(PathBuf::from(path));
        }
    }
    environment("TEPUI_CONFIG").map(PathBuf::from)
}

fn flags(
    path: PathBuf,
    command: &Command,
    arguments: &[OsString],
    environment: Environment,
) -> Result<Vec<OsString>, Problem> {
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(cause) => return Err(Problem::Unreadable { path, cause }),
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(cause) => return Err(Problem::Malformed { path, cause }),
    };
    let mut flags = Vec::new();
    for (key, value) in table {
        let long = key.replace('_', "-");
        let known = command
            .get_arguments()
            .find(|it| it.get_long() == Some(&long) && long != "config");
        let Some(argument) = known else {
            let command = command.get_name().to_owned();
            return Err(Problem::UnknownKey { path, key, command });
        };
        if !is_given(argument, &long, arguments, environment) {
            let Some(flag) = flag(&long, argument, &value) else {
                return Err(Problem::Value { path, key });
            };
            flags.extend(flag);
        }
    }
    Ok(flags)
}

/// Whether the command line or the environment sets the flag already.
fn is_given(argument: &Arg, long: &str, arguments: &[OsString], environment: Environment) -> bool {
    let flag = format!("--{long}");
    let with_value = format!("{flag}=");
    let on_line = arguments.iter().take_while(|it| *it != "--").any(|word| {
        let word = word.to_string_lossy();
        word == flag || word.starts_with(&with_value)
    });
    let variable = argument
        .get_env()
        .and_then(|name| environment(&name.to_string_lossy()));
    on_line || variable.is_some()
}

/// The flag that says the same; outer `None` when the value is of no such form.
fn flag(long: &str, argument: &Arg, value: &toml::Value) -> Option<Option<OsString>> {
    if !argument.get_action().takes_values() {
        return value
            .as_bool()
            .map(|set| set.then(|| format!("--{long}").into()));
    }
    text(value).map(|text| Some(format!("--{long}={text}").into()))
}

fn text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(set) => Some(set.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(text).collect();
            items.map(|items| items.join(","))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::Parser;

    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn expanded(
        text: &str,
        more: &[&str],
        environment: Environment,
    ) -> Result<Vec<String>, String> {
        let file = file(text);
        let path = file.path().to_str().unwrap();
        let line = ["tepui", "master", "--config", path]
            .into_iter()
            .chain(more.iter().copied());
        let arguments = expand_with(line.map(OsString::from).collect(), environment);
        let words = arguments.map_err(|problem| problem.to_string())?;
        Ok(words
            .iter()
            .map(|it| it.to_string_lossy().into_owned())
            .filter(|it| it != path)
            .collect())
    }

    #[test]
    fn keys_become_flags() {
        let found = expanded("listen = \"127.0.0.1:1\"\nwork_dir = \"/x\"", &[], &|_| {
            None
        })
        .unwrap();
        assert_eq!(
            found,
            [
                "tepui",
                "master",
                "--listen=127.0.0.1:1",
                "--work-dir=/x",
                "--config"
            ]
        );
    }

    #[test]
    fn a_file_says_the_same_as_flags() {
        let file = "offer-timeout = '2min'\nmax-agent-ping-timeouts = 3\n\
            filter-gpu-resources = false\nweights = 'prod=2'\n\
            fair-sharing-excluded-resource-names = ['gpus', 'tokens']";
        let flags = "tepui master --offer-timeout 2min --max-agent-ping-timeouts 3 \
            --filter-gpu-resources false --weights prod=2 \
            --fair-sharing-excluded-resource-names gpus,tokens";
        let from_file = expanded(file, &[], &|_| None).unwrap();
        let from_file = from_file.iter().filter(|it| *it != "--config");
        let master = |line: Vec<&str>| match Program::try_parse_from(line).unwrap().command {
            crate::arguments::Command::Master(component) => component.options,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            master(from_file.map(String::as_str).collect()),
            master(flags.split_whitespace().collect())
        );
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let text = "listen = \"127.0.0.1:1\"\nwork-dir = \"/x\"";
        let environment = |name: &str| (name == "TEPUI_WORK_DIR").then(|| OsString::from("/y"));
        let found = expanded(text, &["--listen", "127.0.0.1:2"], &environment).unwrap();
        assert_eq!(
            found,
            ["tepui", "master", "--config", "--listen", "127.0.0.1:2"]
        );
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let problem = expanded("lisen = 1", &[], &|_| None).unwrap_err();
        assert!(problem.contains("no key 'lisen'"), "{problem}");
    }

    #[test]
    fn a_table_is_no_value() {
        let problem = expanded("[listen]\na = 1", &[], &|_| None).unwrap_err();
        assert!(problem.contains("'listen' must be"), "{problem}");
    }
}
