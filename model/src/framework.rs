//! Frameworks: who subscribes, for which roles, and what they understand.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use prost::Message as _;

use tepui_proto::v1;

use crate::{
    Capabilities, Capability, FrameworkId, InvalidId, InvalidRole, Role,
    limits::{MAX_FRAMEWORK_BYTES, MAX_FRAMEWORK_ROLES},
};

/// Why a `FrameworkInfo` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFramework {
    /// The id is no id.
    #[error("FrameworkInfo.id: {0}")]
    Id(#[from] InvalidId),
    /// No user (Mesos: FWK-08).
    #[error("FrameworkInfo.user is required: the user that tasks run as")]
    User,
    /// A role is no role.
    #[error("FrameworkInfo.roles: {0}")]
    Role(#[from] InvalidRole),
    /// A role comes twice.
    #[error("FrameworkInfo.roles: '{0}' appears more than once")]
    DuplicateRole(Role),
    /// Too many roles.
    #[error("FrameworkInfo.roles: more than {MAX_FRAMEWORK_ROLES}")]
    TooManyRoles,
    /// A framework of several roles also gives one.
    #[error("FrameworkInfo.role must not be set when the framework is MULTI_ROLE capable")]
    RoleOfMultiRole,
    /// A framework of one role gives several.
    #[error("FrameworkInfo.roles must not be set when the framework is not MULTI_ROLE capable")]
    RolesOfSingleRole,
    /// The timeout is negative, no number, or beyond what fits.
    #[error("FrameworkInfo.failover_timeout must be between 0 and {MAX_FAILOVER_SECONDS} seconds")]
    FailoverTimeout,
    /// More than anybody needs to say about himself: the master keeps it, and shows it to all.
    #[error("FrameworkInfo is longer than {MAX_FRAMEWORK_BYTES} bytes")]
    TooLong,
}

/// The longest failover timeout: what 63 bits of nanoseconds hold, as in Mesos.
const MAX_FAILOVER_SECONDS: f64 = 9_223_372_036.0;

/// A framework as it describes itself.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameworkInfo {
    /// The id, once the master has given one; an empty one on the wire is none.
    pub id: Option<FrameworkId>,
    /// The name, for people.
    pub name: String,
    /// The user that its tasks run as.
    pub user: String,
    /// The roles it wants offers for; none of them twice.
    pub roles: Vec<Role>,
    /// What it understands.
    pub capabilities: Capabilities,
    /// How long it may be away before it is torn down.
    pub failover_timeout: Duration,
    /// Whether its tasks outlive the agent that runs them.
    pub checkpoint: bool,
    /// Who it says it is.
    pub principal: Option<String>,
    /// Where it runs.
    pub hostname: String,
    /// Where its own interface is.
    pub webui_url: Option<String>,
    /// How many of its tasks may be under preemption at a time; no bound when unset.
    pub preemption_budget: Option<u32>,
    /// Whether it may be shown what other such frameworks are shown too.
    pub optimistic_offers: bool,
    /// Everything, as it came.
    pub wire: Arc<v1::FrameworkInfo>,
}

impl FrameworkInfo {
    /// Whether the framework understands that.
    #[must_use]
    pub const fn has(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }

    /// The same with an id, on the wire too.
    #[must_use]
    pub fn with_id(mut self, id: FrameworkId) -> Self {
        Arc::make_mut(&mut self.wire).id = Some((&id).into());
        self.id = Some(id);
        self
    }
}

impl TryFrom<v1::FrameworkInfo> for FrameworkInfo {
    type Error = InvalidFramework;

    fn try_from(wire: v1::FrameworkInfo) -> Result<Self, InvalidFramework> {
        let capabilities = Capabilities::from(wire.capabilities.as_slice());
        let named = wire.id.as_ref().filter(|id| !id.value.is_empty());
        if wire.user.is_empty() {
            return Err(InvalidFramework::User);
        }
        if wire.encoded_len() > MAX_FRAMEWORK_BYTES {
            return Err(InvalidFramework::TooLong);
        }
        Ok(Self {
            id: named.map(FrameworkId::try_from).transpose()?,
            name: wire.name.clone(),
            user: wire.user.clone(),
            roles: roles_of(&wire, capabilities)?,
            capabilities,
            failover_timeout: failover_timeout_of(&wire)?,
            checkpoint: wire.checkpoint(),
            principal: wire.principal.clone(),
            hostname: wire.hostname.clone().unwrap_or_default(),
            webui_url: wire.webui_url.clone(),
            preemption_budget: wire.tepui_preemption_budget,
            optimistic_offers: wire.tepui_optimistic_offers(),
            wire: Arc::new(wire),
        })
    }
}

impl TryFrom<&v1::FrameworkInfo> for FrameworkInfo {
    type Error = InvalidFramework;

    fn try_from(wire: &v1::FrameworkInfo) -> Result<Self, InvalidFramework> {
        Self::try_from(wire.clone())
    }
}

impl From<&FrameworkInfo> for v1::FrameworkInfo {
    fn from(framework: &FrameworkInfo) -> Self {
        (*framework.wire).clone()
    }
}

/// `roles` of a framework with MULTI_ROLE, else `role` (Mesos: ROL-03).
fn roles_of(
    wire: &v1::FrameworkInfo,
    capabilities: Capabilities,
) -> Result<Vec<Role>, InvalidFramework> {
    #[allow(deprecated)] // Frameworks without MULTI_ROLE still use it.
    let role = wire.role.as_deref();
    if !capabilities.has(Capability::MultiRole) {
        if !wire.roles.is_empty() {
            return Err(InvalidFramework::RolesOfSingleRole);
        }
        return Ok(vec![Role::new(role.unwrap_or("*"))?]);
    }
    if role.is_some() {
        return Err(InvalidFramework::RoleOfMultiRole);
    }
    if wire.roles.len() > MAX_FRAMEWORK_ROLES {
        return Err(InvalidFramework::TooManyRoles);
    }
    let mut seen = BTreeSet::new();
    let mut roles = Vec::with_capacity(wire.roles.len());
    for role in &wire.roles {
        let role = Role::new(role)?;
        if !seen.insert(role.clone()) {
            return Err(InvalidFramework::DuplicateRole(role));
        }
        roles.push(role);
    }
    Ok(roles)
}

fn failover_timeout_of(wire: &v1::FrameworkInfo) -> Result<Duration, InvalidFramework> {
    let seconds = wire.failover_timeout();
    if !(0.0..=MAX_FAILOVER_SECONDS).contains(&seconds) {
        return Err(InvalidFramework::FailoverTimeout);
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| InvalidFramework::FailoverTimeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framework_that_says_too_much_is_refused() {
        let named = |bytes| v1::FrameworkInfo {
            name: "x".repeat(bytes),
            ..wire(&[], &[])
        };
        let info = FrameworkInfo::try_from(named(MAX_FRAMEWORK_BYTES / 2));
        assert!(info.is_ok());
        let info = FrameworkInfo::try_from(named(MAX_FRAMEWORK_BYTES));
        assert_eq!(info.unwrap_err(), InvalidFramework::TooLong);
    }

    fn wire(capabilities: &[Capability], roles: &[&str]) -> v1::FrameworkInfo {
        v1::FrameworkInfo {
            user: "nobody".to_owned(),
            name: "test".to_owned(),
            roles: roles.iter().map(ToString::to_string).collect(),
            capabilities: capabilities
                .iter()
                .copied()
                .collect::<Capabilities>()
                .to_proto(),
            ..Default::default()
        }
    }

    #[test]
    fn a_framework_of_one_role_has_the_default_one() {
        let framework = FrameworkInfo::try_from(wire(&[], &[])).unwrap();
        assert_eq!(framework.roles, [Role::default()]);
        assert_eq!(framework.failover_timeout, Duration::ZERO);
        assert_eq!(framework.id, None);
    }

    #[test]
    fn role_and_roles_go_with_their_capability_only() {
        let refusal = |wire| FrameworkInfo::try_from(wire).unwrap_err();
        assert_eq!(
            refusal(wire(&[], &["a"])),
            InvalidFramework::RolesOfSingleRole
        );
        let multi = [Capability::MultiRole];
        #[allow(deprecated)]
        let both = v1::FrameworkInfo {
            role: Some("a".to_owned()),
            ..wire(&multi, &["b"])
        };
        assert_eq!(refusal(both), InvalidFramework::RoleOfMultiRole);
        let twice = Role::new("a").unwrap();
        assert_eq!(
            refusal(wire(&multi, &["a", "b", "a"])),
            InvalidFramework::DuplicateRole(twice)
        );
        assert!(matches!(
            refusal(wire(&multi, &["a//b"])),
            InvalidFramework::Role(_)
        ));
        assert!(
            FrameworkInfo::try_from(wire(&multi, &[]))
                .unwrap()
                .roles
                .is_empty()
        );
    }

    #[test]
    fn more_roles_than_the_limit_are_refused() {
        let names: Vec<String> = (0..=MAX_FRAMEWORK_ROLES)
            .map(|number| number.to_string())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let multi = [Capability::MultiRole];
        let refusal = FrameworkInfo::try_from(wire(&multi, &names)).unwrap_err();
        assert_eq!(refusal, InvalidFramework::TooManyRoles);
        assert!(FrameworkInfo::try_from(wire(&multi, &names[1..])).is_ok());
    }

    #[test]
    fn a_timeout_that_is_no_span_is_refused() {
        for seconds in [-1.0, f64::NAN, f64::INFINITY, 1e10] {
            let wire = v1::FrameworkInfo {
                failover_timeout: Some(seconds),
                ..wire(&[], &[])
            };
            assert_eq!(
                FrameworkInfo::try_from(wire),
                Err(InvalidFramework::FailoverTimeout)
            );
        }
        let week = v1::FrameworkInfo {
            failover_timeout: Some(604_800.0),
            ..wire(&[], &[])
        };
        let framework = FrameworkInfo::try_from(week).unwrap();
        assert_eq!(framework.failover_timeout, Duration::from_secs(604_800));
    }

    #[test]
    fn an_empty_id_is_none_and_a_new_one_goes_on_the_wire() {
        let empty = v1::FrameworkId {
            value: String::new(),
        };
        let framework = FrameworkInfo::try_from(v1::FrameworkInfo {
            id: Some(empty),
            ..wire(&[], &[])
        })
        .unwrap();
        assert_eq!(framework.id, None);
        let id = FrameworkId::new("f-0000").unwrap();
        let framework = framework.with_id(id.clone());
        assert_eq!(framework.id, Some(id.clone()));
        assert_eq!(framework.wire.id, Some((&id).into()));
    }

    #[test]
    fn a_framework_without_a_user_is_refused() {
        let refusal = FrameworkInfo::try_from(v1::FrameworkInfo::default()).unwrap_err();
        assert_eq!(refusal, InvalidFramework::User);
    }
}
