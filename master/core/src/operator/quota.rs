//! UPDATE_QUOTA, GET_QUOTA, and the deprecated SET_QUOTA and REMOVE_QUOTA (Mesos: QUO-01 to
//! QUO-04).

use std::collections::BTreeSet;

use tepui_model::{Quota, Role, Scalars};
use tepui_proto::v1::{
    self,
    quota::{QuotaConfig, QuotaInfo, QuotaRequest, QuotaStatus},
    value,
};

use super::{OperatorError, OperatorReply};
use crate::{
    Master,
    effects::Effects,
    limits::MAX_QUOTAS_PER_CALL,
    notices::OfferEnd,
    quota,
    record::{Change, Record, RecordKind},
};

type Result<T> = core::result::Result<T, OperatorError>;

fn invalid(problem: impl ToString) -> OperatorError {
    OperatorError::Invalid(format!("Invalid QuotaConfig: {}", problem.to_string()))
}

fn invalid_request(problem: impl ToString) -> OperatorError {
    let problem = problem.to_string();
    OperatorError::Invalid(format!("Failed to validate set quota request: {problem}"))
}

impl Master {
    /// Sets the quotas of several roles, all or none.
    pub(super) fn update_quota(
        &mut self,
        configs: &[QuotaConfig],
        force: bool,
        effects: &mut Effects,
    ) -> Result<OperatorReply> {
        if configs.len() > MAX_QUOTAS_PER_CALL {
            return Err(invalid(format!("more than {MAX_QUOTAS_PER_CALL} quotas")));
        }
        let mut seen = BTreeSet::new();
        let mut changes = Vec::new();
        for config in configs {
            let (role, quota) = Quota::from_proto(config).map_err(invalid)?;
            if !self.config.has_role(&role) {
                return Err(invalid(format!("'{role}' is not on the roles whitelist")));
            }
            if !seen.insert(role.clone()) {
                return Err(invalid(format!("Role '{role}' appears more than once")));
            }
            changes.push((role, quota));
        }
        let overcommitted = self.check_quotas(&changes).map_err(invalid)?;
        if let Some(problem) = overcommitted.filter(|_| !force) {
            return Err(invalid(format!(
                "total quota {problem} (use 'force' flag to bypass this check)"
            )));
        }
        for (role, quota) in changes.iter().filter(|_| !force) {
            self.check_consumption(role, quota)?;
        }
        self.set_quotas(changes, effects);
        Ok(OperatorReply::Done)
    }

    /// Sets the quota of a role that has none; what is guaranteed is the limit too.
    pub(super) fn set_quota(
        &mut self,
        request: &QuotaRequest,
        effects: &mut Effects,
    ) -> Result<OperatorReply> {
        let config = legacy(request)?;
        let (role, quota) = Quota::from_proto(&config).map_err(invalid_request)?;
        if !self.config.has_role(&role) {
            return Err(invalid_request(format!("Unknown role '{role}'")));
        }
        if self.quotas.contains_key(&role) {
            return Err(invalid_request(format!(
                "Cannot set quota for role '{role}' which already has quota"
            )));
        }
        let changes = vec![(role, quota)];
        let overcommitted = self.check_quotas(&changes).map_err(invalid_request)?;
        if let Some(problem) = overcommitted.filter(|_| !request.force()) {
            return Err(OperatorError::Conflict(format!(
                "Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total \
                 quota {problem}"
            )));
        }
        self.set_quotas(changes, effects);
        Ok(OperatorReply::Done)
    }

    /// Takes the quota of a role away.
    pub(super) fn remove_quota(
        &mut self,
        name: &str,
        effects: &mut Effects,
    ) -> Result<OperatorReply> {
        let role = Role::new(name).ok();
        let role = role.filter(|role| self.quotas.contains_key(role));
        let unknown = || {
            OperatorError::Invalid(format!(
                "Failed to remove quota for role '{name}': Role '{name}' has no quota set"
            ))
        };
        let changes = vec![(role.ok_or_else(unknown)?, Quota::default())];
        self.check_quotas(&changes).map_err(invalid)?;
        self.set_quotas(changes, effects);
        Ok(OperatorReply::Done)
    }

    /// Whether the quotas go together after these changes; and, if they promise more than the
    /// cluster has, that they do. A change that promises nothing new need not mend that.
    fn check_quotas(
        &self,
        changes: &[(Role, Quota)],
    ) -> core::result::Result<Option<String>, quota::Contradiction> {
        let mut quotas = self.quotas.clone();
        for (role, quota) in changes {
            quota::put(&mut quotas, role.clone(), quota.clone());
        }
        let total = quota::promised(&quotas)?;
        let capacity = self.allocator.capacity();
        if capacity.contains(&total) {
            return Ok(None);
        }
        Ok(Some(format!(
            "guarantees '{total}' exceed cluster capacity '{capacity}'"
        )))
    }

    /// A limit must not be below what the role has already (Mesos: QUO-02).
    fn check_consumption(&self, role: &Role, quota: &Quota) -> Result<()> {
        let consumed = self.consumed(role);
        if quota.limits.contains(&consumed) {
            return Ok(());
        }
        Err(invalid(format!(
            "Role '{role}' is already consuming '{consumed}'; this is more than the requested \
             limits '{}' (use 'force' flag to bypass this check)",
            quota.limits,
        )))
    }

    /// What a role has, the roles below it included: what is reserved to them and what else their
    /// tasks hold. Offers can be taken back, and do not count (Mesos: QUO-03).
    fn consumed(&self, role: &Role) -> Scalars {
        let mut consumed = self.allocator.consumption(role);
        for (_, held) in self.offers.iter().filter(|(_, held)| held.holds()) {
            let offer = &held.offer;
            if offer.role == *role || offer.role.is_below(role) {
                let counted = offer.resources.unreserved();
                let counted = counted.filter(|traits| !traits.revocable);
                consumed = consumed.saturating_sub(&counted.scalars());
            }
        }
        consumed
    }

    fn set_quotas(&mut self, changes: Vec<(Role, Quota)>, effects: &mut Effects) {
        let mut promises_more = false;
        for (role, quota) in changes {
            let old = self.quotas.get(&role).cloned().unwrap_or_default();
            promises_more |= !old.guarantees.contains(&quota.guarantees);
            quota::put(&mut self.quotas, role.clone(), quota.clone());
            self.allocator.set_quota(&role, quota.clone());
            effects.persist(if quota.is_default() {
                Change::Delete(RecordKind::Quota, role.to_string())
            } else {
                Change::Put(Record::Quota {
                    role: role.clone(),
                    quota,
                })
            });
            self.rescind_beyond(&role, effects);
        }
        if promises_more {
            // What is promised may be on offer to others.
            for key in self.frameworks.keys() {
                self.rescind_offers_of_framework(key, |_| true, effects);
            }
        }
    }

    /// Takes offers back until a role is within its limits (Mesos: OFF-12).
    fn rescind_beyond(&mut self, role: &Role, effects: &mut Effects) {
        let Some(quota) = self.quotas.get(role).cloned() else {
            return;
        };
        let inside = self.offers.iter().filter(|(_, held)| {
            let offered = &held.offer.role;
            offered == role || offered.is_below(role)
        });
        // What a view shows is not counted, and so could be more than the role may have.
        let (held, views): (Vec<_>, Vec<_>) = inside
            .map(|(number, held)| (number, held.holds()))
            .partition(|(_, holds)| *holds);
        for (view, _) in views {
            self.rescind_offer(view, OfferEnd::Rescinded, effects);
        }
        for (number, _) in held.into_iter().rev() {
            if quota.limits.contains(&self.allocator.consumption(role)) {
                return;
            }
            self.rescind_offer(number, OfferEnd::Rescinded, effects);
        }
    }

    /// GET_QUOTA.
    pub(super) fn quota_status(&self) -> QuotaStatus {
        let configs = self.quotas.iter();
        let infos = self.quotas.iter().map(|(role, quota)| QuotaInfo {
            role: Some(role.to_string()),
            principal: None,
            guarantee: quota.guarantees.iter().map(scalar).collect(),
        });
        #[expect(deprecated, reason = "Mesos' clients read the old form")]
        QuotaStatus {
            infos: infos.collect(),
            configs: configs.map(|(role, quota)| quota.to_proto(role)).collect(),
        }
    }
}

fn scalar((kind, quantity): (tepui_model::Kind, tepui_model::Quantity)) -> v1::Resource {
    v1::Resource {
        name: kind.to_string(),
        r#type: value::Type::Scalar.into(),
        scalar: Some(value::Scalar {
            value: quantity.as_f64(),
        }),
        ..v1::Resource::default()
    }
}

/// The quota that an old request means.
fn legacy(request: &QuotaRequest) -> Result<QuotaConfig> {
    let role = request.role.clone();
    let role = role.ok_or_else(|| invalid_request("QuotaInfo must specify a role"))?;
    if request.guarantee.is_empty() {
        return Err(invalid_request("QuotaInfo with empty 'guarantee'"));
    }
    let mut config = QuotaConfig {
        role,
        ..QuotaConfig::default()
    };
    for resource in &request.guarantee {
        let scalar = plain_scalar(resource)?;
        let name = resource.name.clone();
        if config.guarantees.insert(name.clone(), scalar).is_some() {
            return Err(invalid_request(format!(
                "QuotaInfo contains duplicate resource name '{name}'"
            )));
        }
        config.limits.insert(name, scalar);
    }
    Ok(config)
}

fn plain_scalar(resource: &v1::Resource) -> Result<value::Scalar> {
    if !resource.reservations.is_empty() {
        return Err(invalid_request(
            "QuotaInfo must not contain any ReservationInfo",
        ));
    }
    if resource.disk.is_some() {
        return Err(invalid_request("QuotaInfo must not contain DiskInfo"));
    }
    if resource.revocable.is_some() {
        return Err(invalid_request("QuotaInfo must not contain RevocableInfo"));
    }
    let scalar = resource
        .scalar
        .filter(|_| resource.r#type() == value::Type::Scalar);
    scalar.ok_or_else(|| invalid_request("QuotaInfo must not include non-scalar resources"))
}

#[cfg(test)]
mod tests;
