//! What a framework wants to be different about its offers: constraints and minimums.

use std::{collections::BTreeMap, sync::Arc};

use tepui_allocator::{Constraints, Minimum, RegexLimits};
use tepui_model::{FrameworkInfo, Role};
use tepui_proto::v1::scheduler::OfferConstraints;

/// What a framework wants to be different about its offers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// Its constraints as it stated them (Mesos: OFF-14).
    pub(crate) stated: Option<Arc<OfferConstraints>>,
    /// The same by role, to judge agents by.
    pub(crate) constraints: BTreeMap<Role, Arc<Constraints>>,
    /// What an offer in a role must hold at least, if not what all offers must (Mesos: OFF-16).
    pub(crate) minimums: BTreeMap<Role, Minimum>,
}

impl Terms {
    /// Checks what a framework states, and says what is wrong in Mesos' words.
    pub(crate) fn new(
        info: &FrameworkInfo,
        stated: Option<Arc<OfferConstraints>>,
        limits: &RegexLimits,
    ) -> Result<Self, String> {
        let constraints = match stated.as_deref() {
            Some(stated) => constraints(&info.roles, stated, limits)?,
            None => BTreeMap::new(),
        };
        Ok(Self {
            stated: stated.filter(|stated| !stated.role_constraints.is_empty()),
            constraints,
            minimums: minimums(info)?,
        })
    }

    /// What a framework stated before it went away. It is offered nothing until it states it
    /// again, so what is not allowed any longer is only shown.
    pub(crate) fn recovered(
        info: &FrameworkInfo,
        stated: Option<Arc<OfferConstraints>>,
        limits: &RegexLimits,
    ) -> Self {
        Self::new(info, stated.clone(), limits).unwrap_or_else(|_| Self {
            stated,
            ..Self::default()
        })
    }
}

/// A role that the framework does not have is an error, as in Mesos and not as in its manual.
fn constraints(
    roles: &[Role],
    stated: &OfferConstraints,
    limits: &RegexLimits,
) -> Result<BTreeMap<Role, Arc<Constraints>>, String> {
    let stated = stated.role_constraints.iter();
    let parsed = stated.map(|(name, wire)| {
        let Some(role) = roles.iter().find(|role| role.as_str() == name) else {
            return Err(format!(
                "Offer constraints specify `role_constraints` for a role '{name}' not contained \
                 in the set of roles"
            ));
        };
        match Constraints::parse(role, wire, limits) {
            Ok(constraints) => Ok((role.clone(), Arc::new(constraints))),
            Err(error) => Err(format!("Offer constraints are not valid: {error}")),
        }
    });
    parsed.collect()
}

/// Filters of roles that the framework does not have mean nothing, as in Mesos.
fn minimums(info: &FrameworkInfo) -> Result<BTreeMap<Role, Minimum>, String> {
    let mut minimums = BTreeMap::new();
    for (name, filters) in &info.wire.offer_filters {
        let Some(wire) = &filters.min_allocatable_resources else {
            continue;
        };
        let minimum = Minimum::try_from(wire)
            .map_err(|error| format!("FrameworkInfo.offer_filters of role '{name}': {error}"))?;
        if let Some(role) = info.roles.iter().find(|role| role.as_str() == name) {
            minimums.insert(role.clone(), minimum);
        }
    }
    Ok(minimums)
}

#[cfg(test)]
mod tests;
