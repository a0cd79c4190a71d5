//! Which agents a framework is offered: its constraints, the whitelist and fault domains, over the
//! real binaries.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic anywhere"
)]

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use tepui_cluster_tests::{Cluster, PATIENCE, eventually};
use tepui_sdk::{
    Constraint, Driver, Event, Events, Options, Profile, connect,
    model::{Filters, Role},
};
use tokio::runtime::Runtime;

/// A cluster of the agents `localhost` and `127.0.0.1`.
fn cluster(flags: &[&str]) -> Cluster {
    let mut cluster = Cluster::start_with(0, flags);
    cluster.add_agent(&["--hostname", "localhost"]);
    cluster.add_agent(&[]);
    cluster.await_agents(2);
    cluster
}

async fn next(events: &mut Events) -> Event {
    let event = tokio::time::timeout(PATIENCE, events.next()).await;
    event
        .expect("an event in time")
        .expect("it goes on")
        .unwrap()
}

/// Declines offers, for good, until one of that host comes; gives all hosts that were offered.
async fn hosts_until(wanted: &str, driver: &Driver, events: &mut Events) -> BTreeSet<String> {
    let mut hosts = BTreeSet::new();
    while !hosts.contains(wanted) {
        if let Event::Offers(offers) = next(events).await {
            hosts.extend(offers.iter().map(|offer| offer.hostname.clone()));
            let ids = offers.into_iter().map(|offer| offer.id).collect();
            let for_good = Filters::refuse(Duration::from_secs(3600));
            driver.decline(ids, for_good).await;
        }
    }
    hosts
}

#[test]
fn a_constraint_keeps_a_framework_off_an_agent_and_explain_says_so() {
    let cluster = cluster(&[]);
    Runtime::new().unwrap().block_on(async {
        let here = vec![Constraint::is("hostname", "localhost").into()];
        let profile = Profile::new("shaped").only_on(&Role::default(), [here]);
        let options = Options::new(cluster.master.address(), profile).unwrap();
        let (driver, mut events) = connect(options);
        let hosts = hosts_until("localhost", &driver, &mut events).await;
        assert_eq!(hosts, ["localhost".to_owned()].into());
        let why = cluster.tepui(&["explain", "framework", "shaped"]).ok();
        assert!(
            why.contains("excluded by: HOSTNAME is 'localhost'"),
            "{why}"
        );
        assert!(why.contains("refused 'cpus:2"), "{why}");
        let listed = cluster.tepui(&["frameworks", "-o", "wide"]).ok();
        assert!(listed.contains("*: hostname == localhost"), "{listed}");
        driver.teardown().await;
    });
}

/// As an editor does it: a file is there whole or not at all.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn a_whitelist_that_is_edited_takes_effect_and_one_that_is_gone_changes_nothing() {
    let folder = tempfile::TempDir::new().unwrap();
    let list = folder.path().join("hosts");
    let flag = list.display().to_string();
    let refused =
        tepui_cluster_tests::tepui(&["master", "--listen", "127.0.0.1:0", "--whitelist", &flag]);
    assert!(refused.error.contains("--whitelist"), "{refused:?}");
    replace(&list, "localhost\n");
    let cluster = cluster(&["--whitelist", &flag]);
    Runtime::new().unwrap().block_on(async {
        let options = Options::new(cluster.master.address(), Profile::new("listed")).unwrap();
        let (driver, mut events) = connect(options);
        let hosts = hosts_until("localhost", &driver, &mut events).await;
        assert_eq!(hosts, ["localhost".to_owned()].into());
        let why = cluster.tepui(&["explain", "framework", "listed"]).ok();
        assert!(
            why.contains("the whitelist does not name the agent"),
            "{why}"
        );
        fs::remove_file(&list).unwrap();
        eventually("the master says that it is gone", || {
            let log = cluster.master.log();
            log.contains("the whitelist cannot be read").then_some(())
        });
        replace(&list, "127.0.0.1\n");
        hosts_until("127.0.0.1", &driver, &mut events).await;
        driver.teardown().await;
    });
}

#[test]
fn an_agent_in_a_domain_is_refused_by_a_master_in_none() {
    let mut cluster = Cluster::start(0);
    cluster.add_agent(&["--domain", "north/a"]);
    eventually("the agent hears why", || {
        let log = cluster.agents[0].log();
        log.contains("set --domain of the master").then_some(())
    });
    cluster.await_agents(0);
}

#[test]
fn an_agent_of_another_region_is_kept_from_frameworks_that_know_no_regions() {
    let flags = ["--domain", "north/a", "--require-agent-domain", "true"];
    let mut cluster = Cluster::start_with(0, &flags);
    cluster.add_agent(&["--domain", "south/a", "--hostname", "localhost"]);
    cluster.add_agent(&["--domain", "north/b"]);
    cluster.await_agents(2);
    Runtime::new().unwrap().block_on(async {
        let options = Options::new(cluster.master.address(), Profile::new("local")).unwrap();
        let (driver, mut events) = connect(options);
        let hosts = hosts_until("127.0.0.1", &driver, &mut events).await;
        assert_eq!(hosts, ["127.0.0.1".to_owned()].into());
        let why = cluster.tepui(&["explain", "framework", "local"]).ok();
        assert!(why.contains("region"), "{why}");
        driver.teardown().await;
    });
    cluster.add_agent(&[]);
    eventually("an agent without a domain hears why", || {
        let log = cluster.agents[2].log();
        log.contains("set --domain of the agent").then_some(())
    });
}
