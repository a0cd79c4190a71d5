//! When a machine will be away, and which machine (Mesos: MNT).

use std::{fmt, time::Duration};

use tepui_proto::v1;

use crate::{
    Time,
    time::{span_from, span_to},
};

/// A time in which a machine is expected to be away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unavailability {
    /// From when on.
    pub start: Time,
    /// For how long; for ever if unset.
    pub duration: Option<Duration>,
}

/// Why an `Unavailability` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUnavailability {
    /// The duration is negative.
    #[error("Unavailability 'duration' is negative")]
    NegativeDuration,
}

impl TryFrom<&v1::Unavailability> for Unavailability {
    type Error = InvalidUnavailability;

    fn try_from(wire: &v1::Unavailability) -> Result<Self, InvalidUnavailability> {
        let span = |wire| span_from(wire).ok_or(InvalidUnavailability::NegativeDuration);
        Ok(Self {
            start: Time::from(&wire.start),
            duration: wire.duration.as_ref().map(span).transpose()?,
        })
    }
}

impl From<Unavailability> for v1::Unavailability {
    fn from(unavailability: Unavailability) -> Self {
        Self {
            start: unavailability.start.into(),
            duration: unavailability.duration.map(span_to),
        }
    }
}

/// A machine, by what its agents say of themselves. One of the two is set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId {
    hostname: Option<String>,
    ip: Option<String>,
}

/// Why a `MachineID` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMachine {
    /// Neither a host name nor an address.
    #[error("Both 'hostname' and 'ip' for a machine are empty")]
    Empty,
    /// The address is none.
    #[error("'{0}' is not an IP address")]
    Address(String),
}

impl MachineId {
    /// A machine by its name or address or both. Names are equal in any case.
    pub fn new(hostname: &str, ip: &str) -> Result<Self, InvalidMachine> {
        if hostname.is_empty() && ip.is_empty() {
            return Err(InvalidMachine::Empty);
        }
        let address = |ip: &str| match ip.parse::<core::net::IpAddr>() {
            Ok(address) => Ok(address.to_string()),
            Err(_) => Err(InvalidMachine::Address(ip.escape_debug().to_string())),
        };
        let set = |text: &&str| !text.is_empty();
        Ok(Self {
            hostname: Some(hostname).filter(set).map(str::to_lowercase),
            ip: Some(ip).filter(set).map(address).transpose()?,
        })
    }

    /// The name, in lower case.
    #[must_use]
    pub fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref()
    }

    /// The address.
    #[must_use]
    pub fn ip(&self) -> Option<&str> {
        self.ip.as_deref()
    }
}

impl TryFrom<&v1::MachineId> for MachineId {
    type Error = InvalidMachine;

    fn try_from(wire: &v1::MachineId) -> Result<Self, InvalidMachine> {
        Self::new(wire.hostname(), wire.ip())
    }
}

impl From<&MachineId> for v1::MachineId {
    fn from(machine: &MachineId) -> Self {
        Self {
            hostname: machine.hostname.clone(),
            ip: machine.ip.clone(),
        }
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.hostname, &self.ip) {
            (Some(hostname), Some(ip)) => write!(formatter, "{hostname} ({ip})"),
            (Some(only), None) | (None, Some(only)) => formatter.pad(only),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unavailability_goes_over_the_wire_unless_its_duration_is_negative() {
        let unavailability = Unavailability {
            start: Time::from_micros(5_000_000),
            duration: Some(Duration::from_secs(60)),
        };
        let mut wire = v1::Unavailability::from(unavailability);
        assert_eq!(Unavailability::try_from(&wire), Ok(unavailability));
        wire.duration = None;
        assert_eq!(Unavailability::try_from(&wire).unwrap().duration, None);
        wire.duration = Some(v1::DurationInfo { nanoseconds: -1 });
        let refusal = Unavailability::try_from(&wire).unwrap_err();
        assert_eq!(refusal, InvalidUnavailability::NegativeDuration);
    }

    #[test]
    fn machines_are_equal_in_any_case() {
        let machine = MachineId::new("Node-1", "").unwrap();
        assert_eq!(machine, MachineId::new("node-1", "").unwrap());
        assert_eq!(machine.to_string(), "node-1");
        let wire = v1::MachineId::from(&machine);
        assert_eq!(MachineId::try_from(&wire), Ok(machine));
    }

    #[test]
    fn a_machine_without_name_and_address_is_refused() {
        assert_eq!(MachineId::new("", ""), Err(InvalidMachine::Empty));
        let wrong = InvalidMachine::Address("10.0.0".to_owned());
        assert_eq!(MachineId::new("a", "10.0.0"), Err(wrong));
        let both = MachineId::new("a", "10.0.0.1").unwrap();
        assert_eq!(both.to_string(), "a (10.0.0.1)");
    }
}
