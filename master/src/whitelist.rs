//! The whitelist: a file of host names, read again and again, of which the core hears when it
//! changes (Mesos: OFF-20).

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use tepui_master_core::Event;
use tokio::{sync::mpsc, task::JoinHandle, time};

use crate::{Error, driver::Input, limits};

/// The hosts whose agents are offered.
pub(crate) type Hosts = BTreeSet<Arc<str>>;

/// Reads the file for the first time: a master must not offer what it should not because the file
/// is missing.
pub(crate) fn open(path: &Path) -> Result<Hosts, Error> {
    read(path).map_err(|error| Error::Option {
        flag: "whitelist",
        problem: format!("{}: {error}", path.display()),
    })
}

/// Reads the file again and again for as long as the core listens. While it cannot be read, what
/// it said last holds.
pub(crate) fn watch(path: PathBuf, mut last: Hosts, inbox: mpsc::Sender<Input>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut pulse = time::interval(limits::WHITELIST_EVERY);
        let mut problem = None;
        loop {
            pulse.tick().await;
            let file = path.clone();
            let read = tokio::task::spawn_blocking(move || read(&file)).await;
            match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Ok(hosts) => {
                    problem = None;
                    if hosts == last {
                        continue;
                    }
                    last.clone_from(&hosts);
                    if tell(hosts, &inbox).await.is_err() {
                        return;
                    }
                }
                Err(error) => warn_once(&path, &error, &mut problem),
            }
        }
    })
}

/// Tells the core which hosts are offered from now on.
pub(crate) async fn tell(hosts: Hosts, inbox: &mpsc::Sender<Input>) -> Result<(), ()> {
    if hosts.is_empty() {
        tracing::warn!("the whitelist is empty: nothing is offered");
    } else {
        tracing::info!(hosts = hosts.len(), "the whitelist is read");
    }
    let hosts = Some(hosts);
    let event = Input::Event(Event::Whitelist { hosts });
    inbox.send(event).await.map_err(drop)
}

/// Says what is wrong with the file, but not every few seconds.
fn warn_once(path: &Path, error: &io::Error, said: &mut Option<String>) {
    let error = error.to_string();
    if said.as_ref() != Some(&error) {
        let path = path.display();
        tracing::warn!(%path, %error, "the whitelist cannot be read; what it said last holds");
        *said = Some(error);
    }
}

/// One host a line; empty lines are passed over.
fn read(path: &Path) -> io::Result<Hosts> {
    let mut text = String::new();
    let most = limits::WHITELIST_BYTES;
    let length = File::open(path)?.take(most + 1).read_to_string(&mut text)?;
    if length as u64 > most {
        let problem = format!("it has more than {most} bytes");
        return Err(io::Error::other(problem));
    }
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|line| !line.is_empty())
        .map(Arc::from)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_a_line_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        std::fs::write(&path, "one\n\n  two \r\nthree").unwrap();
        let hosts = read(&path).unwrap();
        assert_eq!(hosts, ["one", "two", "three"].map(Arc::from).into());
    }

    #[test]
    fn a_master_does_not_start_without_its_whitelist() {
        let error = open(Path::new("/nowhere/hosts")).unwrap_err().to_string();
        assert!(
            error.starts_with("--whitelist /nowhere/hosts: No such file"),
            "{error}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_told_and_a_file_that_is_gone_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        std::fs::write(&path, "one").unwrap();
        let (inbox, mut inputs) = mpsc::channel(8);
        let first = open(&path).unwrap();
        let watch = watch(path.clone(), first, inbox);
        std::fs::remove_file(&path).unwrap();
        time::sleep(3 * limits::WHITELIST_EVERY).await;
        assert!(inputs.try_recv().is_err(), "what it said last holds");
        std::fs::write(&path, "two").unwrap();
        let Some(Input::Event(Event::Whitelist { hosts })) = inputs.recv().await else {
            panic!()
        };
        assert_eq!(hosts, Some(["two"].map(Arc::from).into()));
        drop(inputs);
        std::fs::write(&path, "three").unwrap();
        watch.await.unwrap();
    }
}
