//! The checks that a shell inside can make, those of one configuration together in one container.

mod files;
mod limited;
mod plain;
mod rights;

use std::{fs, path::Path};

use crate::setup::Setup;

/// One check: what a line of shell prints, if all is as it should be.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) line: &'static str,
    pub(crate) wanted: &'static str,
    /// Why runc cannot be asked for it.
    pub(crate) not_in_runc: Option<&'static str>,
}

/// Checks that ask for the same container.
pub(crate) struct Group {
    pub(crate) setup: Setup,
    pub(crate) checks: Vec<Check>,
    /// Whether it has volumes.
    with_volumes: bool,
}

type Line = (&'static str, &'static str, &'static str);

impl Group {
    fn new(setup: Setup, lists: &[&[Line]]) -> Self {
        let lines = lists.iter().flat_map(|list| list.iter());
        let check = |&(name, line, wanted): &Line| Check {
            name,
            line,
            wanted,
            not_in_runc: None,
        };
        Self {
            setup,
            checks: lines.map(check).collect(),
            with_volumes: false,
        }
    }

    /// Puts checks of ours alone before the others.
    fn with_own(mut self, why: &'static str, lines: &[Line]) -> Self {
        let check = |&(name, line, wanted): &Line| Check {
            name,
            line,
            wanted,
            not_in_runc: Some(why),
        };
        self.checks.splice(0..0, lines.iter().map(check));
        self
    }

    /// The setup with what it takes on this machine, in this folder.
    pub(crate) fn prepared(&self, folder: &Path) -> Setup {
        let mut setup = self.setup.clone();
        if self.with_volumes {
            for name in ["data", "fixed", "inner"] {
                fs::create_dir_all(folder.join(name)).unwrap();
                fs::write(folder.join(name).join("found"), name).unwrap();
            }
            files::make_device(&folder.join("data/zero"));
            fs::create_dir_all(folder.join("data/inner")).unwrap();
            setup.volumes = vec![
                (folder.join("data"), "/data", false),
                (folder.join("fixed"), "/fixed", true),
                (folder.join("inner"), "/data/inner", true),
            ];
        }
        setup
    }
}

/// All of them.
pub(crate) fn groups() -> Vec<Group> {
    let mut groups = plain::groups();
    groups.extend(rights::groups());
    groups.extend(files::groups());
    groups.extend(limited::groups());
    groups
}
