//! Where masters are: a list of `HOST:PORT`.

use std::{fmt, str::FromStr};

use tepui_agent_core::LinkId;

use crate::limits;

/// Where masters are. The agent belongs to the one that takes it, and tries them in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masters(Vec<String>);

/// Why a text is no list of masters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMasters {
    /// It names none.
    #[error("name at least one master, as in 10.0.0.1:5050")]
    Empty,
    /// It names too many.
    #[error("at most {} masters can be named", limits::MASTERS)]
    TooMany,
    /// One of them is no address.
    #[error("'{0}' is no master: write HOST:PORT, as in 10.0.0.1:5050")]
    Address(String),
}

impl Masters {
    /// The addresses, as `HOST:PORT`.
    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.0
    }

    /// The address that a link is to: links are numbered from one and take the masters in turn.
    pub(crate) fn of(&self, link: LinkId) -> &str {
        let count = self.0.len().max(1) as u64;
        let at = (link.0.saturating_sub(1) % count) as usize;
        self.0.get(at).map_or("", String::as_str)
    }
}

impl FromStr for Masters {
    type Err = InvalidMasters;

    fn from_str(list: &str) -> Result<Self, InvalidMasters> {
        let addresses: Result<Vec<_>, _> = list
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(address)
            .collect();
        let addresses = addresses?;
        match addresses.len() {
            0 => Err(InvalidMasters::Empty),
            count if count > limits::MASTERS => Err(InvalidMasters::TooMany),
            _ => Ok(Self(addresses)),
        }
    }
}

fn address(item: &str) -> Result<String, InvalidMasters> {
    let invalid = || InvalidMasters::Address(item.to_owned());
    let address = item
        .strip_prefix("http://")
        .unwrap_or(item)
        .trim_end_matches('/');
    let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain = !host.contains(|c: char| c.is_whitespace() || "/:[]@?#".contains(c));
    if host.is_empty() || !(bracketed || plain) || port.parse::<u16>().is_err() {
        return Err(invalid());
    }
    Ok(address.to_owned())
}

impl fmt::Display for Masters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_addresses_is_read() {
        let masters: Masters = "10.0.0.1:5050, http://b:1/,[::1]:5050".parse().unwrap();
        assert_eq!(masters.addresses(), ["10.0.0.1:5050", "b:1", "[::1]:5050"]);
        assert_eq!(masters.to_string().parse(), Ok(masters));
    }

    #[test]
    fn links_take_the_masters_in_turn() {
        let masters: Masters = "a:1,b:2".parse().unwrap();
        let addresses = [1, 2, 3].map(|link| masters.of(LinkId(link)));
        assert_eq!(addresses, ["a:1", "b:2", "a:1"]);
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in [
            "localhost",
            ":5050",
            "a:b",
            "a:70000",
            "a:1:2",
            "zk://a:1/x",
            "a b:1",
        ] {
            let error = text.parse::<Masters>().unwrap_err();
            assert!(error.to_string().contains("HOST:PORT"), "{text}: {error}");
        }
        assert_eq!(",".parse::<Masters>(), Err(InvalidMasters::Empty));
        let many = ["a:1"; limits::MASTERS + 1].join(",");
        assert_eq!(many.parse::<Masters>(), Err(InvalidMasters::TooMany));
    }
}
