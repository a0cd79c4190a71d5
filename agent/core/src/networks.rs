//! What frameworks are told of the networks of a task's container (Mesos: NetworkInfo).

use core::net::IpAddr;

use tepui_proto::v1::{
    CgroupInfo, ContainerInfo, NetworkInfo,
    cgroup_info::NetCls,
    network_info::{IpAddress, Protocol},
};

use crate::{JoinedNetwork, Phase, task::Task};

/// The networks of a task's container with its addresses there. On the host's network, its address
/// is the agent's.
pub(crate) fn infos(task: &Task, host: Option<&str>) -> Vec<NetworkInfo> {
    let runs = task.phase == Phase::Running;
    let container = task.info.wire.container.as_ref();
    of_container(container, (&task.networks, runs), host)
}

/// The same of any container, by what was asked for, what it is attached to, and whether it runs.
pub(crate) fn of_container(
    container: Option<&ContainerInfo>,
    (attached, runs): (&[JoinedNetwork], bool),
    host: Option<&str>,
) -> Vec<NetworkInfo> {
    let asked_for = container.map_or(&[][..], |container| &container.network_infos);
    let named = asked_for.iter().filter(|info| info.name.is_some());
    if !attached.is_empty() {
        let attached = attached.iter();
        return attached.map(|one| joined(one, asked_for)).collect();
    }
    let mut own = named.filter(|info| info.name() != "host");
    if runs && own.next().is_some() {
        // It is alone.
        return Vec::new();
    }
    let named = |ip: &str| IpAddress {
        protocol: None,
        ip_address: Some(ip.to_owned()),
    };
    let addresses = host.map(|ip| ip.parse().map_or_else(|_| named(ip), |ip| address(&ip)));
    vec![NetworkInfo {
        ip_addresses: addresses.into_iter().collect(),
        ..NetworkInfo::default()
    }]
}

/// One network as it was asked for, with what became of it.
fn joined(network: &JoinedNetwork, asked_for: &[NetworkInfo]) -> NetworkInfo {
    let asked = asked_for.iter().find(|info| info.name() == network.name);
    NetworkInfo {
        name: Some(network.name.clone()),
        ip_addresses: network.addresses.iter().map(address).collect(),
        ..asked.cloned().unwrap_or_default()
    }
}

/// The handle on a container's packets, as Mesos tells it.
pub(crate) const fn class(handle: u32) -> CgroupInfo {
    CgroupInfo {
        net_cls: Some(NetCls {
            classid: Some(handle),
        }),
    }
}

fn address(ip: &IpAddr) -> IpAddress {
    let protocol = if ip.is_ipv4() {
        Protocol::IPv4
    } else {
        Protocol::IPv6
    };
    IpAddress {
        protocol: Some(protocol.into()),
        ip_address: Some(ip.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tepui_model::TaskInfo;
    use tepui_proto::v1;

    use super::*;
    use crate::agent::tests::wire_task;

    fn task(infos: &[&str], networks: Vec<JoinedNetwork>) -> Task {
        let mut wire = wire_task("t");
        let info = |name: &&str| NetworkInfo {
            name: Some((*name).to_owned()),
            groups: vec!["g".to_owned()],
            ..NetworkInfo::default()
        };
        wire.container = Some(v1::ContainerInfo {
            network_infos: infos.iter().map(info).collect(),
            ..v1::ContainerInfo::default()
        });
        let mut task = Task::new(TaskInfo::try_from(wire).unwrap(), None);
        (task.networks, task.phase) = (networks, Phase::Running);
        task
    }

    #[test]
    fn a_task_on_a_network_is_told_with_its_own_addresses() {
        let joined = JoinedNetwork {
            name: "web".to_owned(),
            addresses: vec!["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()],
        };
        let told = infos(&task(&["web"], vec![joined]), Some("192.0.2.1"));
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].name(), told[0].groups.len()), ("web", 1));
        let addresses = told[0].ip_addresses.iter();
        let shown = addresses.map(|one| (one.protocol(), one.ip_address()));
        let expected = [(Protocol::IPv4, "10.0.0.2"), (Protocol::IPv6, "fd00::2")];
        assert!(shown.eq(expected));
    }

    #[test]
    fn a_task_on_the_host_s_network_has_the_agent_s_address_and_one_alone_has_none() {
        for names in [&[][..], &["host"]] {
            let told = infos(&task(names, Vec::new()), Some("192.0.2.1"));
            let told = &told[0].ip_addresses[0];
            assert_eq!(
                (told.protocol(), told.ip_address()),
                (Protocol::IPv4, "192.0.2.1")
            );
        }
        assert!(infos(&task(&["none"], Vec::new()), Some("192.0.2.1")).is_empty());
    }
}
