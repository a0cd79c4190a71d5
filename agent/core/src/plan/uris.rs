//! What a task wants in its sandbox before it starts: `CommandInfo.uris` (Mesos: FET-01).

use std::path::{Path, PathBuf};

use tepui_proto::v1;

use super::Unplannable;
use crate::{
    limits::{MAX_URI_BYTES, MAX_URIS},
    volumes::is_safe,
};

/// One thing that is fetched into a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriPlan {
    /// Where it is: an address of http or https, or a path of the agent's machine.
    pub source: UriSource,
    /// The path of its file, from the sandbox.
    pub file: PathBuf,
    /// Whether it is a program, and so is not unpacked.
    pub executable: bool,
    /// Whether it is unpacked, if it is an archive.
    pub extract: bool,
    /// Whether others of the same user may have what was fetched once.
    pub cache: bool,
    /// What it must be, as in `sha256:...`.
    pub checksum: Option<String>,
}

/// Where a thing is that is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UriSource {
    /// Elsewhere: an address of http or https.
    Remote(String),
    /// On the agent's machine: a path, from a folder of the agent's choice unless it is absolute.
    Local(PathBuf),
}

/// What a command wants to be fetched.
pub(super) fn uris(command: &v1::CommandInfo) -> Result<Vec<UriPlan>, Unplannable> {
    if command.uris.len() > MAX_URIS {
        let text = format!("The command has more than {MAX_URIS} URIs");
        return Err(Unplannable::Invalid(text));
    }
    command.uris.iter().map(one).collect()
}

fn one(uri: &v1::command_info::Uri) -> Result<UriPlan, Unplannable> {
    let value = uri.value.as_str();
    let invalid = |problem: &str| {
        let start: String = value.chars().take(200).collect();
        let text = format!("The URI '{}' {problem}", start.escape_debug());
        Unplannable::Invalid(text)
    };
    if value.is_empty() || value.len() > MAX_URI_BYTES || value.contains(char::is_control) {
        return Err(invalid(
            "must not be empty, longer than 8192 bytes, or contain control characters",
        ));
    }
    let (source, name) = source(value).map_err(|problem| invalid(&problem))?;
    let file = PathBuf::from(uri.output_file.as_deref().unwrap_or(name));
    if file.is_absolute() || !is_safe(&file) || file.as_os_str().len() > MAX_URI_BYTES {
        return Err(invalid(
            "must have a file inside of the sandbox: end it with a name, or give a relative \
             'output_file' without '..'",
        ));
    }
    if !uri.tepui_checksum.as_deref().is_none_or(is_digest) {
        return Err(invalid(
            "must have a checksum of the form sha256:..., with 64 digits from 0 to f",
        ));
    }
    let executable = uri.executable();
    Ok(UriPlan {
        source,
        file,
        executable,
        extract: uri.extract() && !executable,
        cache: uri.cache(),
        checksum: uri.tepui_checksum.clone(),
    })
}

fn is_digest(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let digits = text.strip_prefix("sha256:").unwrap_or_default();
    digits.len() == 64 && digits.bytes().all(digit)
}

/// Where a URI leads, and the last name in it. Of an address, what follows a `?` or `#` is no part
/// of the name.
fn source(value: &str) -> Result<(UriSource, &str), String> {
    let last = |path: &'_ str| path.rfind('/').map_or(0, |slash| slash + 1);
    let Some((scheme, rest)) = value.split_once("://") else {
        return Ok((UriSource::Local(value.into()), &value[last(value)..]));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "file" => {
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            if !Path::new(path).is_absolute() {
                return Err("names a file of another machine: write file:///PATH".to_owned());
            }
            Ok((UriSource::Local(path.into()), &path[last(path)..]))
        }
        "http" | "https" => {
            let path = rest.split(['?', '#']).next().unwrap_or_default();
            let name = match path.find('/') {
                Some(_) => &path[last(path)..],
                None => "",
            };
            Ok((UriSource::Remote(value.to_owned()), name))
        }
        _ => Err(format!(
            "has the scheme '{scheme}': this agent fetches http, https, file and paths"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(value: &str, output: Option<&str>) -> Result<UriPlan, Unplannable> {
        one(&v1::command_info::Uri {
            value: value.to_owned(),
            output_file: output.map(str::to_owned),
            ..Default::default()
        })
    }

    #[test]
    fn a_file_has_the_last_name_of_its_uri_unless_another_is_given() {
        for (value, name) in [
            ("http://h/a/b.tgz", "b.tgz"),
            ("https://h/b.zip?token=x/y#z", "b.zip"),
            ("file:///srv/c", "c"),
            ("file://localhost/srv/c", "c"),
            ("/srv/d", "d"),
            ("e", "e"),
            ("HTTP://h/f", "f"),
        ] {
            let plan = plan(value, None).unwrap();
            assert_eq!(plan.file, Path::new(name), "{value}");
            assert!(plan.extract && !plan.executable && !plan.cache);
        }
        let other = plan("http://h/", Some("deep/own")).unwrap();
        assert_eq!(other.file, Path::new("deep/own"));
        assert_eq!(other.source, UriSource::Remote("http://h/".to_owned()));
    }

    #[test]
    fn what_leads_out_or_nowhere_is_invalid_and_says_why() {
        for value in [
            "",
            "http://h",
            "http://h/",
            "file://h/x",
            "a\nb",
            "/srv/",
            "/srv/..",
        ] {
            assert!(plan(value, None).is_err(), "{value}");
        }
        for output in ["/x", "../x", "a/../../x", ""] {
            assert!(plan("http://h/x", Some(output)).is_err(), "{output}");
        }
        let text = plan("hdfs://h/x", None).unwrap_err().to_string();
        assert!(text.contains("'hdfs'"), "{text}");
    }

    #[test]
    fn a_checksum_is_one_of_sha256() {
        assert!(is_digest(&format!("sha256:{}", "0f".repeat(32))));
        for text in ["", "sha256:", "md5:0f", "sha256:0F", &"0f".repeat(32)] {
            assert!(!is_digest(text), "{text}");
        }
    }

    #[test]
    fn a_program_is_not_unpacked() {
        let plan = one(&v1::command_info::Uri {
            value: "/srv/a.tar".to_owned(),
            executable: Some(true),
            ..Default::default()
        });
        let plan = plan.unwrap();
        assert!(plan.executable && !plan.extract);
    }
}
