//! What plugins answer, read with suspicion.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits::{MAX_ADDRESSES, MAX_RESOLVERS};

/// A network that a container is attached to, as the plugins made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The network's name.
    pub network: String,
    /// The device inside the container.
    pub interface: String,
    /// The container's addresses there.
    pub addresses: Vec<InterfaceAddress>,
}

/// An address of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// The address.
    pub ip: IpAddr,
    /// How many of its bits name the network.
    pub prefix: u8,
    /// Where what leads out of the network goes.
    pub gateway: Option<IpAddr>,
}

/// Who resolves names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolvers {
    /// The addresses of the servers.
    pub(crate) servers: Vec<IpAddr>,
    /// Where names without a dot are looked for.
    pub(crate) search: Vec<String>,
    /// Options of the resolver.
    pub(crate) options: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    interfaces: Vec<Interface>,
    #[serde(default)]
    ips: Vec<Ip>,
    #[serde(default)]
    dns: Dns,
}

#[derive(Deserialize)]
struct Interface {
    #[serde(default)]
    sandbox: String,
}

#[derive(Deserialize)]
struct Ip {
    address: String,
    gateway: Option<IpAddr>,
    interface: Option<usize>,
}

#[derive(Default, Deserialize)]
struct Dns {
    #[serde(default)]
    nameservers: Vec<IpAddr>,
    domain: Option<String>,
    #[serde(default)]
    search: Vec<String>,
    #[serde(default)]
    options: Vec<String>,
}

fn read(result: &Value) -> Result<Answer, String> {
    if !result.is_object() {
        return Err("it is no object".to_owned());
    }
    Answer::deserialize(result).map_err(|error| error.to_string())
}

/// The container's addresses in an answer.
pub(super) fn addresses(result: &Value) -> Result<Vec<InterfaceAddress>, String> {
    let answer = read(result)?;
    if answer.ips.len() > MAX_ADDRESSES {
        let count = answer.ips.len();
        return Err(format!(
            "it has {count} addresses, and not at most {MAX_ADDRESSES}"
        ));
    }
    let mut addresses = Vec::new();
    for ip in &answer.ips {
        // Those of the host's side have no sandbox.
        let inside = match ip.interface {
            None => true,
            Some(index) => {
                let interface = answer.interfaces.get(index);
                let missing = || format!("an address is of interface {index}, which is not there");
                !interface.ok_or_else(missing)?.sandbox.is_empty()
            }
        };
        if inside {
            addresses.push(address(ip)?);
        }
    }
    Ok(addresses)
}

fn address(ip: &Ip) -> Result<InterfaceAddress, String> {
    let wrong = || {
        format!(
            "'{}' is no address with a prefix",
            ip.address.escape_debug()
        )
    };
    let (address, prefix) = ip.address.split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
    if prefix > if address.is_ipv4() { 32 } else { 128 } {
        return Err(wrong());
    }
    Ok(InterfaceAddress {
        ip: address,
        prefix,
        gateway: ip.gateway,
    })
}

/// Who resolves names, as an answer has it. Words that could not stand in one line are left out.
pub(super) fn resolvers(result: &Value) -> Resolvers {
    let Ok(Answer { dns, .. }) = read(result) else {
        return Resolvers::default();
    };
    let words = |words: Vec<String>| {
        let printable = |word: &String| word.chars().all(|letter| letter.is_ascii_graphic());
        words
            .into_iter()
            .filter(|word| !word.is_empty() && printable(word))
            .take(MAX_RESOLVERS)
            .collect::<Vec<_>>()
    };
    let search = if dns.search.is_empty() {
        dns.domain.into_iter().collect()
    } else {
        dns.search
    };
    Resolvers {
        servers: dns.nameservers.into_iter().take(MAX_RESOLVERS).collect(),
        search: words(search),
        options: words(dns.options),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_of_the_container_are_told_from_those_of_the_host() {
        let result = json!({
            "interfaces": [{"name": "br0"}, {"name": "eth0", "sandbox": "/run/net"}],
            "ips": [
                {"address": "10.1.0.1/24", "interface": 0},
                {"version": "4", "address": "10.1.0.2/24", "gateway": "10.1.0.1", "interface": 1},
                {"address": "fd00::2/64"}
            ],
            "dns": {}
        });
        let found = addresses(&result).unwrap();
        let shown = found
            .iter()
            .map(|found| format!("{}/{}", found.ip, found.prefix));
        assert!(shown.eq(["10.1.0.2/24", "fd00::2/64"]));
        assert_eq!(found[0].gateway, Some("10.1.0.1".parse().unwrap()));
        assert!(addresses(&json!({})).unwrap().is_empty());
    }

    #[test]
    fn lies_are_found_out() {
        for (result, problem) in [
            (json!([]), "no object"),
            (json!({"ips": 1}), "sequence"),
            (json!({"ips": [{"address": "10.0.0.1"}]}), "no address"),
            (json!({"ips": [{"address": "10.0.0.1/33"}]}), "no address"),
            (json!({"ips": [{"address": "x/8"}]}), "no address"),
            (
                json!({"ips": [{"address": "10.0.0.1/8", "gateway": "y"}]}),
                "IP address",
            ),
            (
                json!({"ips": [{"address": "10.0.0.1/8", "interface": 7}]}),
                "interface 7",
            ),
            (
                json!({"ips": vec![json!({"address": "10.0.0.1/8"}); 1000]}),
                "1000 addresses",
            ),
        ] {
            let error = addresses(&result).unwrap_err();
            assert!(error.contains(problem), "{result}: {error}");
        }
    }

    #[test]
    fn resolvers_are_what_fits_into_their_file() {
        let result = json!({"dns": {
            "nameservers": ["10.0.0.53", "fd00::53"],
            "domain": "ignored.example",
            "search": ["a.example", "b\nnameserver 6.6.6.6", ""],
            "options": ["ndots:2"]
        }});
        let found = resolvers(&result);
        assert_eq!(found.servers.len(), 2);
        assert_eq!(
            (found.search, found.options),
            (vec!["a.example".to_owned()], vec!["ndots:2".to_owned()])
        );
        let domain = resolvers(&json!({"dns": {"domain": "x.example"}}));
        assert_eq!(domain.search, ["x.example"]);
    }
}
