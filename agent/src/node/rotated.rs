//! The files that a task's output takes turns in: found in order while they move on.

use std::{
    fs::{File, Metadata},
    io,
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::Path,
};

use tepui_containers::limits::MAX_LOG_FILES;

/// How often it is looked again when the files move on meanwhile.
const ATTEMPTS: usize = 10;

/// Whether a path is that of a task's output, which takes turns.
pub(super) fn is_log(path: &str) -> bool {
    matches!(path, "stdout" | "stderr")
}

/// Opens a file of a sandbox.
pub(super) fn open(sandbox: &Path, path: &str) -> io::Result<File> {
    let folder = tepui_sys::open_folder(sandbox)?;
    let file = File::from(tepui_sys::open_beneath(folder.as_fd(), Path::new(path))?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file)
}

/// The oldest file of an output: the first to read for who wants all.
pub(super) fn oldest(sandbox: &Path, path: &str) -> io::Result<File> {
    let oldest = ages(sandbox, path).last();
    oldest.map_or_else(|| open(sandbox, path), |(_, file)| Ok(file))
}

/// The file that came after this one; none if it is the newest. Of one that is gone, the oldest
/// that is there.
pub(super) fn after(sandbox: &Path, path: &str, file: &File) -> io::Result<Option<File>> {
    let own = file.metadata()?;
    for _ in 0..ATTEMPTS {
        let newest = match open(sandbox, path) {
            // Between two turns there is none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            newest => newest?,
        };
        if same(&newest.metadata()?, &own) {
            return Ok(None);
        }
        let Some(age) = age(sandbox, path, &own) else {
            return oldest(sandbox, path).map(Some);
        };
        let name = match age {
            1 => path.to_owned(),
            age => older(path, age - 1),
        };
        let Ok(next) = open(sandbox, &name) else {
            continue;
        };
        // If they moved on meanwhile, this is another.
        let still = open(sandbox, &older(path, age)).and_then(|it| it.metadata());
        if still.is_ok_and(|still| same(&still, &own)) && !same(&next.metadata()?, &own) {
            return Ok(Some(next));
        }
    }
    Ok(None)
}

/// How many turns ago a file was written.
fn age(sandbox: &Path, path: &str, own: &Metadata) -> Option<u32> {
    let mut ages = ages(sandbox, path);
    let found = ages.find(|(_, file)| file.metadata().is_ok_and(|it| same(&it, own)));
    found.map(|(age, _)| age)
}

/// The older files, the newest of them first. One may be missing, as in the middle of a turn.
fn ages(sandbox: &Path, path: &str) -> impl Iterator<Item = (u32, File)> {
    let files = (1..=MAX_LOG_FILES).map(move |age| (age, open(sandbox, &older(path, age)).ok()));
    let mut missing = 0;
    let known = files.take_while(move |(_, file)| {
        missing = if file.is_some() { 0 } else { missing + 1 };
        missing < 2
    });
    known.filter_map(|(age, file)| Some((age, file?)))
}

fn older(path: &str, age: u32) -> String {
    format!("{path}.{age}")
}

fn same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Read as _};

    use super::*;

    fn text(mut file: File) -> String {
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn files_are_read_from_the_oldest_on_and_followed_while_they_move() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| fs::write(at(name), text).unwrap();
        write("stdout", "c");
        assert_eq!(text(oldest(folder.path(), "stdout").unwrap()), "c");
        write("stdout.1", "b");
        write("stdout.2", "a");
        let mut file = oldest(folder.path(), "stdout").unwrap();
        let mut all = String::new();
        while let Some(next) = after(folder.path(), "stdout", &file).unwrap() {
            all += &text(std::mem::replace(&mut file, next));
        }
        assert_eq!(all + &text(file.try_clone().unwrap()), "abc");
        // One turn later, and the newest is not there yet.
        fs::rename(at("stdout.1"), at("stdout.2")).unwrap();
        fs::rename(at("stdout"), at("stdout.1")).unwrap();
        assert!(after(folder.path(), "stdout", &file).unwrap().is_none());
        write("stdout", "d");
        let next = after(folder.path(), "stdout", &file).unwrap();
        assert_eq!(text(next.unwrap()), "d");
        // Who is too slow goes on with what is left.
        fs::remove_file(at("stdout.1")).unwrap();
        fs::remove_file(at("stdout.2")).unwrap();
        let next = after(folder.path(), "stdout", &file).unwrap();
        assert_eq!(text(next.unwrap()), "d");
    }
}
