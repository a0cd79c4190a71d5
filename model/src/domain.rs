//! Fault domains: in which region and zone an agent or a master stands.

use std::{fmt, sync::Arc};

use tepui_proto::v1::{self, domain_info};

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
        assert_eq!(FaultDomain::from_proto(&wire), Some(domain.clone()));
        assert_eq!(domain.to_string(), "north/a");
        assert_eq!(FaultDomain::from_proto(&v1::DomainInfo::default()), None);
    }
}
