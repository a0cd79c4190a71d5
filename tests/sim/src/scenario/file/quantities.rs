//! Quantities of resources by name, such as those of a quota.

use core::str::FromStr;
use std::collections::BTreeMap;

use tepui_model::Quantity;

/// Quantities such as `cpus:10;mem:4096`. Unlike in resources, zero is one: a limit of nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantities(BTreeMap<String, Quantity>);

impl Quantities {
    pub(in crate::scenario) fn iter(&self) -> impl Iterator<Item = (&str, Quantity)> {
        let quantities = self.0.iter();
        quantities.map(|(name, quantity)| (name.as_str(), *quantity))
    }

    /// Whether there is at least that much of each here, or nothing is said of it.
    pub(super) fn contain(&self, others: &Self) -> bool {
        let mut others = others.iter();
        others.all(|(name, other)| self.0.get(name).is_none_or(|own| other <= *own))
    }
}

impl FromStr for Quantities {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut quantities = BTreeMap::new();
        for part in text.split_terminator(';') {
            let unreadable = || format!("'{part}' is not a quantity such as cpus:10");
            let (name, number) = part.split_once(':').ok_or_else(unreadable)?;
            let quantity: Quantity = number.parse().map_err(|_| unreadable())?;
            let name = name.trim().to_owned();
            if name.is_empty() || quantity.millis() < 0 {
                return Err(unreadable());
            }
            if quantities.insert(name, quantity).is_some() {
                return Err(format!("'{part}' is said twice"));
            }
        }
        Ok(Self(quantities))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_of_zero_is_said_and_one_below_is_refused() {
        let quantities: Quantities = "cpus:0; mem:1.5".parse().unwrap();
        let found: Vec<_> = quantities.iter().collect();
        let half = Quantity::from_millis(1500);
        assert_eq!(found, [("cpus", Quantity::ZERO), ("mem", half)]);
        for wrong in ["cpus", "cpus:x", ":1", "cpus:-1", "cpus:1;cpus:2"] {
            assert!(wrong.parse::<Quantities>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_limited_holds_any_guarantee() {
        let read = |text: &str| text.parse::<Quantities>().unwrap();
        assert!(read("cpus:2").contain(&read("cpus:2;mem:9")));
        assert!(!read("cpus:2").contain(&read("cpus:3")));
    }
}
