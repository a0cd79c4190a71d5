//! Offers of an agent's resources, and how they are refused.

use std::time::Duration;

use tepui_proto::v1;

use crate::{
    AgentId, Attributes, ExecutorId, FaultDomain, FrameworkId, ImageNames, InvalidId, InvalidRole,
    InvalidUnavailability, OfferId, ReservationForm, ResourceError, Resources, Role,
    Unavailability, limits::MAX_REFUSE_SECONDS,
};

/// Resources of one agent, offered to one framework for one role (Mesos: OFF-01).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The id.
    pub id: OfferId,
    /// To whom.
    pub framework_id: FrameworkId,
    /// Of which agent.
    pub agent_id: AgentId,
    /// The name by which others reach the agent.
    pub hostname: String,
    /// The port the agent listens on.
    pub port: u16,
    /// The role the resources are allocated to.
    pub role: Role,
    /// What is offered.
    pub resources: Resources,
    /// What the agent says of itself.
    pub attributes: Attributes,
    /// The framework's executors on the agent.
    pub executor_ids: Vec<ExecutorId>,
    /// Where the agent stands.
    pub domain: Option<FaultDomain>,
    /// When the agent's machine is expected to be away.
    pub unavailability: Option<Unavailability>,
    /// Images that tasks need not wait for there.
    pub images: ImageNames,
}

/// Why an offer from the wire is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOffer {
    /// An id is no id.
    #[error("Offer.{field}: {cause}")]
    Id {
        /// The field.
        field: &'static str,
        /// Why it is none.
        cause: InvalidId,
    },
    /// The role is no role.
    #[error("Offer.allocation_info: {0}")]
    Role(#[from] InvalidRole),
    /// The resources are refused.
    #[error("Offer.resources: {0}")]
    Resources(ResourceError),
    /// The resources are allocated to another role than the offer.
    #[error("Offer.resources must be allocated to the role of the offer")]
    Allocation,
    /// The attributes are refused.
    #[error("Offer.attributes: {0}")]
    Attributes(ResourceError),
    /// The port is no port.
    #[error("Offer.url: {0} is not a port")]
    Port(i32),
    /// The time away is none.
    #[error("Offer.unavailability: {0}")]
    Unavailability(#[from] InvalidUnavailability),
}

impl From<&Offer> for v1::Offer {
    fn from(offer: &Offer) -> Self {
        offer.to_proto_as(ReservationForm::Stack)
    }
}

impl Offer {
    /// The offer for the wire, with its reservations in that form.
    #[must_use]
    pub fn to_proto_as(&self, form: ReservationForm) -> v1::Offer {
        let address = v1::Address {
            hostname: Some(self.hostname.clone()),
            ip: None,
            port: self.port.into(),
        };
        let url = v1::Url {
            scheme: "http".to_owned(),
            address,
            ..Default::default()
        };
        let allocation = v1::resource::AllocationInfo {
            role: Some(self.role.as_str().to_owned()),
        };
        v1::Offer {
            id: (&self.id).into(),
            framework_id: (&self.framework_id).into(),
            agent_id: (&self.agent_id).into(),
            hostname: self.hostname.clone(),
            url: Some(url),
            resources: self.resources.to_proto_as(form, Some(&self.role)),
            attributes: self.attributes.to_proto(),
            executor_ids: self.executor_ids.iter().map(Into::into).collect(),
            allocation_info: Some(allocation),
            domain: self.domain.as_ref().map(Into::into),
            unavailability: self.unavailability.map(Into::into),
            tepui_images: self.images.to_proto(),
        }
    }
}

impl TryFrom<&v1::Offer> for Offer {
    type Error = InvalidOffer;

    fn try_from(wire: &v1::Offer) -> Result<Self, InvalidOffer> {
        let field = |field| move |cause| InvalidOffer::Id { field, cause };
        let (resources, allocation) =
            Resources::from_proto(&wire.resources).map_err(InvalidOffer::Resources)?;
        let executor_ids = wire.executor_ids.iter().map(ExecutorId::try_from);
        let unavailability = wire.unavailability.as_ref().map(Unavailability::try_from);
        Ok(Self {
            id: OfferId::try_from(&wire.id).map_err(field("id"))?,
            framework_id: FrameworkId::try_from(&wire.framework_id)
                .map_err(field("framework_id"))?,
            agent_id: AgentId::try_from(&wire.agent_id).map_err(field("agent_id"))?,
            hostname: wire.hostname.clone(),
            port: port_of(wire)?,
            role: role_of(wire, allocation)?,
            resources,
            attributes: Attributes::try_from(wire.attributes.as_slice())
                .map_err(InvalidOffer::Attributes)?,
            executor_ids: executor_ids
                .collect::<Result<_, _>>()
                .map_err(field("executor_ids"))?,
            domain: wire.domain.as_ref().and_then(FaultDomain::from_proto),
            unavailability: unavailability.transpose()?,
            images: ImageNames::new(&wire.tepui_images),
        })
    }
}

impl TryFrom<v1::Offer> for Offer {
    type Error = InvalidOffer;

    fn try_from(wire: v1::Offer) -> Result<Self, InvalidOffer> {
        Self::try_from(&wire)
    }
}

/// The port of the offer's URL; Mesos' port of agents if it has none.
fn port_of(wire: &v1::Offer) -> Result<u16, InvalidOffer> {
    let port = wire.url.as_ref().map_or(5051, |url| url.address.port);
    u16::try_from(port).map_err(|_| InvalidOffer::Port(port))
}

/// The role of the offer, which is that of all its resources (Mesos: OFF-01).
fn role_of(wire: &v1::Offer, allocation: Option<Role>) -> Result<Role, InvalidOffer> {
    let named = wire
        .allocation_info
        .as_ref()
        .and_then(|info| info.role.as_deref());
    let named = named.map(Role::new).transpose()?;
    match (named, allocation) {
        (Some(named), Some(allocated)) if named != allocated => Err(InvalidOffer::Allocation),
        (named, allocated) => Ok(named.or(allocated).unwrap_or_default()),
    }
}

/// For how long what was not used is not to be offered again (Mesos: OFF-07).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Filters {
    /// How long; nothing if it may be offered again at once.
    pub refuse: Option<Duration>,
}

impl Filters {
    /// What holds unless a framework says otherwise: 5 seconds.
    pub const DEFAULT: Self = Self {
        refuse: Some(Duration::from_secs(5)),
    };
    /// No filter: offer it again at once.
    pub const NONE: Self = Self { refuse: None };

    /// A filter of that span, cut to a year; none if the span is zero.
    #[must_use]
    pub fn refuse(span: Duration) -> Self {
        let longest = Duration::from_secs_f64(MAX_REFUSE_SECONDS);
        if span.is_zero() {
            Self::NONE
        } else {
            Self {
                refuse: Some(span.min(longest)),
            }
        }
    }

    /// Zero is no filter, more than a year is a year, and what is no span is the default.
    fn from_seconds(seconds: f64) -> Self {
        let span = Duration::try_from_secs_f64(seconds.min(MAX_REFUSE_SECONDS));
        match span {
            Ok(span) if !seconds.is_nan() => Self::refuse(span),
            _ => Self::DEFAULT,
        }
    }
}

impl Default for Filters {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl From<Option<&v1::Filters>> for Filters {
    fn from(wire: Option<&v1::Filters>) -> Self {
        let seconds = wire.and_then(|filters| filters.refuse_seconds);
        seconds.map_or(Self::DEFAULT, Self::from_seconds)
    }
}

impl From<Option<v1::Filters>> for Filters {
    fn from(wire: Option<v1::Filters>) -> Self {
        Self::from(wire.as_ref())
    }
}

impl From<Filters> for v1::Filters {
    fn from(filters: Filters) -> Self {
        Self {
            refuse_seconds: Some(filters.refuse.map_or(0.0, |span| span.as_secs_f64())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> Offer {
        Offer {
            id: OfferId::new("m-O0").unwrap(),
            framework_id: FrameworkId::new("m-0000").unwrap(),
            agent_id: AgentId::new("m-S0").unwrap(),
            hostname: "node-1".to_owned(),
            port: 5052,
            role: Role::new("web").unwrap(),
            resources: "cpus:4;ports:[31000-32000];mem(web):64".parse().unwrap(),
            attributes: "rack:r1".parse().unwrap(),
            executor_ids: vec![ExecutorId::new("e").unwrap()],
            domain: Some(FaultDomain {
                region: "north".into(),
                zone: "a".into(),
            }),
            unavailability: Some(Unavailability {
                start: crate::Time::from_micros(7),
                duration: None,
            }),
            images: ImageNames::new(["busybox:latest"]),
        }
    }

    #[test]
    fn an_offer_goes_over_the_wire_and_back() {
        let wire = v1::Offer::from(&offer());
        let url = wire.url.as_ref().unwrap();
        assert_eq!((url.scheme.as_str(), url.address.port), ("http", 5052));
        let role = |resource: &v1::Resource| resource.allocation_info.clone().unwrap().role;
        assert!(
            wire.resources
                .iter()
                .all(|resource| role(resource).as_deref() == Some("web"))
        );
        assert_eq!(Offer::try_from(wire).unwrap(), offer());
    }

    #[test]
    fn resources_allocated_to_another_role_than_the_offer_are_refused() {
        let mut wire = v1::Offer::from(&offer());
        wire.allocation_info = Some(v1::resource::AllocationInfo {
            role: Some("db".to_owned()),
        });
        assert_eq!(Offer::try_from(&wire), Err(InvalidOffer::Allocation));
    }

    #[test]
    fn refusals_are_clamped_as_mesos_clamps_them() {
        let refuse = |seconds| {
            Filters::from(Some(v1::Filters {
                refuse_seconds: Some(seconds),
            }))
            .refuse
        };
        let default = Some(Duration::from_secs(5));
        assert_eq!(Filters::from(None::<v1::Filters>).refuse, default);
        assert_eq!(
            Filters::from(Some(v1::Filters {
                refuse_seconds: None
            }))
            .refuse,
            default
        );
        assert_eq!(refuse(-1.0), default);
        assert_eq!(refuse(f64::NAN), default);
        assert_eq!(refuse(f64::NEG_INFINITY), default);
        assert_eq!(refuse(0.0), None);
        assert_eq!(refuse(1.5), Some(Duration::from_millis(1500)));
        let year = Some(Duration::from_secs(365 * 24 * 3600));
        assert_eq!(refuse(1e18), year);
        assert_eq!(refuse(f64::INFINITY), year);
    }

    #[test]
    fn no_filter_is_zero_seconds_on_the_wire() {
        assert_eq!(v1::Filters::from(Filters::NONE).refuse_seconds, Some(0.0));
        assert_eq!(
            v1::Filters::from(Filters::default()).refuse_seconds,
            Some(5.0)
        );
    }
}
