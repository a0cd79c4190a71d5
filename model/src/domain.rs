//! Fault domains: in which region and zone an agent or a master stands.

use std::{fmt, str::FromStr, sync::Arc};

use tepui_proto::v1::{self, domain_info};

use crate::limits::MAX_NAME_BYTES;

/// A zone of a region: what fails together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultDomain {
    /// The region.
    pub region: Arc<str>,
    /// The zone within it.
    pub zone: Arc<str>,
}

impl FaultDomain {
    /// The fault domain of a message; none if it names none.
    #[must_use]
    pub fn from_proto(wire: &v1::DomainInfo) -> Option<Self> {
        let domain = wire.fault_domain.as_ref()?;
        Some(Self {
            region: Arc::from(domain.region.name.as_str()),
            zone: Arc::from(domain.zone.name.as_str()),
        })
    }
}

/// Why a text is no fault domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no fault domain: write REGION/ZONE, as in eu-north/a")]
pub struct InvalidFaultDomain(String);

impl FromStr for FaultDomain {
    type Err = InvalidFaultDomain;

    /// The region, a slash and the zone.
    fn from_str(text: &str) -> Result<Self, InvalidFaultDomain> {
        let invalid = || InvalidFaultDomain(text.chars().take(MAX_NAME_BYTES).collect());
        let (region, zone) = text.split_once('/').ok_or_else(invalid)?;
        let is_name = |name: &str| {
            let odd =
                |char: char| char.is_whitespace() || char.is_control() || "/{}\"".contains(char);
            (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.contains(odd)
        };
        if !is_name(region) || !is_name(zone) {
            return Err(invalid());
        }
        Ok(Self {
            region: Arc::from(region),
            zone: Arc::from(zone),
        })
    }
}

impl From<&FaultDomain> for v1::DomainInfo {
    fn from(domain: &FaultDomain) -> Self {
        let fault_domain = domain_info::FaultDomain {
            region: domain_info::fault_domain::RegionInfo {
                name: domain.region.to_string(),
            },
            zone: domain_info::fault_domain::ZoneInfo {
                name: domain.zone.to_string(),
            },
        };
        Self {
            fault_domain: Some(fault_domain),
        }
    }
}

impl fmt::Display for FaultDomain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.region, self.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_goes_over_the_wire_and_an_empty_one_is_none() {
        let domain = FaultDomain {
            region: Arc::from("north"),
            zone: Arc::from("a"),
        };
        let wire = v1::DomainInfo::from(&domain);
        assert_eq!(FaultDomain::from_proto(&wire).as_ref(), Some(&domain));
        assert_eq!(domain.to_string(), "north/a");
        assert_eq!("north/a".parse(), Ok(domain));
        assert_eq!(FaultDomain::from_proto(&v1::DomainInfo::default()), None);
    }

    #[test]
    fn a_text_that_is_no_domain_is_refused_with_an_example() {
        let long = format!("{}/a", "r".repeat(MAX_NAME_BYTES + 1));
        for text in [
            "",
            "north",
            "/a",
            "north/",
            "a/b/c",
            "no rth/a",
            "{\"x\"}/a",
            &long,
        ] {
            let error = text.parse::<FaultDomain>().unwrap_err().to_string();
            assert!(error.contains("as in eu-north/a"), "{error}");
        }
    }
}
