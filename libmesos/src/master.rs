//! Where the master is, as frameworks of Mesos are told it.

use std::{
    fs::File,
    io::{self, Read},
};

use tepui_sdk::Masters;

use crate::limits;

/// Why the text names no master that this library can find.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error(
        "{0} is a ZooKeeper, and Tepui's masters are not found by one: name the masters themselves, as HOST:PORT[,HOST:PORT] (Spark: --master mesos://HOST:PORT)"
    )]
    ZooKeeper(String),
    #[error(
        "{0}: Tepui's masters do not serve TLS yet: write http://HOST:PORT, and let a proxy or a tunnel encrypt"
    )]
    Encrypted(String),
    #[error(
        "no master is started within a framework: run `tepui dev`, and name 127.0.0.1:5050 in place of `local`"
    )]
    Local,
    #[error("the file {path} that names the master cannot be read: {cause}")]
    File { path: String, cause: io::Error },
    #[error(transparent)]
    Address(#[from] tepui_sdk::Error),
}

/// The masters that `text` names: `HOST:PORT[,HOST:PORT]`, each with `mesos://`, `http://` or
/// `master@` before it or not; or `file://PATH` of a file that says so.
pub(crate) fn masters(text: &str) -> Result<Masters, Unusable> {
    let text = text.trim();
    match text.strip_prefix("file://") {
        Some(path) => named(&contents(path)?),
        None => named(text),
    }
}

fn named(text: &str) -> Result<Masters, Unusable> {
    let text = text.trim();
    // Before the commas: ZooKeeper's own hosts have them too.
    let plain = text.strip_prefix("mesos://").unwrap_or(text);
    if plain.starts_with("zk://") {
        return Err(Unusable::ZooKeeper(plain.to_owned()));
    }
    if plain == "local" || plain == "localquiet" {
        return Err(Unusable::Local);
    }
    let each = plain.split(',').map(str::trim).map(address);
    let each = each.collect::<Result<Vec<_>, _>>()?;
    Ok(each.join(",").parse()?)
}

/// One master, without what may stand before its host.
fn address(text: &str) -> Result<&str, Unusable> {
    if text.starts_with("https://") {
        return Err(Unusable::Encrypted(text.to_owned()));
    }
    let before = ["mesos://", "http://", "master@"];
    let plain = before.iter().find_map(|it| text.strip_prefix(it));
    Ok(plain.unwrap_or(text))
}

fn contents(path: &str) -> Result<String, Unusable> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| {
        file.take(limits::MASTER_FILE_BYTES)
            .read_to_string(&mut text)
    });
    let path = path.to_owned();
    read.map_err(|cause| Unusable::File { path, cause })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_may_be_written_as_mesos_frameworks_write_it() {
        let wanted = "one:5050";
        for text in [
            "one:5050",
            " one:5050 ",
            "mesos://one:5050",
            "http://one:5050/",
            "master@one:5050",
            "mesos://http://one:5050",
        ] {
            assert_eq!(masters(text).unwrap().to_string(), wanted, "{text}");
        }
        let two = masters("mesos://one:5050,http://two:5051").unwrap();
        assert_eq!(two.to_string(), "one:5050,two:5051");
    }

    #[test]
    fn what_cannot_be_found_says_what_to_write() {
        let refusal = |text: &str| masters(text).unwrap_err().to_string();
        for text in ["zk://a:2181,b:2181/mesos", "mesos://zk://a:2181/mesos"] {
            let said = refusal(text);
            assert!(
                said.contains("zk://a:2181") && said.contains("HOST:PORT"),
                "{said}"
            );
        }
        assert!(refusal("https://one:5050").contains("http://"));
        assert!(refusal("local").contains("tepui dev"));
        assert!(refusal("one").contains("HOST:PORT"));
        assert!(refusal("file:///nowhere/at/all").contains("/nowhere/at/all"));
    }
}
