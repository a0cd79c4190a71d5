//! The networks that a task asks for (Mesos: NetworkInfo, DockerInfo.network).

use std::collections::BTreeSet;

use tepui_model::{ContainerId, Resources, TaskInfo};
use tepui_proto::v1::{
    ContainerInfo, NetworkInfo,
    container_info::{Type, docker_info::Network},
};

use super::Unplannable;
use crate::limits;

/// The name for the host's network. It need not be configured.
const HOST: &str = "host";

/// The name for a network with nobody else in it. It need not be configured.
const NONE: &str = "none";

/// The name that Docker's default network goes by.
const BRIDGE: &str = "bridge";

/// The network that a container has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NetworkPlan {
    /// The host's.
    #[default]
    Host,
    /// One of its own, in which there is nothing but itself.
    Alone,
    /// One of its own, attached to networks that the operator has configured.
    Attached(Vec<NetworkAttachment>),
    /// That of another container, which ends later.
    Of(ContainerId),
}

/// A network that a container is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkAttachment {
    /// The network's name.
    pub network: String,
    /// Ports of the host that lead to the container.
    pub ports: Vec<PortMapping>,
}

/// A port of the host that leads to one of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortMapping {
    /// The port of the host, which the task holds.
    pub host_port: u16,
    /// The port of the container.
    pub container_port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// A protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// The network that a task's container is to have.
pub(super) fn network(task: &TaskInfo) -> Result<NetworkPlan, Unplannable> {
    of(task.wire.container.as_ref(), &task.resources)
}

/// The network of a container that was described so, for who holds these resources.
pub(super) fn of(
    container: Option<&ContainerInfo>,
    held: &Resources,
) -> Result<NetworkPlan, Unplannable> {
    match container {
        Some(container) => asked_for(container, held),
        None => Ok(NetworkPlan::Host),
    }
}

fn asked_for(container: &ContainerInfo, held: &Resources) -> Result<NetworkPlan, Unplannable> {
    let docker = container.docker.as_ref();
    let docker = docker.filter(|_| container.r#type() == Type::Docker);
    let Some(docker) = docker else {
        let named = container
            .network_infos
            .iter()
            .filter(|info| info.name.is_some());
        return plan(named.map(of_info).collect::<Result<_, _>>()?, held);
    };
    let ports = docker.port_mappings.iter().map(|mapping| {
        mapping_of(
            mapping.host_port,
            mapping.container_port,
            mapping.protocol.as_deref(),
        )
    });
    let ports = ports.collect::<Result<_, _>>()?;
    let first = container.network_infos.first();
    let network = match docker.network() {
        Network::Host => HOST.to_owned(),
        Network::None => NONE.to_owned(),
        Network::Bridge => BRIDGE.to_owned(),
        Network::User => first
            .and_then(|info| info.name.clone())
            .ok_or_else(|| invalid("A network of type USER has no name in 'network_infos'"))?,
    };
    plan(vec![NetworkAttachment { network, ports }], held)
}

fn invalid(message: impl Into<String>) -> Unplannable {
    Unplannable::Invalid(message.into())
}

fn of_info(info: &NetworkInfo) -> Result<NetworkAttachment, Unplannable> {
    let ports = info.port_mappings.iter().map(|mapping| {
        mapping_of(
            mapping.host_port,
            mapping.container_port,
            mapping.protocol.as_deref(),
        )
    });
    Ok(NetworkAttachment {
        network: info.name.clone().unwrap_or_default(),
        ports: ports.collect::<Result<_, _>>()?,
    })
}

fn mapping_of(
    host: u32,
    container: u32,
    protocol: Option<&str>,
) -> Result<PortMapping, Unplannable> {
    let port = |port: u32| {
        let number = u16::try_from(port).ok().filter(|number| *number > 0);
        number.ok_or_else(|| invalid(format!("{port} is no port")))
    };
    let protocol = match protocol.map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "tcp") => Protocol::Tcp,
        Some("udp") => Protocol::Udp,
        Some("sctp") => Protocol::Sctp,
        Some(other) => {
            let other = other.escape_debug();
            return Err(invalid(format!(
                "'{other}' is no protocol: tcp, udp and sctp are"
            )));
        }
    };
    Ok(PortMapping {
        host_port: port(host)?,
        container_port: port(container)?,
        protocol,
    })
}

/// What the networks that were named come to.
fn plan(named: Vec<NetworkAttachment>, held: &Resources) -> Result<NetworkPlan, Unplannable> {
    if named.len() > limits::MAX_NETWORKS {
        let (count, most) = (named.len(), limits::MAX_NETWORKS);
        return Err(invalid(format!(
            "The task asks for {count} networks, at most {most} are given"
        )));
    }
    check_ports(&named, held)?;
    let special = |one: &&NetworkAttachment| matches!(one.network.as_str(), HOST | NONE);
    match named.iter().find(special) {
        Some(special) if named.len() > 1 => Err(invalid(format!(
            "The network '{}' excludes every other",
            special.network
        ))),
        Some(special) if !special.ports.is_empty() => Err(invalid(format!(
            "The network '{}' maps no ports",
            special.network
        ))),
        Some(special) if special.network == HOST => Ok(NetworkPlan::Host),
        Some(_) => Ok(NetworkPlan::Alone),
        None if named.is_empty() => Ok(NetworkPlan::Host),
        None => {
            let names: BTreeSet<&str> = named.iter().map(|one| one.network.as_str()).collect();
            if names.len() < named.len() {
                return Err(invalid("The task names one network twice"));
            }
            Ok(NetworkPlan::Attached(named))
        }
    }
}

/// A port of the host leads to one place, and is the task's to give.
fn check_ports(named: &[NetworkAttachment], held: &Resources) -> Result<(), Unplannable> {
    let held = held.ports();
    let mut seen = BTreeSet::new();
    for mapping in named.iter().flat_map(|one| &one.ports) {
        let port = mapping.host_port;
        if !held.iter().any(|held| held == u64::from(port)) {
            return Err(invalid(format!(
                "Port {port} of the host is mapped, but is not among the task's 'ports'"
            )));
        }
        if !seen.insert((port, mapping.protocol)) {
            return Err(invalid(format!("Port {port} of the host is mapped twice")));
        }
    }
    if seen.len() > limits::MAX_PORT_MAPPINGS {
        let (count, most) = (seen.len(), limits::MAX_PORT_MAPPINGS);
        return Err(invalid(format!(
            "{count} ports are mapped, at most {most} may be"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tepui_proto::v1;

    use super::{super::tests::plan_of, *};
    use crate::agent::tests::wire_task;

    fn info(name: &str, ports: &[(u32, u32)]) -> NetworkInfo {
        let mapping = |(host_port, container_port): &(u32, u32)| v1::network_info::PortMapping {
            host_port: *host_port,
            container_port: *container_port,
            protocol: None,
        };
        NetworkInfo {
            name: Some(name.to_owned()),
            port_mappings: ports.iter().map(mapping).collect(),
            ..NetworkInfo::default()
        }
    }

    fn task_on(network_infos: Vec<NetworkInfo>) -> v1::TaskInfo {
        let mut wire = wire_task("t");
        wire.resources.push(v1::Resource {
            name: "ports".to_owned(),
            r#type: v1::value::Type::Ranges.into(),
            ranges: Some(v1::value::Ranges {
                range: vec![v1::value::Range {
                    begin: 31000,
                    end: 31005,
                }],
            }),
            ..wire.resources[0].clone()
        });
        wire.resources.last_mut().unwrap().scalar = None;
        wire.container = Some(ContainerInfo {
            r#type: Type::Mesos.into(),
            network_infos,
            ..ContainerInfo::default()
        });
        wire
    }

    fn network_of(infos: Vec<NetworkInfo>) -> Result<NetworkPlan, String> {
        let plan = plan_of(task_on(infos)).map_err(|error| error.to_string())?;
        Ok(plan.network)
    }

    #[test]
    fn a_task_has_the_host_s_network_unless_it_names_another() {
        assert_eq!(plan_of(wire_task("t")).unwrap().network, NetworkPlan::Host);
        assert_eq!(network_of(vec![]), Ok(NetworkPlan::Host));
        assert_eq!(
            network_of(vec![NetworkInfo::default()]),
            Ok(NetworkPlan::Host)
        );
        assert_eq!(network_of(vec![info("host", &[])]), Ok(NetworkPlan::Host));
        assert_eq!(network_of(vec![info("none", &[])]), Ok(NetworkPlan::Alone));
        let both = network_of(vec![info("web", &[(31000, 80)]), info("db", &[])]).unwrap();
        let NetworkPlan::Attached(both) = both else {
            panic!("{both:?}")
        };
        assert_eq!(both[0].ports[0].container_port, 80);
        assert_eq!(
            (both[0].network.as_str(), both[1].network.as_str()),
            ("web", "db")
        );
    }

    #[test]
    fn networks_that_cannot_be_had_are_refused_with_the_reason() {
        for (infos, problem) in [
            (vec![info("web", &[(80, 80)])], "Port 80 of the host"),
            (vec![info("web", &[(31000, 0)])], "0 is no port"),
            (vec![info("web", &[(131_000, 80)])], "131000 is no port"),
            (
                vec![info("web", &[(31000, 80), (31000, 81)])],
                "mapped twice",
            ),
            (vec![info("host", &[(31000, 80)])], "maps no ports"),
            (
                vec![info("web", &[]), info("none", &[])],
                "excludes every other",
            ),
            (vec![info("web", &[]), info("web", &[])], "twice"),
            (vec![info("web", &[]); 99], "99 networks"),
        ] {
            let error = network_of(infos).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
        let mut odd = info("web", &[(31000, 80)]);
        odd.port_mappings[0].protocol = Some("icmp".to_owned());
        assert!(
            network_of(vec![odd])
                .unwrap_err()
                .contains("'icmp' is no protocol")
        );
    }

    #[test]
    fn docker_s_words_for_networks_mean_the_same() {
        use v1::container_info::{DockerInfo, docker_info};
        let of = |network: Network, name: Option<&str>, ports: Vec<(u32, u32)>| {
            let infos = name.map(|name| info(name, &[])).into_iter().collect();
            let mut wire = task_on(infos);
            let mapping = |(host_port, container_port)| docker_info::PortMapping {
                host_port,
                container_port,
                protocol: Some("udp".to_owned()),
            };
            let container = wire.container.as_mut().unwrap();
            container.r#type = Type::Docker.into();
            container.docker = Some(DockerInfo {
                network: Some(network.into()),
                port_mappings: ports.into_iter().map(mapping).collect(),
                ..DockerInfo::default()
            });
            let task = TaskInfo::try_from(wire).unwrap();
            super::network(&task).map_err(|error| error.to_string())
        };
        assert_eq!(of(Network::Host, None, vec![]), Ok(NetworkPlan::Host));
        assert_eq!(of(Network::None, None, vec![]), Ok(NetworkPlan::Alone));
        assert!(of(Network::Host, None, vec![(31000, 80)]).is_err());
        assert!(of(Network::User, None, vec![]).is_err());
        for (network, name, expected) in [
            (Network::Bridge, None, "bridge"),
            (Network::User, Some("web"), "web"),
        ] {
            let NetworkPlan::Attached(found) = of(network, name, vec![(31000, 53)]).unwrap() else {
                panic!("{network:?}")
            };
            assert_eq!(found[0].network, expected);
            assert_eq!(found[0].ports[0].protocol, Protocol::Udp);
        }
    }
}
