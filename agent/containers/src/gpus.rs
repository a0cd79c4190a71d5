//! GPUs: the device files of NVIDIA's driver, and which of them a container has.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::Device;

/// Where a machine's GPUs are, and which of them containers may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpus {
    /// The folder of their device files.
    pub folder: PathBuf,
    /// The numbers of those that containers may have, as in `/dev/nvidia0`. Without it, all.
    pub only: Option<BTreeSet<u32>>,
}

impl Default for Gpus {
    fn default() -> Self {
        Self {
            folder: "/dev".into(),
            only: None,
        }
    }
}

impl Gpus {
    /// How many there are for containers.
    #[must_use]
    pub fn count(&self) -> usize {
        Found::look(self).devices.len()
    }
}

/// The devices that go with any GPU, as NVIDIA's container toolkit gives them.
const COMMON: [&str; 3] = ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"];

/// The GPUs of this machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// By number.
    pub(crate) devices: BTreeMap<u32, Device>,
    /// What goes with any of them.
    common: Vec<Device>,
    /// What stands in the way of giving them to containers.
    pub(crate) problem: Option<String>,
}

impl Found {
    /// Looks for them.
    pub(crate) fn look(gpus: &Gpus) -> Self {
        let entries = fs::read_dir(&gpus.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut devices: BTreeMap<u32, Device> = names
            .filter_map(|name| {
                let number = name.strip_prefix("nvidia")?.parse().ok()?;
                Some((number, device(&gpus.folder, &name)?))
            })
            .collect();
        let all: BTreeSet<u32> = devices.keys().copied().collect();
        if let Some(only) = &gpus.only {
            devices.retain(|number, _| only.contains(number));
        }
        let common = COMMON.into_iter();
        let common: Vec<_> = common
            .filter_map(|name| device(&gpus.folder, name))
            .collect();
        let problem = problem(gpus, &all, &common);
        Self {
            devices,
            common,
            problem,
        }
    }

    /// The device files of a container that has these.
    pub(crate) fn files(&self, numbers: &BTreeSet<u32>) -> Vec<Device> {
        if numbers.is_empty() {
            return Vec::new();
        }
        let own = numbers.iter().filter_map(|one| self.devices.get(one));
        own.chain(&self.common).cloned().collect()
    }
}

fn problem(gpus: &Gpus, all: &BTreeSet<u32>, common: &[Device]) -> Option<String> {
    let folder = gpus.folder.display();
    let absent = gpus.only.iter().flatten().find(|one| !all.contains(one));
    if let Some(absent) = absent {
        return Some(format!("there is no device file {folder}/nvidia{absent}"));
    }
    if all.is_empty() {
        return Some(format!(
            "there is no device file {folder}/nvidia0: is NVIDIA's driver loaded, and has \
             nvidia-modprobe made its files?"
        ));
    }
    let control = common.iter().any(|one| one.path.ends_with(COMMON[0]));
    (!control).then(|| format!("there is no device file {folder}/{}", COMMON[0]))
}

/// A character device, as a container finds it below `/dev`.
fn device(folder: &Path, name: &str) -> Option<Device> {
    let found = Device::at(&folder.join(name)).ok()?;
    (!found.block).then(|| Device {
        path: Path::new("/dev").join(name),
        ..found
    })
}

/// So many of those that nobody has. `None` if there are not enough.
pub(crate) fn choose(
    all: impl Iterator<Item = u32>,
    taken: &BTreeSet<u32>,
    count: usize,
) -> Option<BTreeSet<u32>> {
    let free = all.filter(|number| !taken.contains(number));
    let chosen: BTreeSet<u32> = free.take(count).collect();
    (chosen.len() == count).then_some(chosen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_machine_without_gpus_says_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut gpus = Gpus {
            folder: folder.path().to_owned(),
            only: None,
        };
        // A plain file is no device.
        fs::write(folder.path().join("nvidia0"), "").unwrap();
        let found = Found::look(&gpus);
        assert_eq!((found.devices.len(), gpus.count()), (0, 0));
        let problem = found.problem.unwrap();
        assert!(problem.contains("nvidia0: is NVIDIA's driver"), "{problem}");
        gpus.only = Some([7].into());
        let problem = Found::look(&gpus).problem.unwrap();
        assert!(problem.ends_with("/nvidia7"), "{problem}");
        assert!(found.common.is_empty() && Found::default().files(&[0].into()).is_empty());
    }

    proptest! {
        #[test]
        fn no_gpu_is_two_containers(
            count in 0..9u32,
            wanted in proptest::collection::vec((0..4usize, any::<bool>()), 1..30),
        ) {
            let mut held: Vec<BTreeSet<u32>> = Vec::new();
            for (asked, give_back) in wanted {
                if give_back {
                    held.pop();
                }
                let taken: BTreeSet<u32> = held.iter().flatten().copied().collect();
                match choose(0..count, &taken, asked) {
                    Some(chosen) => {
                        prop_assert_eq!(chosen.len(), asked);
                        prop_assert!(chosen.is_disjoint(&taken));
                        prop_assert!(chosen.iter().all(|one| *one < count));
                        held.push(chosen);
                    }
                    None => prop_assert!(taken.len() + asked > count as usize),
                }
            }
        }
    }
}
