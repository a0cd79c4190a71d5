//! Tests of the module that this one belongs to.

use clap::{Args as _, CommandFactory, Parser};

use super::*;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    options: Options,
}

fn parse(arguments: &[&str]) -> Options {
    Program::parse_from(std::iter::once(&"agent").chain(arguments)).options
}

#[test]
fn no_flag_means_the_defaults() {
    assert_eq!(parse(&[]), Options::default());
    Options::default().validate().unwrap();
}

#[test]
fn every_flag_is_an_environment_variable_and_has_a_manual() {
    let shown = Options::default().flags();
    for argument in Options::augment_args(Program::command()).get_arguments() {
        let Some(flag) = argument.get_long() else {
            continue;
        };
        if ["help", "version"].contains(&flag) {
            continue;
        }
        let name = format!("TEPUI_{}", flag.replace('-', "_").to_uppercase());
        assert_eq!(argument.get_env().unwrap().to_string_lossy(), name);
        assert!(argument.get_help().is_some(), "{flag}");
        let told = flag.replace('-', "_");
        assert!(shown.iter().any(|shown| shown.name == told), "{flag}");
    }
}

#[test]
fn values_are_read_as_written() {
    let options = parse(&[
        "--master",
        "a:1,b:2",
        "--isolation",
        "none",
        "--gc-delay",
        "2h",
    ]);
    assert_eq!(options.master.to_string(), "a:1,b:2");
    assert_eq!(
        options.containers.isolation,
        tepui_containers::Isolation::NONE
    );
    assert_eq!(options.cleanup.gc_delay, Duration::from_secs(7200));
}

#[test]
fn values_that_make_no_sense_are_refused_by_name() {
    type Spoil = fn(&mut Options);
    let cases: [(&str, Spoil); 16] = [
        ("--container-disk-watch-interval", |o| {
            o.disks.container_disk_watch_interval = Duration::ZERO;
        }),
        ("--network-cni-plugins-dir", |o| {
            o.networks.network_cni_config_dir = Some("/etc/cni".into());
        }),
        ("--network-cni-config-dir", |o| {
            o.networks
                .network_cni_plugins_dir
                .push("/usr/lib/cni".into());
            o.networks.network_cni_config_dir = Some("relative".into());
        }),
        ("--allowed-host-paths", |o| {
            o.rights.allowed_host_paths.push("relative".into());
        }),
        ("--default-role", |o| {
            o.offer.default_role = "a//b".to_owned()
        }),
        ("--oversubscribed-resources 'cpus:-1'", |o| {
            o.offer.oversubscribed_resources = "cpus:-1".to_owned();
        }),
        (
            "--oversubscribed-resources 'cpus(a):1' must name no role",
            |o| {
                o.offer.oversubscribed_resources = "cpus(a):1".to_owned();
            },
        ),
        ("--seccomp-profile-name", |o| {
            o.rights.seccomp_profile_name = Some("p".to_owned());
        }),
        ("--attributes", |o| o.offer.attributes = "rack".to_owned()),
        ("--hostname", |o| o.hostname = Some(" ".to_owned())),
        ("--cgroup-root", |o| {
            o.containers.cgroup_root = Some("a/../..".to_owned())
        }),
        ("--pids-limit", |o| o.containers.pids_limit = 1),
        ("--log-files", |o| o.logs.log_files = 101),
        ("--disk-watch-interval", |o| {
            o.cleanup.disk_watch_interval = Duration::ZERO;
        }),
        ("--gc-disk-headroom", |o| o.cleanup.gc_disk_headroom = 1.5),
        ("--registration-backoff-factor", |o| {
            o.registration_backoff_factor = Duration::ZERO;
        }),
    ];
    for (flag, spoil) in cases {
        let mut options = Options::default();
        spoil(&mut options);
        let text = options.validate().unwrap_err().to_string();
        assert!(text.starts_with(flag), "{text}");
    }
}

#[test]
fn an_agent_is_reached_by_its_name_or_its_address() {
    let at = |text: &str| text.parse().unwrap();
    assert_eq!(Options::default().name(at("10.0.0.1:5051")), "10.0.0.1");
    assert!(
        !Options::default()
            .name(at("0.0.0.0:5051"))
            .contains("0.0.0.0")
    );
    let named = Options {
        hostname: Some("node".to_owned()),
        ..Options::default()
    };
    assert_eq!(named.name(at("0.0.0.0:5051")), "node");
}
