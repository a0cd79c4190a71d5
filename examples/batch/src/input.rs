//! Finds the files that a job reads, and cuts them into parts of about the same size.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

use crate::{
    core::Extent,
    limits::INPUT_FILES,
    paths,
    plan::Source,
    spec::{self, Input, Missing},
};

/// Why the input of a job cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// An entry names nothing, and the job does not skip what is missing.
    #[error("there is no {0}: correct it, or say `missing: skip`")]
    Missing(String),
    /// All entries together name no file.
    #[error("there is no input: none of the files exists")]
    Nothing,
    /// There are more files than a job may have.
    #[error("the input has more than {INPUT_FILES} files")]
    TooMany,
    /// A pattern that is none.
    #[error("{pattern} is no pattern: {cause}")]
    Pattern {
        /// As written.
        pattern: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A path that the list of a task cannot carry.
    #[error("{0:?} has a line end or bytes that are no UTF-8 in its name: rename it")]
    Name(PathBuf),
    /// A file or folder that cannot be looked at.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// Which.
        path: String,
        /// What the system says.
        cause: io::Error,
    },
}

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Where it is, here and on every agent.
    pub path: String,
    /// Its size in bytes when the job was submitted.
    pub size: u64,
}

/// What each task of the first stage of a job reads, and how much all of them do.
///
/// # Errors
/// As [`expand`].
pub fn sources(job: &spec::Job) -> Result<(Vec<Source>, Extent), InputError> {
    let parts = job.stages.first().map_or(1, |stage| stage.partitions);
    if !job.input.lines.is_empty() {
        let runs = split(&job.input.lines, parts, |line| line.len() as u64 + 1);
        let bytes = job
            .input
            .lines
            .iter()
            .map(|line| line.len() as u64 + 1)
            .sum();
        let sources = runs.into_iter().map(|run| Source::Lines(run.to_vec()));
        return Ok((sources.collect(), Extent { files: 0, bytes }));
    }
    let files = expand(&job.input)?;
    let bytes = files.iter().map(|file| file.size).sum();
    let extent = Extent {
        files: files.len() as u64,
        bytes,
    };
    let list = |run: &[InputFile]| paths::encode(run.iter().map(|file| file.path.as_str()));
    let runs = split(&files, parts, cost);
    Ok((
        runs.into_iter()
            .map(|run| Source::Files(list(run)))
            .collect(),
        extent,
    ))
}

/// Every file that `input` names, ordered by path, each once.
///
/// # Errors
/// [`InputError`], naming the entry or file.
pub fn expand(input: &Input) -> Result<Vec<InputFile>, InputError> {
    let mut files = BTreeMap::new();
    for entry in &input.files {
        let before = files.len();
        let exists = add_entry(entry, &mut files)?;
        let found = exists || files.len() > before;
        if !found && input.missing == Missing::Refuse {
            return Err(InputError::Missing(entry.clone()));
        }
    }
    if files.is_empty() {
        return Err(InputError::Nothing);
    }
    Ok(files
        .into_iter()
        .map(|(path, size)| InputFile { path, size })
        .collect())
}

/// Adds what one entry names; true if it exists by that very name.
fn add_entry(entry: &str, files: &mut BTreeMap<String, u64>) -> Result<bool, InputError> {
    match fs::metadata(entry) {
        Ok(found) if found.is_dir() => walk(Path::new(entry), None, files)?,
        Ok(found) => add_file(Path::new(entry), found.len(), files)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some((root, matcher)) = pattern(entry)?
                && root.is_dir()
            {
                walk(&root, Some(&matcher), files)?;
            }
            return Ok(false);
        }
        Err(cause) => {
            return Err(InputError::Unreadable {
                path: entry.to_owned(),
                cause,
            });
        }
    }
    Ok(true)
}

/// The folder where the search for a pattern begins, and the pattern; none if the entry is plain.
fn pattern(entry: &str) -> Result<Option<(PathBuf, GlobMatcher)>, InputError> {
    let Some(special) = entry.find(['*', '?', '[', '{']) else {
        return Ok(None);
    };
    let root = entry[..special]
        .rfind('/')
        .map_or("/", |slash| &entry[..=slash]);
    let glob = GlobBuilder::new(entry).literal_separator(true).build();
    let glob = glob.map_err(|error| InputError::Pattern {
        pattern: entry.to_owned(),
        cause: error.kind().to_string(),
    })?;
    Ok(Some((PathBuf::from(root), glob.compile_matcher())))
}

/// Adds every plain file beneath `root` that the pattern takes.
fn walk(
    root: &Path,
    matcher: Option<&GlobMatcher>,
    files: &mut BTreeMap<String, u64>,
) -> Result<(), InputError> {
    for entry in WalkDir::new(root) {
        let unreadable = |error: walkdir::Error| InputError::Unreadable {
            path: error.path().unwrap_or(root).display().to_string(),
            cause: error.into(),
        };
        let entry = entry.map_err(unreadable)?;
        let wanted = matcher.is_none_or(|matcher| matcher.is_match(entry.path()));
        if entry.file_type().is_file() && wanted {
            let size = entry.metadata().map_err(unreadable)?.len();
            add_file(entry.path(), size, files)?;
        }
    }
    Ok(())
}

fn add_file(path: &Path, size: u64, files: &mut BTreeMap<String, u64>) -> Result<(), InputError> {
    match path.to_str() {
        Some(text) if !text.contains(['\n', '\r']) => files.insert(text.to_owned(), size),
        _ => return Err(InputError::Name(path.to_owned())),
    };
    if files.len() > INPUT_FILES {
        return Err(InputError::TooMany);
    }
    Ok(())
}

/// Cuts a list into at most `parts` runs, none empty, of about the same weight: no run is heavier
/// than an even share by more than one item.
///
/// Runs keep the order, so that a run of sorted paths can be written down shortly.
pub fn split<T>(items: &[T], parts: u32, weight: impl Fn(&T) -> u64) -> Vec<&[T]> {
    let parts = (parts as usize).clamp(1, items.len().max(1));
    let total: u128 = items.iter().map(|item| u128::from(weight(item))).sum();
    let mut runs = Vec::with_capacity(parts);
    let mut rest = items;
    let mut taken = 0_u128;
    for part in 1..parts {
        let goal = total * part as u128 / parts as u128;
        // Each run that is still to come needs an item.
        let most = rest.len() - (parts - part);
        let mut length = 0;
        while length < most && (length == 0 || taken < goal) {
            taken += u128::from(weight(&rest[length]));
            length += 1;
        }
        let (run, behind) = rest.split_at(length);
        runs.push(run);
        rest = behind;
    }
    runs.push(rest);
    runs
}

/// What reading a file costs, in bytes: an empty one must be opened all the same.
#[must_use]
pub const fn cost(file: &InputFile) -> u64 {
    const OPENING: u64 = 4096;
    file.size.saturating_add(OPENING)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    fn input(files: &[String], missing: Missing) -> Input {
        Input {
            files: files.to_vec(),
            lines: Vec::new(),
            missing,
        }
    }

    /// Files `a.h` (1 byte), `sub/b.h` (2 bytes), `sub/c.txt` (3 bytes) and a link to the first.
    fn folder() -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap().to_owned();
        fs::create_dir(folder.path().join("sub")).unwrap();
        for (name, text) in [("a.h", "1"), ("sub/b.h", "22"), ("sub/c.txt", "333")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        symlink(folder.path().join("a.h"), folder.path().join("link.h")).unwrap();
        (folder, root)
    }

    fn found(entries: &[String]) -> Vec<(String, u64)> {
        let files = expand(&input(entries, Missing::Refuse)).unwrap();
        files
            .into_iter()
            .map(|file| (file.path, file.size))
            .collect()
    }

    #[test]
    fn a_folder_stands_for_every_plain_file_beneath_it_once() {
        let (_folder, root) = folder();
        let expected = [("a.h", 1), ("sub/b.h", 2), ("sub/c.txt", 3)]
            .map(|(name, size)| (format!("{root}/{name}"), size));
        assert_eq!(found(std::slice::from_ref(&root)), expected);
        assert_eq!(found(&[root.clone(), format!("{root}/sub/b.h")]), expected);
    }

    #[test]
    fn a_star_stays_in_its_folder_and_two_go_beneath() {
        let (_folder, root) = folder();
        let names = |pattern: &str| -> Vec<String> {
            let files = found(&[format!("{root}/{pattern}")]);
            files
                .into_iter()
                .map(|(path, _)| path[root.len() + 1..].to_owned())
                .collect()
        };
        assert_eq!(names("*.h"), ["a.h"]);
        assert_eq!(names("**/*.h"), ["a.h", "sub/b.h"]);
        assert_eq!(names("s?b/*.{txt,md}"), ["sub/c.txt"]);
    }

    #[test]
    fn what_is_missing_is_refused_by_name_or_skipped() {
        let (_folder, root) = folder();
        for entry in [
            format!("{root}/none"),
            format!("{root}/*.none"),
            "/none/at/all/*".into(),
        ] {
            let entries = [root.clone(), entry.clone()];
            let error = expand(&input(&entries, Missing::Refuse)).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("there is no {entry}")),
                "{error}"
            );
            assert_eq!(expand(&input(&entries, Missing::Skip)).unwrap().len(), 3);
            let error = expand(&input(&[entry], Missing::Skip)).unwrap_err();
            assert!(matches!(error, InputError::Nothing));
        }
        let error = expand(&input(&[format!("{root}/[")], Missing::Skip)).unwrap_err();
        assert!(error.to_string().contains("is no pattern"), "{error}");
    }

    #[test]
    fn a_name_that_no_list_can_carry_is_refused() {
        let (_folder, root) = folder();
        fs::write(format!("{root}/two\nlines"), "").unwrap();
        let error = expand(&input(&[root], Missing::Skip)).unwrap_err();
        assert!(matches!(error, InputError::Name(_)));
    }

    #[test]
    fn one_file_too_many_is_refused() {
        let mut files = (0..INPUT_FILES).map(|n| (format!("/{n}"), 0)).collect();
        add_file(Path::new("/0"), 0, &mut files).unwrap();
        let error = add_file(Path::new("/x"), 0, &mut files).unwrap_err();
        assert_eq!(error.to_string(), "the input has more than 100000 files");
    }

    #[test]
    fn a_list_is_cut_where_the_weight_is() {
        let runs = split(&[1_u64, 1, 1, 9, 1, 1, 1, 9], 4, |weight| *weight);
        let lengths: Vec<_> = runs.iter().map(|run| run.len()).collect();
        assert_eq!(lengths, [4, 1, 2, 1]);
        assert_eq!(split(&[0_u64, 0, 0], 2, |weight| *weight).len(), 2);
        assert_eq!(split(&[5_u64], 8, |weight| *weight), [[5_u64].as_slice()]);
    }

    #[test]
    fn a_job_reads_each_file_or_line_in_one_part() {
        let (_folder, root) = folder();
        let job = |input: String| {
            let file =
                format!("{{name: j, input: {input}, stages: [{{map: {{builtin: words}}}}]}}");
            sources(&spec::Job::parse(&file).unwrap()).unwrap()
        };
        let (parts, extent) = job(format!("{{files: [{root}]}}"));
        assert_eq!(extent, Extent { files: 3, bytes: 6 });
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[0], Source::Files(format!("0:{root}/a.h\n")));
        let (parts, extent) = job("{lines: [a, b, c, d, e]}".into());
        assert_eq!(
            extent,
            Extent {
                files: 0,
                bytes: 10
            }
        );
        let lines: Vec<_> = parts
            .iter()
            .map(|part| matches!(part, Source::Lines(_)))
            .collect();
        assert_eq!(lines, [true; 4]);
    }

    proptest! {
        #[test]
        fn runs_are_whole_and_even(
            weights in proptest::collection::vec(0_u64..1000, 1..60),
            parts in 1_u32..20,
        ) {
            let runs = split(&weights, parts, |weight| *weight);
            prop_assert_eq!(runs.len(), (parts as usize).min(weights.len()));
            prop_assert!(runs.iter().all(|run| !run.is_empty()));
            prop_assert_eq!(runs.concat(), weights.clone());
            let share = weights.iter().sum::<u64>() / runs.len() as u64;
            let heaviest = weights.iter().max().unwrap();
            for run in &runs {
                prop_assert!(run.len() == 1 || run.iter().sum::<u64>() <= share + heaviest + 1);
            }
        }
    }
}
