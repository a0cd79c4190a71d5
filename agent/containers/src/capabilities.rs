//! Sets of capabilities: the parts that root's power is made of.

use std::{fmt, str::FromStr};

/// The names of the kernel's capabilities, by number, without `CAP_`.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// A set of capabilities.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capabilities(u64);

impl Capabilities {
    /// None at all.
    pub const NONE: Self = Self(0);
    /// All that the kernel has.
    pub const ALL: Self = Self((1 << NAMES.len()) - 1);
    /// What containers have that ask for nothing: docker's set. CHOWN, DAC_OVERRIDE, FOWNER,
    /// FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD,
    /// AUDIT_WRITE and SETFCAP.
    pub const DEFAULT: Self = Self(0xa804_25fb);

    /// The capability of this number in the kernel's list, if there is one.
    #[must_use]
    pub fn of_number(number: u32) -> Option<Self> {
        let known = usize::try_from(number).is_ok_and(|number| number < NAMES.len());
        known.then(|| Self(1 << number))
    }

    /// Those of both sets.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those that are not in the other set.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Those that are in both sets.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether all of these are in the set.
    #[must_use]
    pub const fn has(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// The kernel's form, one bit per number.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// From the kernel's form; what has no name is left out.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & Self::ALL.0)
    }
}

/// A name that is no capability's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no capability: the names are those of capabilities(7), as in NET_ADMIN, and default, \
     all and none"
)]
pub struct UnknownCapability(pub String);

impl FromStr for Capabilities {
    type Err = UnknownCapability;

    fn from_str(list: &str) -> Result<Self, UnknownCapability> {
        let words = list.split(',').map(str::trim);
        words
            .filter(|word| !word.is_empty())
            .try_fold(Self::NONE, |set, word| {
                let upper = word.to_ascii_uppercase();
                let more = match upper.strip_prefix("CAP_").unwrap_or(&upper) {
                    "ALL" => Self::ALL,
                    "DEFAULT" => Self::DEFAULT,
                    "NONE" => Self::NONE,
                    name => match NAMES.iter().position(|known| *known == name) {
                        Some(number) => Self(1 << number),
                        None => return Err(UnknownCapability(word.to_owned())),
                    },
                };
                Ok(set.with(more))
            })
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => formatter.pad("none"),
            Self::ALL => formatter.pad("all"),
            Self::DEFAULT => formatter.pad("default"),
            Self(bits) => {
                let names = NAMES.iter().enumerate();
                let names = names.filter(|(number, _)| bits & (1 << number) != 0);
                let names: Vec<_> = names.map(|(_, name)| *name).collect();
                formatter.pad(&names.join(","))
            }
        }
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Capabilities({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_docker_s_list() {
        let names = "CHOWN,DAC_OVERRIDE,FSETID,FOWNER,MKNOD,NET_RAW,SETGID,SETUID,SETFCAP,SETPCAP,\
                     NET_BIND_SERVICE,SYS_CHROOT,KILL,AUDIT_WRITE";
        assert_eq!(names.parse(), Ok(Capabilities::DEFAULT));
        assert!(!Capabilities::DEFAULT.has("SYS_ADMIN".parse().unwrap()));
    }

    #[test]
    fn a_set_reads_back_as_it_was_printed() {
        for number in 0..41 {
            let one = Capabilities::of_number(number).unwrap();
            assert_eq!(one.to_string().parse(), Ok(one));
            let rest = Capabilities::ALL.without(one);
            assert_eq!(rest.to_string().parse(), Ok(rest));
        }
        assert_eq!(Capabilities::of_number(41), None);
        for set in [Capabilities::ALL, Capabilities::NONE, Capabilities::DEFAULT] {
            assert_eq!(set.to_string().parse(), Ok(set));
        }
        assert_eq!(
            "cap_net_admin".parse::<Capabilities>().unwrap().bits(),
            1 << 12
        );
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let error = "NET_ADMIN,ROOT".parse::<Capabilities>().unwrap_err();
        assert!(error.to_string().starts_with("'ROOT' is no capability"));
    }
}
