//! Where this machine has its cgroups.

use std::{fs, io, path::PathBuf};

use super::Controller;

/// Where this machine has its cgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mounted {
    /// One hierarchy for all controllers.
    V2(PathBuf),
    /// A hierarchy per controller or two. Hybrid machines are such, with an empty v2 hierarchy
    /// beside.
    V1(Vec<Hierarchy>),
    /// None at all.
    Nowhere,
}

/// One v1 hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    pub(crate) path: PathBuf,
    /// Its controllers: `cpu` and `cpuacct` often share one.
    pub(crate) controllers: Vec<String>,
}

/// Options of a v1 mount that are no controllers.
const NO_CONTROLLERS: [&str; 6] = [
    "rw",
    "ro",
    "xattr",
    "clone_children",
    "noprefix",
    "favordynmods",
];

impl Mounted {
    /// Looks for them.
    pub(crate) fn find() -> io::Result<Self> {
        Ok(Self::parse(&fs::read_to_string("/proc/self/mountinfo")?))
    }

    /// Reads `/proc/self/mountinfo`. A machine is v1 if any of our controllers is mounted so.
    fn parse(mountinfo: &str) -> Self {
        let mut hierarchies = Vec::new();
        let mut unified = None;
        for (path, kind, options) in mountinfo.lines().filter_map(parse_line) {
            match kind {
                "cgroup2" => unified = unified.or(Some(path)),
                "cgroup" => {
                    let names = options
                        .split(',')
                        .filter(|option| !NO_CONTROLLERS.contains(option));
                    let controllers = names.map(str::to_owned).collect();
                    hierarchies.push(Hierarchy { path, controllers });
                }
                _ => {}
            }
        }
        let ours = |hierarchy: &Hierarchy| {
            Controller::MAIN
                .iter()
                .any(|wanted| hierarchy.has(wanted.name()))
        };
        match unified {
            _ if hierarchies.iter().any(ours) => Self::V1(hierarchies),
            Some(path) => Self::V2(path),
            None => Self::Nowhere,
        }
    }
}

impl Hierarchy {
    pub(crate) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }
}

/// Mount point, kind and options of the file system in a line of mountinfo.
fn parse_line(line: &str) -> Option<(PathBuf, &str, &str)> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut file_system = file_system.split(' ');
    let kind = file_system.next()?;
    Some((mount.split(' ').nth(4)?.into(), kind, file_system.nth(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,xattr,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn a_hybrid_machine_counts_as_v1() {
        let Mounted::V1(found) = Mounted::parse(HYBRID) else {
            panic!("v1")
        };
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].path, PathBuf::from("/sys/fs/cgroup/cpu,cpuacct"));
        assert!(found[0].has("cpu") && found[0].has("cpuacct"));
        assert_eq!(found[1].controllers, ["memory"]);
        assert_eq!(found[2].controllers, ["name=systemd"]);
    }

    #[test]
    fn a_machine_without_v1_controllers_is_v2() {
        let v2 = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(Mounted::parse(v2), Mounted::V2("/sys/fs/cgroup".into()));
        let with_systemd = format!("{v2}40 31 0:37 / /x rw - cgroup cgroup rw,name=systemd\n");
        assert_eq!(
            Mounted::parse(&with_systemd),
            Mounted::V2("/sys/fs/cgroup".into())
        );
    }

    #[test]
    fn a_machine_can_have_none() {
        assert_eq!(
            Mounted::parse("27 1 254:0 / / rw - ext4 /dev/vda rw\n"),
            Mounted::Nowhere
        );
        assert_eq!(Mounted::parse("garbage"), Mounted::Nowhere);
    }
}
