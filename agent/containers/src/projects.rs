//! Numbers of projects, by which the kernel bounds and counts what a container's folders hold.
//!
//! A number is given to one container, and to the next only when no file carries it any more: the
//! kernel counts them, so that needs no memory of ours, and sandboxes may be kept for long.

use std::{
    collections::BTreeSet,
    fmt, io,
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use tepui_sys::ProjectLimit;

use crate::{
    Bytes, RootSpec, Spec,
    disk::Room,
    limits::{DEFAULT_PROJECTS, MAX_MEASURED_FILES, MAX_PROJECTS},
    measure::Tally,
};

/// A range of numbers of projects, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectRange {
    first: u32,
    last: u32,
}

impl Default for ProjectRange {
    /// Mesos'.
    fn default() -> Self {
        let (first, last) = DEFAULT_PROJECTS;
        Self { first, last }
    }
}

/// Why a text is no range of projects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no range of projects: two numbers from 1 on, {MAX_PROJECTS} of them at most, as in \
     {DEFAULT}",
    DEFAULT = ProjectRange::default()
)]
pub struct InvalidProjects(String);

impl FromStr for ProjectRange {
    type Err = InvalidProjects;

    /// Mesos writes it in brackets.
    fn from_str(text: &str) -> Result<Self, InvalidProjects> {
        let invalid = || InvalidProjects(text.to_owned());
        let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
        let (first, last) = bare.split_once('-').ok_or_else(invalid)?;
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| invalid());
        let (first, last) = (number(first)?, number(last)?);
        // 0 is the number of files that are of no project, and the last one means none at all.
        let is_range = 0 < first && first <= last && last < u32::MAX;
        if !is_range || last - first >= MAX_PROJECTS {
            return Err(invalid());
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for ProjectRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.first, self.last)
    }
}

impl ProjectRange {
    /// The first number that no container has and that is free on the file systems.
    fn choose(
        self,
        taken: &BTreeSet<u32>,
        mut is_free: impl FnMut(u32) -> io::Result<bool>,
    ) -> io::Result<Option<u32>> {
        for number in (self.first..=self.last).filter(|number| !taken.contains(number)) {
            if is_free(number)? {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }
}

/// A project that is one container's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Project {
    /// The number that its files carry.
    pub(crate) number: u32,
    /// Where they are.
    folders: Vec<PathBuf>,
}

/// The folders that count for a container: its sandbox, and where changes to its root go. What the
/// kernel makes them of must be of the same project, or it could not put them in place.
pub(crate) fn folders(spec: &Spec) -> Vec<PathBuf> {
    let mut folders = vec![spec.sandbox.clone()];
    if let Some(RootSpec::Layers { upper, work, .. }) = &spec.root {
        folders.extend([upper.clone(), work.clone()]);
    }
    folders
}

/// Whether the kernel bounds projects wherever these folders are.
pub(crate) fn are_in_force(folders: &[PathBuf]) -> bool {
    let bounds = |folder: &PathBuf| {
        tepui_sys::open_folder(folder).is_ok_and(|opened| tepui_sys::has_projects(opened.as_fd()))
    };
    folders.iter().all(bounds)
}

impl Project {
    /// A project of a range that nobody has. `None` when there is none left.
    pub(crate) fn choose(
        range: ProjectRange,
        taken: &BTreeSet<u32>,
        folders: Vec<PathBuf>,
    ) -> io::Result<Option<Self>> {
        let opened: Vec<_> = folders
            .iter()
            .map(|it| tepui_sys::open_folder(it))
            .collect();
        let opened = opened.into_iter().collect::<io::Result<Vec<OwnedFd>>>()?;
        let number = range.choose(taken, |number| {
            for folder in &opened {
                if tepui_sys::project_use(folder.as_fd(), number)?.files > 0 {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        Ok(number.map(|number| Self { number, folders }))
    }

    /// Takes the folders in, with all that is there already, and bounds what they hold.
    pub(crate) fn begin(&self, most: Room) -> io::Result<()> {
        for folder in &self.folders {
            let left_out = tepui_sys::join_project(folder, self.number, MAX_MEASURED_FILES)?;
            if left_out > 0 {
                tracing::warn!(
                    ?folder,
                    left_out,
                    "files do not count for their container's disk"
                );
            }
        }
        self.limit(ProjectLimit {
            bytes: Some(most.bytes.0),
            files: most.files,
        })
    }

    /// Sets the limit wherever it has folders.
    fn limit(&self, most: ProjectLimit) -> io::Result<()> {
        let mut all = self.file_systems()?.into_iter();
        all.try_for_each(|it| tepui_sys::limit_project(it.as_fd(), self.number, most))
    }

    /// Lifts the limit: what it has left on the disk is nobody's to write to any more.
    pub(crate) fn end(&self) -> io::Result<()> {
        self.limit(ProjectLimit::default())
    }

    /// What it holds, as the kernel counts it.
    pub(crate) fn used(&self) -> io::Result<Tally> {
        let mut used = Tally::default();
        for folder in self.file_systems()? {
            let told = tepui_sys::project_use(folder.as_fd(), self.number)?;
            used = used.and(Tally {
                bytes: Bytes(told.bytes),
                files: told.files,
                too_deep: false,
            });
        }
        Ok(used)
    }

    /// One folder of each file system. Those that are gone need nothing.
    fn file_systems(&self) -> io::Result<Vec<OwnedFd>> {
        let (mut known, mut found) = (BTreeSet::new(), Vec::new());
        for folder in &self.folders {
            let opened = match tepui_sys::open_folder(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            if known.insert(nix::sys::stat::fstat(opened.as_fd())?.st_dev) {
                found.push(opened);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_mesos_writes_them_and_have_bounds() {
        let range: ProjectRange = "[5000-10000]".parse().unwrap();
        assert_eq!(range, ProjectRange::default());
        assert_eq!(range.to_string(), "5000-10000");
        assert_eq!(range.to_string().parse(), Ok(range));
        assert!("7-7".parse::<ProjectRange>().is_ok());
        let bad = [
            "",
            "5",
            "0-9",
            "9-8",
            "a-b",
            "1-4294967295",
            "1-65537",
            "[-]",
        ];
        for text in bad {
            let error = text.parse::<ProjectRange>().unwrap_err().to_string();
            assert!(error.ends_with("as in 5000-10000"), "{error}");
        }
        assert!("1-65536".parse::<ProjectRange>().is_ok());
    }

    #[test]
    fn a_number_is_given_to_nobody_else_while_files_carry_it() {
        let range: ProjectRange = "5-8".parse().unwrap();
        let carried = [6];
        let mut taken: BTreeSet<u32> = [5].into();
        let free = |number: u32| Ok(!carried.contains(&number));
        assert_eq!(range.choose(&taken, free).unwrap(), Some(7));
        taken.extend([7, 8]);
        assert_eq!(range.choose(&taken, free).unwrap(), None);
        assert_eq!(range.choose(&taken, |_| Ok(true)).unwrap(), Some(6));
        let broken = |_: u32| Err(io::Error::other("no"));
        assert!(range.choose(&taken, broken).is_err());
    }

    #[test]
    fn folders_that_are_gone_need_no_limit_to_be_lifted() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let project = Project {
            number: 5000,
            folders: vec![at("gone"), at("there"), at("beside")],
        };
        for name in ["there", "beside"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        assert_eq!(project.file_systems().unwrap().len(), 1);
        std::fs::remove_dir(at("there")).unwrap();
        std::fs::remove_dir(at("beside")).unwrap();
        project.end().unwrap();
        assert!(
            !are_in_force(&project.folders),
            "what is not there is on no file system"
        );
    }
}
