//! The files by which a container knows itself and others: `/etc/hosts`, `/etc/hostname` and
//! `/etc/resolv.conf`.

use std::{fs, net::IpAddr};

use super::{Attached, NetworkError, result::Resolvers};
use crate::records::Folder;

/// The names of the files in the container's folder, and in its `/etc`.
pub(crate) const FILES: [&str; 3] = ["resolv.conf", "hosts", "hostname"];

/// Where systemd's resolver keeps the servers that it asks itself.
const UPSTREAM: &str = "/run/systemd/resolve/resolv.conf";

/// Writes the files, in place: a container that has them sees what is new.
pub(crate) fn write_files(
    folder: &Folder,
    hostname: Option<&str>,
    attached: &[Attached],
    resolvers: &Resolvers,
) -> Result<(), NetworkError> {
    let host = nix::unistd::gethostname().ok();
    let host = host.and_then(|name| name.into_string().ok());
    let name = hostname.map(str::to_owned).or(host);
    let name = name.unwrap_or_else(|| "localhost".to_owned());
    let addresses = attached.iter().flat_map(|network| &network.addresses);
    let addresses: Vec<IpAddr> = addresses.map(|address| address.ip).collect();
    let texts = [
        resolv_conf(resolvers),
        hosts(&name, &addresses),
        format!("{name}\n"),
    ];
    for (file, text) in FILES.into_iter().zip(texts) {
        let path = folder.path().join(file);
        fs::write(&path, text).map_err(|source| NetworkError::Record { path, source })?;
    }
    Ok(())
}

fn hosts(name: &str, addresses: &[IpAddr]) -> String {
    let mut text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
    if addresses.is_empty() {
        text += &format!("127.0.1.1\t{name}\n");
    }
    for address in addresses {
        text += &format!("{address}\t{name}\n");
    }
    text
}

/// As the network has it, or else as the host does.
fn resolv_conf(resolvers: &Resolvers) -> String {
    if resolvers.servers.is_empty() {
        return hosts_own();
    }
    let mut text = String::new();
    for server in &resolvers.servers {
        text += &format!("nameserver {server}\n");
    }
    for (keyword, words) in [
        ("search", &resolvers.search),
        ("options", &resolvers.options),
    ] {
        if !words.is_empty() {
            text += &format!("{keyword} {}\n", words.join(" "));
        }
    }
    text
}

/// The host's. A server on its loopback is nobody in a container's network: then those that this
/// one asks.
fn hosts_own() -> String {
    let own = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = own
        .lines()
        .filter_map(|line| line.strip_prefix("nameserver"));
    let mut local = servers.map(|server| server.trim().starts_with("127."));
    let only_local = local.clone().count() > 0 && local.all(|is| is);
    match fs::read_to_string(UPSTREAM) {
        Ok(upstream) if only_local => upstream,
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_knows_its_own_name_by_its_addresses() {
        let alone = hosts("web", &[]);
        assert!(alone.ends_with("127.0.1.1\tweb\n"), "{alone}");
        let addresses = ["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()];
        let attached = hosts("web", &addresses);
        assert!(
            attached.ends_with("\n10.0.0.2\tweb\nfd00::2\tweb\n"),
            "{attached}"
        );
        assert!(attached.starts_with("127.0.0.1\tlocalhost\n"));
    }

    #[test]
    fn names_are_resolved_as_the_network_says() {
        let resolvers = Resolvers {
            servers: vec!["10.0.0.53".parse().unwrap()],
            search: vec!["a".to_owned(), "b".to_owned()],
            options: Vec::new(),
        };
        assert_eq!(
            resolv_conf(&resolvers),
            "nameserver 10.0.0.53\nsearch a b\n"
        );
    }
}
