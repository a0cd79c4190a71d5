//! The list of masters that a client may talk to.

use std::{fmt, str::FromStr, sync::Arc};

use tonic::transport::{Channel, Endpoint};

use crate::{Error, limits};

/// One or more addresses, written `HOST:PORT[,HOST:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masters(Arc<[String]>);

impl Masters {
    /// The addresses, in the order given.
    pub fn addresses(&self) -> &[String] {
        &self.0
    }

    /// The address of the `attempt`th attempt: they are tried in turn.
    pub(crate) fn in_turn(&self, attempt: usize) -> &str {
        &self.0[attempt % self.0.len()]
    }
}

impl FromStr for Masters {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let addresses: Vec<String> = text
            .split(',')
            .map(str::trim)
            .filter(|address| !address.is_empty())
            .map(checked)
            .collect::<Result<_, _>>()?;
        if addresses.is_empty() {
            return Err(Error::NoMaster);
        }
        Ok(Self(addresses.into()))
    }
}

impl fmt::Display for Masters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// `HOST:PORT`, also when written with `http://` before it.
fn checked(address: &str) -> Result<String, Error> {
    let plain = address
        .strip_prefix("http://")
        .unwrap_or(address)
        .trim_end_matches('/');
    let port = plain.rsplit_once(':').and_then(|(host, port)| {
        (!host.is_empty() && !host.contains('/')).then(|| port.parse::<u16>().ok())?
    });
    match port {
        Some(port) if port != 0 => Ok(plain.to_owned()),
        _ => Err(Error::Address(address.to_owned())),
    }
}

/// Connects to `HOST:PORT`, with the deadlines and the keep-alive that every client here has.
///
/// # Errors
/// [`Error::Unreachable`] when nobody answers there.
pub async fn dial(address: &str) -> Result<Channel, Error> {
    Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| Error::Address(address.to_owned()))?
        .connect_timeout(limits::CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(limits::KEEP_ALIVE)
        .keep_alive_timeout(limits::KEEP_ALIVE_TIMEOUT)
        .connect()
        .await
        .map_err(|error| Error::Unreachable {
            address: address.to_owned(),
            cause: innermost(&error),
        })
}

/// The text of the last cause in the chain, which is the one that says something.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_masters_is_tried_in_turn() {
        let masters: Masters = "one:5050, http://two:5051/".parse().unwrap();
        assert_eq!(masters.to_string(), "one:5050,two:5051");
        assert_eq!(masters.in_turn(3), "two:5051");
    }

    #[test]
    fn an_address_without_a_port_is_refused_by_name() {
        for wrong in ["one", "one:", ":5050", "one:0", "one:x", "one/two:1"] {
            let error = wrong.parse::<Masters>().unwrap_err();
            assert!(error.to_string().contains(wrong), "{error}");
        }
        assert!(matches!(" , ".parse::<Masters>(), Err(Error::NoMaster)));
    }
}
