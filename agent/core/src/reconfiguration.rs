//! What may be different about an agent when it starts again (Mesos: AGT-05).

use std::{fmt, ops::Not, str::FromStr};

use tepui_model::{AgentInfo, Attribute, AttributeValue, FaultDomain, Resources};

/// What may be different about an agent when it starts again: its resources (but for an estimate
/// of what its tasks leave unused), its attributes and its fault domain. Where it listens may
/// always change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reconfiguration {
    /// Nothing.
    #[default]
    Equal,
    /// It may have more than before: more of a resource, further attributes, longer ranges and
    /// sets, a fault domain where it had none.
    Additive,
    /// Anything, as long as it has what its tasks, reservations and volumes hold.
    Any,
}

impl Reconfiguration {
    /// The name, as the flag takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Additive => "additive",
            Self::Any => "any",
        }
    }

    /// Says what is different in a way that is not allowed.
    pub(crate) fn check(self, before: &AgentInfo, now: &AgentInfo) -> Result<(), String> {
        if self.allows_resources(&steady(before), &steady(now)).not() {
            return Err(different("resources", &steady(before), &steady(now)));
        }
        if self.allows_attributes(before, now).not() {
            return Err(different("attributes", &before.attributes, &now.attributes));
        }
        if self
            .allows_domain(before.domain.as_ref(), now.domain.as_ref())
            .not()
        {
            let (before, now) = (Named(before.domain.as_ref()), Named(now.domain.as_ref()));
            return Err(different("fault domain", &before, &now));
        }
        Ok(())
    }

    fn allows_resources(self, before: &Resources, now: &Resources) -> bool {
        match self {
            Self::Equal => before == now,
            Self::Additive => now.contains(before),
            Self::Any => true,
        }
    }

    fn allows_attributes(self, before: &AgentInfo, now: &AgentInfo) -> bool {
        match self {
            Self::Equal => before.attributes == now.attributes,
            Self::Additive => before.attributes.iter().all(|one| still_has(now, one)),
            Self::Any => true,
        }
    }

    fn allows_domain(self, before: Option<&FaultDomain>, now: Option<&FaultDomain>) -> bool {
        match self {
            Self::Equal => before == now,
            Self::Additive => before.is_none() || before == now,
            Self::Any => true,
        }
    }
}

impl fmt::Display for Reconfiguration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// No policy has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not one of equal, additive and any")]
pub struct UnknownReconfiguration(String);

impl FromStr for Reconfiguration {
    type Err = UnknownReconfiguration;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Equal, Self::Additive, Self::Any]
            .into_iter()
            .find(|policy| policy.name() == name)
            .ok_or_else(|| UnknownReconfiguration(name.to_owned()))
    }
}

/// What an agent has besides an estimate, which comes and goes.
fn steady(info: &AgentInfo) -> Resources {
    info.resources.filter(|traits| !traits.revocable)
}

/// Whether an attribute is still there, and says at least as much.
fn still_has(now: &AgentInfo, before: &Attribute) -> bool {
    let mut named = now.attributes.iter().filter(|one| one.name == before.name);
    named.any(|one| match (&one.value, &before.value) {
        (AttributeValue::Ranges(now), AttributeValue::Ranges(before)) => now.contains(before),
        (AttributeValue::Set(now), AttributeValue::Set(before)) => now.contains(before),
        (now, before) => now == before,
    })
}

fn different(what: &str, before: &dyn fmt::Display, now: &dyn fmt::Display) -> String {
    format!("its {what} before: '{before}', now: '{now}'")
}

struct Named<'a>(Option<&'a FaultDomain>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(domain) => domain.fmt(formatter),
            None => formatter.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tepui_proto::v1;

    use super::*;

    fn agent(resources: &str, attributes: &str, domain: Option<&str>) -> AgentInfo {
        let resources: Resources = resources.parse().unwrap();
        let attributes: tepui_model::Attributes = attributes.parse().unwrap();
        let domain: Option<FaultDomain> = domain.map(|domain| domain.parse().unwrap());
        let wire = v1::AgentInfo {
            hostname: "here".to_owned(),
            resources: resources.to_proto(None),
            attributes: attributes.to_proto(),
            domain: domain.as_ref().map(Into::into),
            ..v1::AgentInfo::default()
        };
        AgentInfo::try_from(wire).unwrap()
    }

    fn allowed(policy: Reconfiguration, before: &AgentInfo, now: &AgentInfo) -> bool {
        policy.check(before, now).is_ok()
    }

    #[test]
    fn equal_allows_nothing_additive_more_and_any_all() {
        let before = agent("cpus:4;ports:[1-5]", "rack:r1;slots:[1-3]", None);
        let more = [
            agent("cpus:4;ports:[1-5]", "rack:r1;slots:[1-3]", Some("r/z")),
            agent("cpus:5;ports:[1-5]", "rack:r1;slots:[1-3]", None),
            agent("cpus:4;ports:[1-9];disk:7", "rack:r1;slots:[1-3]", None),
            agent("cpus:4;ports:[1-5]", "rack:r1;slots:[1-4];zone:a", None),
        ];
        let other = [
            agent("cpus:3;ports:[1-5]", "rack:r1;slots:[1-3]", None),
            agent("cpus:4;ports:[2-9]", "rack:r1;slots:[1-3]", None),
            agent("cpus:4;ports:[1-5]", "rack:r2;slots:[1-3]", None),
            agent("cpus:4;ports:[1-5]", "slots:[1-3]", None),
            agent("cpus:4;ports:[1-5]", "rack:r1;slots:[2-3]", None),
        ];
        for policy in [Reconfiguration::Equal, Reconfiguration::Additive] {
            assert!(allowed(policy, &before, &before), "{policy}");
        }
        for now in &more {
            assert!(!allowed(Reconfiguration::Equal, &before, now), "{now:?}");
            assert!(allowed(Reconfiguration::Additive, &before, now), "{now:?}");
        }
        for now in &other {
            assert!(!allowed(Reconfiguration::Equal, &before, now), "{now:?}");
            assert!(!allowed(Reconfiguration::Additive, &before, now), "{now:?}");
            assert!(allowed(Reconfiguration::Any, &before, now), "{now:?}");
        }
        let placed = agent("cpus:4;ports:[1-5]", "rack:r1;slots:[1-3]", Some("r/z"));
        assert!(!allowed(Reconfiguration::Additive, &placed, &before));
    }

    #[test]
    fn what_is_different_is_named() {
        let (before, now) = (agent("cpus:4", "", Some("r/z")), agent("cpus:4", "", None));
        assert_eq!(
            Reconfiguration::Equal.check(&before, &now).unwrap_err(),
            "its fault domain before: 'r/z', now: 'none'"
        );
    }

    #[test]
    fn a_policy_is_read_by_its_name() {
        assert_eq!("additive".parse(), Ok(Reconfiguration::Additive));
        let error = "addictive".parse::<Reconfiguration>().unwrap_err();
        assert!(error.to_string().contains("additive"));
    }
}
