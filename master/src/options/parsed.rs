//! Options that are more than a number or a name.

use std::{collections::BTreeSet, fmt, str::FromStr};

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

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub usize);

/// The units of sizes, the largest first.
const UNITS: [(&str, usize); 4] = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1)];

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid =
            || format!("'{text}' is no size: write a number and a unit, as in 512B or 4KB");
        let of_unit = |(name, size): (&str, usize)| Some((text.strip_suffix(name)?, size));
        let (number, size) = UNITS.into_iter().find_map(of_unit).ok_or_else(invalid)?;
        let number: usize = number.trim().parse().map_err(|_| invalid())?;
        number.checked_mul(size).map(Self).ok_or_else(invalid)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, size): &(&str, usize)| self.0 >= *size && self.0.is_multiple_of(*size);
        let (name, size) = UNITS.into_iter().find(fits).unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / size)
    }
}

/// The roles that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(pub BTreeSet<Role>);

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim);
        let roles = names
            .filter(|name| !name.is_empty())
            .map(|name| Role::new(name).map_err(|error| error.to_string()))
            .collect::<Result<BTreeSet<_>, _>>()?;
        if roles.is_empty() {
            return Err("it names no role; leave the flag out to allow any".to_owned());
        }
        Ok(Self(roles))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(Role::as_str).collect();
        f.write_str(&names.join(","))
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
    fn roles_read_and_print() {
        let roles: Roles = "prod, dev/web,*,prod,".parse().unwrap();
        assert_eq!(roles.to_string(), "*,dev/web,prod");
        for wrong in ["", ",", "a b", "/a", "a,-b"] {
            assert!(wrong.parse::<Roles>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_read_and_print() {
        for (text, bytes) in [("4KB", 4096), ("512B", 512), ("2 MB", 2 << 20), ("0B", 0)] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for size in [0, 1, 1000, 4096, 3 << 30] {
            assert_eq!(ByteSize(size).to_string().parse(), Ok(ByteSize(size)));
        }
        for wrong in [
            "",
            "4",
            "KB",
            "-1KB",
            "1.5KB",
            "99999999999999999999B",
            "4kb",
        ] {
            assert!(
                wrong.parse::<ByteSize>().unwrap_err().contains("4KB"),
                "{wrong}"
            );
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
