//! Where images may be fetched from: not from where a registry leads that means harm.
//!
//! A registry answers with redirections, and with addresses of servers that hand out tokens. An
//! agent that followed them anywhere could be made to ask this machine's own services, or that
//! which tells the cloud's secrets to every machine.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    pin::Pin,
    task::{Context, Poll},
};

use hyper::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::Error;

/// What may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This machine's own services too, since the registry is one of them.
    Near,
    /// Other machines.
    Far,
}

/// Why nothing is fetched from an address.
fn forbidden(address: IpAddr, reach: Reach) -> Option<&'static str> {
    /// Where clouds tell their machines' secrets over IPv6.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let mapped = |address: Ipv6Addr| address.to_ipv4_mapped().map(IpAddr::V4);
    if let IpAddr::V6(six) = address
        && let Some(four) = mapped(six)
    {
        return forbidden(four, reach);
    }
    let link_local = match address {
        IpAddr::V4(four) => four.is_link_local(),
        IpAddr::V6(six) => six.is_unicast_link_local() || six == METADATA,
    };
    if link_local {
        return Some("the address is of this link only, where clouds keep their secrets");
    }
    let nobody = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    if address.is_unspecified() || address.is_multicast() || nobody {
        return Some("the address is nobody's own");
    }
    if address.is_loopback() && reach == Reach::Far {
        return Some("the address is this machine's own");
    }
    None
}

/// Checks an address before it is asked.
pub(super) fn check(from: &str, uri: &Uri, reach: Reach, plain: bool) -> Result<(), Error> {
    let forbid = |problem| {
        Err(Error::Forbidden {
            from: from.to_owned(),
            to: uri.to_string().chars().take(200).collect(),
            problem,
        })
    };
    let host = match (uri.scheme_str(), uri.authority()) {
        (Some("https"), Some(authority)) if !authority.as_str().contains('@') => authority.host(),
        (Some("http"), Some(authority)) if plain && !authority.as_str().contains('@') => {
            authority.host()
        }
        (Some("http"), _) => return forbid("it is not encrypted"),
        _ => return forbid("it is neither https nor http"),
    };
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse();
    match literal.ok().and_then(|address| forbidden(address, reach)) {
        Some(problem) => forbid(problem),
        None => Ok(()),
    }
}

/// Looks names up, and gives only addresses that may be reached: a name may lead anywhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolver(pub(super) Reach);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.0;
        Box::pin(async move {
            let lookup = move || (name.as_str(), 0).to_socket_addrs();
            let found = tokio::task::spawn_blocking(lookup).await;
            let found: Vec<_> = found.map_err(io::Error::other)??.collect();
            let mut problem = "it has no address";
            let allowed = found.into_iter().filter(|address| {
                let forbidden = forbidden(address.ip(), reach);
                problem = forbidden.unwrap_or(problem);
                forbidden.is_none()
            });
            let allowed: Vec<_> = allowed.collect();
            if allowed.is_empty() {
                return Err(io::Error::other(problem));
            }
            Ok(allowed.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(uri: &str, reach: Reach, plain: bool) -> bool {
        // What is no address at all is not even asked.
        let uri = uri.parse::<Uri>();
        uri.is_ok_and(|uri| check("registry", &uri, reach, plain).is_ok())
    }

    #[test]
    fn l17_a_registry_leads_to_no_file_and_to_no_secret() {
        for uri in [
            "file:///etc/passwd",
            "ftp://a/b",
            "http://a/b",
            "https://169.254.169.254/latest",
            "https://[fe80::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://127.0.0.1/x",
            "https://[::1]:5051/",
            "https://0.0.0.0/",
            "https://user@a/",
            "https://[fd00:ec2::254]/",
            "https://255.255.255.255/",
            "https://[::ffff:127.0.0.1]/",
        ] {
            assert!(!reached(uri, Reach::Far, false), "{uri}");
        }
        assert!(reached("https://cdn.example.com/x", Reach::Far, false));
        assert!(
            reached("https://10.0.0.1/x", Reach::Far, false),
            "private networks have registries"
        );
    }

    #[test]
    fn l17_a_registry_on_this_machine_leads_to_this_machine_but_to_no_secret() {
        assert!(reached("http://127.0.0.1:5000/x", Reach::Near, true));
        assert!(!reached("http://169.254.169.254/x", Reach::Near, true));
        assert!(
            !reached("http://127.0.0.1:5000/x", Reach::Near, false),
            "https does not become http"
        );
    }

    #[tokio::test]
    async fn l17_a_name_leads_to_no_address_that_is_forbidden() {
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(Resolver(Reach::Near).call(name()).await.is_ok());
        assert!(Resolver(Reach::Far).call(name()).await.is_err());
    }
}
