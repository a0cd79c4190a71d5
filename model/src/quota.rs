//! Quota: what a role is guaranteed, and what it may not exceed (Mesos: QUO-01, QUO-02).

use std::{collections::BTreeMap, fmt};

use tepui_proto::v1::{quota::QuotaConfig, value};

use crate::{
    InvalidRole, Kind, Quantity, ResourceError, Role, Scalars,
    limits::{MAX_ITEMS, MAX_QUOTA_MEGABYTES, MAX_QUOTA_UNITS},
    resources::check_name,
};

/// The most of each kind; a kind that is absent is not limited, and zero is a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limits(BTreeMap<Kind, Quantity>);

impl Limits {
    /// No limit.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The limit of that kind, if there is one.
    #[must_use]
    pub fn get(&self, kind: &Kind) -> Option<Quantity> {
        self.0.get(kind).copied()
    }

    /// Sets the limit of that kind.
    pub fn set(&mut self, kind: Kind, limit: Quantity) {
        self.0.insert(kind, limit);
    }

    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The limits, in the order of their kinds.
    pub fn iter(&self) -> impl Iterator<Item = (&Kind, Quantity)> + '_ {
        self.0.iter().map(|(kind, limit)| (kind, *limit))
    }

    /// Whether no quantity exceeds its limit.
    #[must_use]
    pub fn contains(&self, quantities: &Scalars) -> bool {
        self.iter()
            .all(|(kind, limit)| quantities.get(kind) <= limit)
    }
}

impl FromIterator<(Kind, Quantity)> for Limits {
    fn from_iter<I: IntoIterator<Item = (Kind, Quantity)>>(limits: I) -> Self {
        Self(limits.into_iter().collect())
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, limit)) in self.iter().enumerate() {
            let semicolon = if index == 0 { "" } else { ";" };
            write!(formatter, "{semicolon}{kind}:{limit}")?;
        }
        Ok(())
    }
}

/// What a role is guaranteed, and what it may not exceed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Quota {
    /// What is kept free for the role.
    pub guarantees: Scalars,
    /// What the role may not exceed.
    pub limits: Limits,
}

/// Why a `QuotaConfig` is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuota {
    /// The role is no role.
    #[error("Invalid 'QuotaConfig.role': {0}")]
    Role(#[from] InvalidRole),
    /// A quantity has no name, or no good one, or there are too many.
    #[error("Invalid 'QuotaConfig.{field}': {cause}")]
    Name {
        /// `guarantees` or `limits`.
        field: &'static str,
        /// Why.
        cause: ResourceError,
    },
    /// A quantity is more than there can be.
    #[error("Invalid 'QuotaConfig.{field}': {{'{name}': {value}}} is invalid: {rule}")]
    TooLarge {
        /// `guarantees` or `limits`.
        field: &'static str,
        /// The name of the resource.
        name: String,
        /// The quantity as it came.
        value: String,
        /// The most, in words.
        rule: &'static str,
    },
    /// A quantity is negative, or no number.
    #[error("Invalid {what} configuration {{'{name}': {value}}}: {rule}")]
    Value {
        /// `guarantee` or `limit`.
        what: &'static str,
        /// The name of the resource.
        name: String,
        /// The quantity as it came.
        value: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// More is guaranteed than allowed.
    #[error(
        "'QuotaConfig.guarantees' {{{guarantees}}} is not contained within the \
         'QuotaConfig.limits' {{{limits}}}"
    )]
    NotContained {
        /// What is guaranteed.
        guarantees: Scalars,
        /// What is allowed.
        limits: Limits,
    },
}

impl Quota {
    /// Whether this is the quota of a role for which none is set.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.guarantees.is_empty() && self.limits.is_empty()
    }

    /// Checks the quota of a role from the wire.
    pub fn from_proto(wire: &QuotaConfig) -> Result<(Role, Self), InvalidQuota> {
        let role = Role::new(&wire.role)?;
        let guarantees = quantities(&wire.guarantees, "guarantees", "guarantee")?;
        let limits = quantities(&wire.limits, "limits", "limit")?;
        let quota = Self {
            guarantees: guarantees.into_iter().collect(),
            limits: limits.into_iter().collect(),
        };
        if !quota.limits.contains(&quota.guarantees) {
            return Err(InvalidQuota::NotContained {
                guarantees: quota.guarantees,
                limits: quota.limits,
            });
        }
        Ok((role, quota))
    }

    /// The quota for the wire.
    #[must_use]
    pub fn to_proto(&self, role: &Role) -> QuotaConfig {
        let scalar = |quantity: Quantity| value::Scalar {
            value: quantity.as_f64(),
        };
        let guarantees = self.guarantees.named();
        let limits = self.limits.iter();
        QuotaConfig {
            role: role.to_string(),
            guarantees: guarantees
                .map(|(name, quantity)| (name.to_owned(), scalar(quantity)))
                .collect(),
            limits: limits
                .map(|(kind, limit)| (kind.to_string(), scalar(limit)))
                .collect(),
        }
    }
}

fn quantities(
    wire: &BTreeMap<String, value::Scalar>,
    field: &'static str,
    what: &'static str,
) -> Result<Vec<(Kind, Quantity)>, InvalidQuota> {
    if wire.len() > MAX_ITEMS {
        let cause = ResourceError::TooMany {
            what: "quantities",
            most: MAX_ITEMS,
        };
        return Err(InvalidQuota::Name { field, cause });
    }
    let entry = |(name, scalar): (&String, &value::Scalar)| {
        check_name(name).map_err(|cause| InvalidQuota::Name { field, cause })?;
        let kind = Kind::new(name);
        let quantity = quantity(&kind, scalar.value, field, what)?;
        Ok((kind, quantity))
    };
    wire.iter().map(entry).collect()
}

fn quantity(
    kind: &Kind,
    amount: f64,
    field: &'static str,
    what: &'static str,
) -> Result<Quantity, InvalidQuota> {
    let (name, value) = (kind.to_string(), amount.to_string());
    let invalid = |rule| {
        Err(InvalidQuota::Value {
            what,
            name: name.clone(),
            value: value.clone(),
            rule,
        })
    };
    let (most, rule) = match kind {
        Kind::Memory | Kind::Disk => (
            MAX_QUOTA_MEGABYTES,
            "values greater than 1 exabyte (1099511627776) are not supported",
        ),
        _ => (
            MAX_QUOTA_UNITS,
            "values greater than 1 trillion (1000000000000) are not supported",
        ),
    };
    if amount > most as f64 {
        return Err(InvalidQuota::TooLarge {
            field,
            name,
            value,
            rule,
        });
    }
    if !amount.is_finite() {
        return invalid("the value must be a finite number");
    }
    if amount < 0.0 {
        return invalid("the value must not be negative");
    }
    // At most a trillion units: far from what 63 bits of thousandths hold.
    Ok(Quantity::from_millis((amount * 1000.0).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(guarantees: &[(&str, f64)], limits: &[(&str, f64)]) -> QuotaConfig {
        let map = |pairs: &[(&str, f64)]| {
            let entry = |&(name, value): &(&str, f64)| (name.to_owned(), value::Scalar { value });
            pairs.iter().map(entry).collect()
        };
        QuotaConfig {
            role: "eng/web".to_owned(),
            guarantees: map(guarantees),
            limits: map(limits),
        }
    }

    fn refusal(wire: &QuotaConfig) -> String {
        Quota::from_proto(wire).unwrap_err().to_string()
    }

    #[test]
    fn a_quota_goes_over_the_wire_and_zero_is_a_limit() {
        let wire = wire(&[("cpus", 1.5)], &[("cpus", 4.0), ("gpus", 0.0)]);
        let (role, quota) = Quota::from_proto(&wire).unwrap();
        assert_eq!(role.as_str(), "eng/web");
        assert_eq!(quota.guarantees.to_string(), "cpus:1.5");
        assert_eq!(quota.limits.to_string(), "cpus:4;gpus:0");
        assert_eq!(quota.limits.get(&Kind::Memory), None);
        assert_eq!(quota.to_proto(&role), wire);
        assert!(!quota.is_default());
        assert!(Quota::default().is_default());
    }

    #[test]
    fn more_guaranteed_than_allowed_is_refused() {
        assert_eq!(
            refusal(&wire(&[("cpus", 5.0)], &[("cpus", 4.0)])),
            "'QuotaConfig.guarantees' {cpus:5} is not contained within the 'QuotaConfig.limits' \
             {cpus:4}"
        );
        let unlimited = wire(&[("cpus", 5.0)], &[("mem", 4.0)]);
        assert!(Quota::from_proto(&unlimited).is_ok());
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for value in [-1.0, f64::NAN, f64::NEG_INFINITY] {
            let text = refusal(&wire(&[("cpus", value)], &[]));
            assert!(
                text.starts_with("Invalid guarantee configuration {'cpus': "),
                "{text}"
            );
        }
        let text = refusal(&wire(&[], &[("cpus", -1.0)]));
        assert!(
            text.starts_with("Invalid limit configuration {'cpus': -1}"),
            "{text}"
        );
        assert_eq!(
            refusal(&wire(&[], &[("mem", 2e12)])),
            "Invalid 'QuotaConfig.limits': {'mem': 2000000000000} is invalid: values greater than \
             1 exabyte (1099511627776) are not supported"
        );
        assert!(refusal(&wire(&[], &[("cpus", f64::INFINITY)])).contains("1 trillion"));
        assert!(Quota::from_proto(&wire(&[], &[("cpus", 1e12)])).is_ok());
        assert!(refusal(&wire(&[("", 1.0)], &[])).ends_with("Empty resource name"));
    }

    #[test]
    fn a_role_that_is_none_is_refused() {
        let wire = QuotaConfig {
            role: "a//b".to_owned(),
            ..QuotaConfig::default()
        };
        assert!(refusal(&wire).starts_with("Invalid 'QuotaConfig.role': "));
    }
}
