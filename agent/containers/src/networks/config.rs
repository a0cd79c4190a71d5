//! The operator's configurations of networks, read anew for every container: one that is put into
//! the folder is there for the next task.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Map, Value};

use super::NetworkError;
use crate::limits::{MAX_NETWORK_CONFIG_BYTES, MAX_NETWORK_CONFIGS, MAX_PLUGINS, PLUGIN_TIMEOUT};

/// The versions of the Container Network Interface that are spoken here. Older ones have answers of
/// another form.
pub(super) const VERSIONS: [&str; 4] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0"];

/// What an agent knows of networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks {
    /// The folder of configurations: `.conf`, `.json` and `.conflist`. Without one, there are none.
    pub config_dir: Option<PathBuf>,
    /// The folders in which the programs of plugins are looked for, in this order.
    pub plugin_dirs: Vec<PathBuf>,
    /// How long one plugin may take.
    pub plugin_timeout: Duration,
}

impl Default for Networks {
    fn default() -> Self {
        Self {
            config_dir: None,
            plugin_dirs: Vec::new(),
            plugin_timeout: PLUGIN_TIMEOUT,
        }
    }
}

/// The configuration of one network.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) version: String,
    /// What each plugin is told, in the order in which they add.
    pub(super) plugins: Vec<Map<String, Value>>,
    /// Whether the operator wants no checks of it.
    pub(super) disable_check: bool,
}

impl Networks {
    /// The configuration of that name: the first one, in the order of the files' names.
    pub(super) fn find(&self, name: &str) -> Result<Config, NetworkError> {
        let folder = self.config_dir.as_deref();
        let folder = folder.ok_or_else(|| NetworkError::NotConfigured(name.to_owned()))?;
        let unknown = |there: String| NetworkError::Unknown {
            name: name.to_owned(),
            folder: folder.to_owned(),
            there,
        };
        let files = files(folder).map_err(|error| unknown(error.to_string()))?;
        let mut there = Vec::new();
        for file in files {
            match read(&file) {
                Ok(config) => match config.get("name").and_then(Value::as_str) {
                    Some(found) if found == name => return Config::new(name, &file, config),
                    Some(found) => there.push(format!("'{found}'")),
                    None => there.push(format!("{} without a name", file.display())),
                },
                Err(problem) => there.push(format!("{}, {problem}", file.display())),
            }
        }
        Err(unknown(if there.is_empty() {
            "it is empty".to_owned()
        } else {
            format!("there is {}", there.join("; "))
        }))
    }
}

/// The files that may be configurations, in order.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let is_config = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("conf" | "conflist" | "json"))
    };
    let paths = entries.iter().map(fs::DirEntry::path).filter(is_config);
    let mut paths: Vec<_> = paths.collect();
    paths.sort();
    paths.truncate(MAX_NETWORK_CONFIGS);
    Ok(paths)
}

fn read(file: &Path) -> Result<Map<String, Value>, String> {
    let problem = |error: io::Error| format!("which cannot be read: {error}");
    // What is no plain file could keep the reader waiting.
    if !fs::metadata(file).map_err(problem)?.is_file() {
        return Err("which is no file".to_owned());
    }
    let mut bytes = Vec::new();
    let open = File::open(file).map_err(problem)?;
    let mut limited = open.take(MAX_NETWORK_CONFIG_BYTES + 1);
    limited.read_to_end(&mut bytes).map_err(problem)?;
    if bytes.len() as u64 > MAX_NETWORK_CONFIG_BYTES {
        return Err(format!("which is longer than {MAX_NETWORK_CONFIG_BYTES}"));
    }
    serde_json::from_slice(&bytes).map_err(|error| format!("which is no JSON object: {error}"))
}

impl Config {
    fn new(network: &str, file: &Path, config: Map<String, Value>) -> Result<Self, NetworkError> {
        let wrong = |problem: String| NetworkError::Config {
            network: network.to_owned(),
            file: file.to_owned(),
            problem,
        };
        check_name(network).map_err(wrong)?;
        let version = version(&config).map_err(wrong)?;
        let disable_check = config.get("disableCheck").is_some_and(is_true);
        let plugins = plugins(network, &version, config).map_err(wrong)?;
        Ok(Self {
            version,
            plugins,
            disable_check,
        })
    }
}

/// Some write it as a text.
fn is_true(value: &Value) -> bool {
    value == &Value::Bool(true) || value == "true"
}

/// As the specification has it: plugins make names of files of it.
fn check_name(name: &str) -> Result<(), String> {
    let good = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let begins = name.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    if begins && name.chars().all(good) {
        Ok(())
    } else {
        Err("its name is not of letters, digits, '_', '.' and '-'".to_owned())
    }
}

fn version(config: &Map<String, Value>) -> Result<String, String> {
    let known = VERSIONS.join(", ");
    match config.get("cniVersion").and_then(Value::as_str) {
        Some(version) if VERSIONS.contains(&version) => Ok(version.to_owned()),
        Some(version) => Err(format!(
            "its cniVersion is {version}, and only {known} are spoken here"
        )),
        None => Err(format!("it has no cniVersion; {known} are spoken here")),
    }
}

/// The plugins of a list, or the only one; each as it is told, but for what depends on the
/// container.
fn plugins(
    network: &str,
    version: &str,
    mut config: Map<String, Value>,
) -> Result<Vec<Map<String, Value>>, String> {
    let plugins = match config.remove("plugins") {
        None => vec![Value::Object(config)],
        Some(Value::Array(plugins)) => plugins,
        Some(_) => return Err("its plugins are no list".to_owned()),
    };
    if plugins.is_empty() || plugins.len() > MAX_PLUGINS {
        let count = plugins.len();
        return Err(format!(
            "it has {count} plugins, and not 1 to {MAX_PLUGINS}"
        ));
    }
    let complete = |plugin| match plugin {
        Value::Object(mut plugin) => {
            kind(&plugin)?;
            plugin.insert("name".to_owned(), network.into());
            plugin.insert("cniVersion".to_owned(), version.into());
            Ok(plugin)
        }
        _ => Err("one of its plugins is no object".to_owned()),
    };
    plugins.into_iter().map(complete).collect()
}

/// The name of a plugin's program, which leads nowhere else.
pub(super) fn kind(plugin: &Map<String, Value>) -> Result<&str, String> {
    let kind = plugin.get("type").and_then(Value::as_str);
    let kind = kind.ok_or("one of its plugins has no type")?;
    if kind.is_empty() || kind.contains('/') || kind == "." || kind == ".." {
        return Err(format!("'{kind}' is no name of a plugin"));
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(files: &[(&str, &str)]) -> (tempfile::TempDir, Networks) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let config_dir = Some(folder.path().to_owned());
        let networks = Networks {
            config_dir,
            ..Networks::default()
        };
        (folder, networks)
    }

    #[test]
    fn a_network_is_found_by_its_name_in_files_and_lists() {
        let list = r#"{"cniVersion": "1.0.0", "name": "list", "disableCheck": true,
            "plugins": [{"type": "bridge"}, {"type": "portmap"}]}"#;
        let (_folder, networks) = networks(&[
            ("1.conflist", list),
            (
                "2.conf",
                r#"{"cniVersion": "0.3.1", "name": "one", "type": "ptp"}"#,
            ),
            (
                "3.conf",
                r#"{"cniVersion": "0.4.0", "name": "one", "type": "vlan"}"#,
            ),
            ("4.txt", "not looked at"),
        ]);
        let found = networks.find("list").unwrap();
        assert!(found.disable_check);
        let kinds = found.plugins.iter().map(|plugin| kind(plugin).unwrap());
        assert!(kinds.eq(["bridge", "portmap"]));
        let told = &found.plugins[1];
        assert_eq!(
            (&told["name"], &told["cniVersion"]),
            (&"list".into(), &"1.0.0".into())
        );
        let found = networks.find("one").unwrap();
        assert_eq!((found.version.as_str(), found.plugins.len()), ("0.3.1", 1));
        assert!(!found.disable_check);
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let error = Networks::default().find("web").unwrap_err().to_string();
        assert!(error.contains("--network-cni-config-dir"), "{error}");
        let (_folder, empty) = networks(&[]);
        let error = empty.find("web").unwrap_err().to_string();
        assert!(
            error.contains("no network 'web'") && error.contains("empty"),
            "{error}"
        );
        let one = r#"{"cniVersion": "1.0.0", "name": "db", "type": "x"}"#;
        let (_folder, two) = networks(&[("a.conf", one), ("b.conf", "{nonsense")]);
        let error = two.find("web").unwrap_err().to_string();
        assert!(
            error.contains("'db'") && error.contains("b.conf, which is no JSON"),
            "{error}"
        );
    }

    #[test]
    fn a_configuration_that_means_nothing_is_refused_with_the_reason() {
        let cases = [
            (r#""type": "x""#, "no cniVersion"),
            (r#""cniVersion": "0.2.0", "type": "x""#, "only 0.3.0"),
            (r#""cniVersion": "1.1.0", "type": "x""#, "1.0.0 are spoken"),
            (r#""cniVersion": "1.0.0""#, "no type"),
            (
                r#""cniVersion": "1.0.0", "type": "../x""#,
                "no name of a plugin",
            ),
            (
                r#""cniVersion": "1.0.0", "type": "..""#,
                "no name of a plugin",
            ),
            (r#""cniVersion": "1.0.0", "plugins": []"#, "0 plugins"),
            (r#""cniVersion": "1.0.0", "plugins": {}"#, "no list"),
            (r#""cniVersion": "1.0.0", "plugins": [1]"#, "no object"),
        ];
        for (fields, problem) in cases {
            let text = format!(r#"{{"name": "web", {fields}}}"#);
            let (_folder, networks) = networks(&[("web.conf", &text)]);
            let error = networks.find("web").unwrap_err().to_string();
            assert!(error.contains(problem), "{fields}: {error}");
        }
        let bad_name = r#"{"name": "a/b", "cniVersion": "1.0.0", "type": "x"}"#;
        let (_folder, networks) = networks(&[("web.conf", bad_name)]);
        let error = networks.find("a/b").unwrap_err().to_string();
        assert!(error.contains("letters"), "{error}");
    }
}
