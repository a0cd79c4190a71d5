//! Networks of their own: with nobody, with the standard plugins, with plugins that are broken.
//!
//! Every test is a machine of its own as far as networks go: its thread, and with it the runtime,
//! is in a network namespace that is there for nothing else. The host's network stays as it is.

mod broken;
mod plugins;

use std::{
    fs,
    io::Read as _,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use nix::sched::{CloneFlags, unshare};
use tepui_containers::{
    Attachment, Isolator, LaunchError, NetworkSpec, Networks, PortMapping, Protocol,
    RecoveredState, Spec, Users,
};

use crate::machine::{AGENT, Machine, exited, id, soon};

/// Where Debian's `containernetworking-plugins` has them.
const STANDARD_PLUGINS: &str = "/usr/lib/cni";

/// A machine whose network is its own, and the folder of its networks.
fn machine() -> Option<Machine> {
    machine_with(|_| {})
}

fn machine_with(change: impl FnOnce(&mut Networks)) -> Option<Machine> {
    if nix::unistd::geteuid().is_root() {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        up_loopback();
    }
    let mut networks = Networks::default();
    change(&mut networks);
    let machine = Machine::with(|options| {
        let folder = options.runtime_dir.with_file_name("networks");
        fs::create_dir(&folder).unwrap();
        networks.config_dir = Some(folder.clone());
        networks.plugin_dirs = vec![folder, STANDARD_PLUGINS.into()];
        options.networks = networks;
    })?;
    Some(machine)
}

fn up_loopback() {
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    assert!(up.unwrap().success());
}

/// Whether the standard plugins are here; if not, says so.
fn has_standard_plugins() -> bool {
    let there = ["bridge", "host-local", "portmap"]
        .iter()
        .all(|name| Path::new(STANDARD_PLUGINS).join(name).exists());
    if !there {
        eprintln!("not run: no CNI plugins in {STANDARD_PLUGINS} (containernetworking-plugins)");
    }
    there
}

fn folder(machine: &Machine) -> std::path::PathBuf {
    machine.options.networks.config_dir.clone().unwrap()
}

/// Configures a bridge with its own addresses, of which the machine has the first.
fn configure_bridge(machine: &Machine, name: &str, subnet: &str, more: &str) {
    let folder = folder(machine);
    let data = folder.join("addresses");
    let text = format!(
        r#"{{"cniVersion": "1.0.0", "name": "{name}", "plugins": [
            {{"type": "bridge", "bridge": "{name}", "isGateway": true, "hairpinMode": true,
              "ipam": {{"type": "host-local", "dataDir": "{}", "ranges": [[{{"subnet": "{subnet}"}}]],
                       "routes": [{{"dst": "0.0.0.0/0"}}]}}{more}}},
            {{"type": "portmap", "capabilities": {{"portMappings": true}}, "snat": true}}]}}"#,
        data.display()
    );
    fs::write(folder.join(format!("{name}.conflist")), text).unwrap();
}

fn attached(spec: &mut Spec, networks: &[&str]) {
    let attachment = |name: &&str| Attachment {
        network: (*name).to_owned(),
        ports: Vec::new(),
    };
    spec.network = NetworkSpec::Attached(networks.iter().map(attachment).collect());
}

/// Nothing of any container is left: no record, no namespace, no device.
fn assert_nothing_left(machine: &Machine) {
    let records = machine.options.runtime_dir.join("containers");
    let left: Vec<_> = fs::read_dir(&records).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(records.to_str().unwrap()), "{mounts}");
    assert!(machine.groups().is_empty());
    let devices = devices();
    assert!(!devices.contains("veth"), "{devices}");
}

/// The devices of this test's network.
fn devices() -> String {
    let output = Command::new("ip").args(["-o", "link"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The addresses that are taken from a bridge's range.
fn addresses_taken(machine: &Machine, network: &str) -> usize {
    let kept = folder(machine).join("addresses").join(network);
    let names = fs::read_dir(kept).unwrap().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.parse::<IpAddr>().is_ok()).count()
}

/// What a server says that listens soon.
fn hear(address: SocketAddr) -> String {
    let mut text = String::new();
    soon("it listens", || {
        text.clear();
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1));
        stream.is_ok_and(|mut stream| stream.read_to_string(&mut text).is_ok() && !text.is_empty())
    });
    text
}

/// A shell line that says a word to everybody who connects.
fn say(word: &str, port: u16) -> String {
    format!(
        "exec perl -MSocket -e '$| = 1; socket(S, PF_INET, SOCK_STREAM, 0); \
         setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1); \
         bind(S, sockaddr_in({port}, INADDR_ANY)) or die; listen(S, 9); \
         while (accept(C, S)) {{ print C \"{word}\"; close C }}'"
    )
}

#[tokio::test]
async fn c23_a_container_that_is_alone_reaches_nobody_not_even_the_host_s_loopback() {
    let Some(machine) = machine() else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let reach = format!(
        "perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); \
         connect(S, sockaddr_in({port}, INADDR_LOOPBACK)) or die \"$!\\n\"'"
    );
    let host = machine.run_shell(&reach).await;
    assert_eq!(
        host.exit,
        exited(0),
        "the host's network is the default: {host:?}"
    );
    let line = format!(
        "ls /sys/class/net; hostname; cat /etc/hosts; ip -o addr show lo | grep -c 127.0.0.1; \
         {reach}"
    );
    let mut spec = machine.shell("alone", &line);
    spec.network = NetworkSpec::Alone;
    let outcome = machine.run(spec).await;
    assert_eq!(outcome.err, "Connection refused\n");
    assert!(outcome.out.starts_with("lo\nalone\n"), "{}", outcome.out);
    assert!(
        outcome.out.contains("127.0.1.1\talone\n"),
        "{}",
        outcome.out
    );
    assert!(outcome.out.ends_with("\n1\n"), "{}", outcome.out);
    assert_nothing_left(&machine);
}

#[tokio::test]
async fn a_container_on_a_bridge_has_an_address_and_is_reached_through_a_port_mapping() {
    let Some(machine) = machine() else { return };
    if !has_standard_plugins() {
        return;
    }
    configure_bridge(&machine, "web", "10.77.1.0/24", "");
    let mut spec = machine.shell("served", &say("hello", 80));
    spec.network = NetworkSpec::Attached(vec![Attachment {
        network: "web".to_owned(),
        ports: vec![PortMapping {
            host_port: 31080,
            container_port: 80,
            protocol: Protocol::Tcp,
        }],
    }]);
    machine.runtime.launch(spec.clone()).await.unwrap();
    let attached = machine.runtime.attached(&spec.id);
    assert_eq!(attached.len(), 1);
    let (network, address) = (&attached[0], &attached[0].addresses[0]);
    assert_eq!(
        (network.network.as_str(), network.interface.as_str()),
        ("web", "eth0")
    );
    assert_eq!(
        (address.prefix, address.gateway),
        (24, Some([10, 77, 1, 1].into()))
    );
    assert_eq!(hear((address.ip, 80).into()), "hello");
    let gateway = Ipv4Addr::new(10, 77, 1, 1);
    assert_eq!(
        hear((gateway, 31080).into()),
        "hello",
        "through the port of the host"
    );
    assert_eq!(addresses_taken(&machine, "web"), 1);
    let machine = machine.restart();
    machine.runtime.recover().await;
    assert_eq!(
        machine.runtime.attached(&spec.id),
        attached,
        "a later agent knows"
    );
    let network = machine.runtime.network(&spec.id).unwrap();
    assert!(tepui_sys::is_network(&network));
    machine.runtime.kill(&spec.id).await.unwrap();
    machine.runtime.remove(&spec.id).await.unwrap();
    assert_eq!(
        addresses_taken(&machine, "web"),
        0,
        "the address is free again"
    );
    let closed = TcpStream::connect_timeout(&(gateway, 31080).into(), Duration::from_secs(1));
    assert!(closed.is_err(), "the port leads nowhere now");
    assert_nothing_left(&machine);
}

#[tokio::test]
async fn the_plugins_find_out_that_somebody_took_the_address_away() {
    let Some(machine) = machine() else { return };
    if !has_standard_plugins() {
        return;
    }
    configure_bridge(&machine, "web", "10.77.4.0/24", "");
    let mut spec = machine.shell("checked", "sleep 60");
    attached(&mut spec, &["web"]);
    machine.runtime.launch(spec.clone()).await.unwrap();
    machine.runtime.check_networks(&spec.id).await.unwrap();
    let network = machine.runtime.network(&spec.id).unwrap();
    let flushed = tepui_sys::in_network(&network, || {
        Command::new("ip")
            .args(["addr", "flush", "dev", "eth0"])
            .status()
    });
    assert!(flushed.unwrap().success());
    let error = machine.runtime.check_networks(&spec.id).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("failed to find the container attached"),
        "{error}"
    );
    machine.runtime.kill(&spec.id).await.unwrap();
    machine.runtime.remove(&spec.id).await.unwrap();
    assert_nothing_left(&machine);
}

#[tokio::test]
async fn a_container_on_two_networks_knows_itself_by_both_addresses() {
    let Some(machine) = machine() else { return };
    if !has_standard_plugins() {
        return;
    }
    configure_bridge(
        &machine,
        "front",
        "10.77.2.0/24",
        r#", "dns": {"nameservers": []}"#,
    );
    configure_bridge(&machine, "back", "10.77.3.0/24", "");
    let line = "cat /etc/hosts /etc/hostname; ls /sys/class/net | sort; echo mine >> /etc/hosts";
    let mut spec = machine.shell("both", line);
    spec.hostname = Some("web-1".to_owned());
    attached(&mut spec, &["front", "back"]);
    let hosts = fs::read_to_string("/etc/hosts").unwrap();
    let outcome = machine.run(spec).await;
    assert_eq!((outcome.exit, outcome.err.as_str()), (exited(0), ""));
    for line in [
        "10.77.2.2\tweb-1",
        "10.77.3.2\tweb-1",
        "web-1\neth0\neth1\nlo\n",
    ] {
        assert!(outcome.out.contains(line), "{line}: {}", outcome.out);
    }
    assert_eq!(
        fs::read_to_string("/etc/hosts").unwrap(),
        hosts,
        "the host's is the host's"
    );
    assert_nothing_left(&machine);
}

#[tokio::test]
async fn containers_that_share_a_network_talk_over_localhost() {
    let Some(machine) = machine() else { return };
    let mut first = machine.shell("first", &say("pod", 8080));
    first.network = NetworkSpec::Alone;
    machine.runtime.launch(first.clone()).await.unwrap();
    let listen = "until perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); \
                  connect(S, sockaddr_in(8080, INADDR_LOOPBACK)) or exit 1; print <S>'; \
                  do sleep 0.02; done; cat /etc/hostname";
    let mut second = machine.shell("second", listen);
    second.network = NetworkSpec::Of(first.id.clone());
    let network = machine.runtime.network(&first.id);
    let outcome = machine.run(second).await;
    assert_eq!(
        (outcome.exit, outcome.out.as_str()),
        (exited(0), "podfirst\n")
    );
    assert_eq!(
        machine.runtime.network(&first.id),
        network,
        "it is still there"
    );
    machine.runtime.kill(&first.id).await.unwrap();
    machine.runtime.remove(&first.id).await.unwrap();
    let mut late = machine.shell("late", ":");
    late.network = NetworkSpec::Of(first.id.clone());
    let error = machine.runtime.launch(late).await.unwrap_err();
    assert!(error.to_string().contains("not there"), "{error}");
    assert_nothing_left(&machine);
}

#[tokio::test]
async fn a_network_of_its_own_needs_the_isolator_and_one_that_is_there() {
    let Some(machine) = Machine::with(|options| {
        options.isolation = options.isolation.without(Isolator::Network);
    }) else {
        return;
    };
    let mut spec = machine.shell("lacking", ":");
    spec.network = NetworkSpec::Alone;
    let error = machine.runtime.launch(spec).await.unwrap_err();
    assert!(
        error.to_string().contains("network/cni in --isolation"),
        "{error}"
    );
    let Some(machine) = self::machine() else {
        return;
    };
    let mut spec = machine.shell("unknown", ":");
    attached(&mut spec, &["web"]);
    let error = machine.runtime.launch(spec).await.unwrap_err();
    assert!(
        error.to_string().contains("there is no network 'web'"),
        "{error}"
    );
    assert!(matches!(error, LaunchError::Network(_)));
    assert_nothing_left(&machine);
}

#[tokio::test]
async fn root_of_its_own_users_has_power_over_its_own_network_and_is_reached_there() {
    let Some(machine) = machine() else { return };
    if !has_standard_plugins() {
        return;
    }
    configure_bridge(&machine, "users", "10.77.9.0/24", "");
    // A port below 1024 takes power over the network.
    let mut spec = machine.shell("mapped", &say("hello", 80));
    machine.open_way(&spec);
    spec.users = Users::Own;
    attached(&mut spec, &["users"]);
    machine.runtime.launch(spec.clone()).await.unwrap();
    let attached = machine.runtime.attached(&spec.id);
    let address = SocketAddr::new(attached[0].addresses[0].ip, 80);
    assert_eq!(hear(address), "hello");
    machine.runtime.check_networks(&spec.id).await.unwrap();
    machine.runtime.kill(&spec.id).await.unwrap();
    machine.runtime.remove(&spec.id).await.unwrap();
    assert_nothing_left(&machine);
}
