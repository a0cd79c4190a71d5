//! Quotas of roles, and what must hold between them (Mesos: QUO-01 to QUO-04).

use std::collections::{BTreeMap, BTreeSet};

use tepui_model::{Quota, Role, Scalars};

/// The quotas that are set, by role. A role that has none is not here.
pub(crate) type Quotas = BTreeMap<Role, Quota>;

/// Why quotas do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Contradiction {
    /// Parts are promised more than the whole.
    #[error(
        "Invalid quota configuration. Parent role '{role}' with guarantees ({guarantees}) does not \
         contain the sum of its children's guarantees ({sum})"
    )]
    Guarantees {
        role: Role,
        guarantees: String,
        sum: String,
    },
    /// More is promised inside a role than it may have.
    #[error(
        "Invalid quota configuration. Role '{role}' with limits ({limits}) does not contain the \
         sum of the guarantees inside it ({sum})"
    )]
    Promises {
        role: Role,
        limits: String,
        sum: String,
    },
    /// A role may have more than the one above it.
    #[error(
        "Invalid quota configuration. Role '{role}' with limits ({limits}) is not contained in its \
         ancestor '{ancestor}' with limits ({above})"
    )]
    Limits {
        role: Role,
        limits: String,
        ancestor: Role,
        above: String,
    },
}

/// Adds one change; the default is as good as none.
pub(crate) fn put(quotas: &mut Quotas, role: Role, quota: Quota) {
    if quota.is_default() {
        quotas.remove(&role);
    } else {
        quotas.insert(role, quota);
    }
}

/// What all quotas promise together: a role's guarantee includes those of the roles below.
///
/// Mesos has quotas of top-level roles only. Here a role may have one at any depth; a role without
/// guarantees of its own promises what the roles below do.
pub(crate) fn promised(quotas: &Quotas) -> Result<Scalars, Contradiction> {
    let mut sums: BTreeMap<Role, Scalars> = BTreeMap::new();
    let mut total = Scalars::new();
    // The deepest first, so that every role comes after all those below it.
    let mut roles: BTreeSet<Role> = BTreeSet::new();
    for role in quotas.keys() {
        let mut next = Some(role.clone());
        while let Some(role) = next {
            next = role.parent();
            roles.insert(role);
        }
    }
    let mut by_depth: Vec<Role> = roles.into_iter().collect();
    by_depth.sort_by_key(|role| core::cmp::Reverse(role.as_str().matches('/').count()));
    for role in by_depth {
        let below = sums.remove(&role).unwrap_or_default();
        let promise = match quotas.get(&role) {
            Some(quota) => promise(&role, quota, below)?,
            None => below,
        };
        let sum = match role.parent() {
            Some(parent) => sums.entry(parent).or_default(),
            None => &mut total,
        };
        sum.add(&promise);
    }
    for (role, quota) in quotas {
        check_limits(quotas, role, quota)?;
    }
    Ok(total)
}

fn promise(role: &Role, quota: &Quota, below: Scalars) -> Result<Scalars, Contradiction> {
    let own = &quota.guarantees;
    if !own.is_empty() && !own.contains(&below) {
        return Err(Contradiction::Guarantees {
            role: role.clone(),
            guarantees: own.to_string(),
            sum: below.to_string(),
        });
    }
    let promise = if own.is_empty() { below } else { own.clone() };
    if !quota.limits.contains(&promise) {
        return Err(Contradiction::Promises {
            role: role.clone(),
            limits: quota.limits.to_string(),
            sum: promise.to_string(),
        });
    }
    Ok(promise)
}

fn check_limits(quotas: &Quotas, role: &Role, quota: &Quota) -> Result<(), Contradiction> {
    let mut ancestor = role.parent();
    while let Some(above) = ancestor {
        if let Some(whole) = quotas.get(&above) {
            let exceeds = |(kind, limit): (&tepui_model::Kind, tepui_model::Quantity)| {
                whole.limits.get(kind).is_some_and(|most| limit > most)
            };
            if quota.limits.iter().any(exceeds) {
                return Err(Contradiction::Limits {
                    role: role.clone(),
                    limits: quota.limits.to_string(),
                    ancestor: above,
                    above: whole.limits.to_string(),
                });
            }
        }
        ancestor = above.parent();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
