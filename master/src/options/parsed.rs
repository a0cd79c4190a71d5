//! Options that are more than a number or a name.

use std::{fmt, str::FromStr};

use tepui_allocator::{Placement, Sorter};
use tepui_model::{Quantity, Role};

/// Where the registry is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// In RocksDB, in the work dir.
    #[default]
    RocksDb,
}

impl FromStr for StoreKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "rocksdb" => Ok(Self::RocksDb),
            _ => Err(format!(
                "'{text}' is no store that this version knows; it knows 'rocksdb'"
            )),
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rocksdb")
    }
}

/// In which order competitors are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SorterKind(pub Sorter);

impl FromStr for SorterKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "drf" => Ok(Self(Sorter::Drf)),
            "random" => Ok(Self(Sorter::Random)),
            _ => Err(format!("'{text}' is no sorter: write 'drf' or 'random'")),
        }
    }
}

impl fmt::Display for SorterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Sorter::Drf => "drf",
            Sorter::Random => "random",
        })
    }
}

/// Which agents are offered first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlacementKind(pub Placement);

impl FromStr for PlacementKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "spread" => Ok(Self(Placement::Spread)),
            "binpack" => Ok(Self(Placement::BinPack)),
            _ => Err(format!(
                "'{text}' is no placement: write 'spread' or 'binpack'"
            )),
        }
    }
}

impl fmt::Display for PlacementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Placement::Spread => "spread",
            Placement::BinPack => "binpack",
        })
    }
}

/// Weights of roles, in the order they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(pub Vec<(Role, Quantity)>);

impl FromStr for Weights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut weights: Vec<(Role, Quantity)> = Vec::new();
        for item in text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
        {
            let (role, weight) = item
                .split_once('=')
                .ok_or_else(|| format!("'{item}' is no weight: write ROLE=WEIGHT"))?;
            let role = Role::new(role.trim()).map_err(|error| error.to_string())?;
            let weight: f64 = weight
                .trim()
                .parse()
                .map_err(|_| format!("'{weight}' is not a number"))?;
            let weight = Quantity::from_f64(weight).map_err(|error| error.to_string())?;
            if weight <= Quantity::ZERO {
                return Err(format!("the weight of '{role}' must be at least 0.001"));
            }
            if weights.iter().any(|(known, _)| *known == role) {
                return Err(format!("the role '{role}' has two weights"));
            }
            weights.push((role, weight));
        }
        Ok(Self(weights))
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (role, weight)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{role}={weight}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_read_and_print() {
        let weights: Weights = "prod=2, dev/x=0.5,".parse().unwrap();
        assert_eq!(weights.to_string(), "prod=2,dev/x=0.5");
        assert_eq!("".parse(), Ok(Weights::default()));
    }

    #[test]
    fn weights_that_make_no_sense_are_refused() {
        for text in [
            "prod", "prod=x", "prod=0", "prod=-1", "prod=NaN", "a b=1", "a=1,a=2",
        ] {
            assert!(text.parse::<Weights>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_store_is_refused() {
        assert!(
            "etcd://127.0.0.1:2379"
                .parse::<StoreKind>()
                .unwrap_err()
                .contains("'rocksdb'")
        );
    }
}
