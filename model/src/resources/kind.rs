//! The names of scalar resources.

use std::{fmt, sync::Arc};

/// Mesos' name of the resource whose values are port numbers.
pub const PORTS: &str = "ports";

/// A scalar resource: one of the four that every scheduler speaks of, or another by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `cpus`: shares of processors.
    Cpus,
    /// `mem`: megabytes of memory.
    Memory,
    /// `disk`: megabytes of disk.
    Disk,
    /// `gpus`: whole graphics processors.
    Gpus,
    /// Any other name.
    Other(Arc<str>),
}

impl Kind {
    /// The kinds that have a name of their own here.
    pub const WELL_KNOWN: [Self; 4] = [Self::Cpus, Self::Memory, Self::Disk, Self::Gpus];

    /// Their names, in the same order.
    pub(crate) const KNOWN_NAMES: [&str; 4] = ["cpus", "mem", "disk", "gpus"];

    /// The kind of that name. Make kinds with this: `Other` is for the names that are not known.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::well_known(name).unwrap_or_else(|| Self::Other(Arc::from(name)))
    }

    /// The kind of that name, if it is one of the four.
    pub(crate) fn well_known(name: &str) -> Option<Self> {
        let index = Self::KNOWN_NAMES.iter().position(|known| *known == name)?;
        Some(Self::WELL_KNOWN[index].clone())
    }

    /// Mesos' name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Cpus => Self::KNOWN_NAMES[0],
            Self::Memory => Self::KNOWN_NAMES[1],
            Self::Disk => Self::KNOWN_NAMES[2],
            Self::Gpus => Self::KNOWN_NAMES[3],
            Self::Other(name) => name,
        }
    }

    /// The place among [`Kind::WELL_KNOWN`].
    pub(crate) const fn index(&self) -> Option<usize> {
        match self {
            Self::Cpus => Some(0),
            Self::Memory => Some(1),
            Self::Disk => Some(2),
            Self::Gpus => Some(3),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_mesos_name() {
        for (index, kind) in Kind::WELL_KNOWN.iter().enumerate() {
            assert_eq!(kind.index(), Some(index));
            assert_eq!(&Kind::new(kind.name()), kind);
        }
        assert_eq!(Kind::new("bandwidth").name(), "bandwidth");
    }
}
