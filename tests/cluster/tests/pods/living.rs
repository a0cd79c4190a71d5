//! Pods that live: a container that is started anew beside the other, images, checks, and too much
//! memory.

use serde_json::json;
use tepui_cluster_tests::{
    Cluster, eventually,
    images::{Image, Layer, Registry, Tools},
};
use tepui_sdk::{
    model::{Offer, Reason, TaskState, TaskStatus},
    v1,
};

use crate::{Framework, STAY, talk, task};

/// A web server on the pod's own loopback that says one word.
fn server(word: &str) -> String {
    format!(
        "mkdir www; echo {word} > www/page; \
         exec busybox httpd -f -p 127.0.0.1:7273 -h www"
    )
}

/// Writes down what the server says, again and again.
const CLIENT: &str = "while :; do busybox wget -q -O - http://127.0.0.1:7273/page >> heard; \
                      sleep 0.05; done";

fn hears(cluster: &Cluster, word: &str) {
    eventually("the client hears the server", || {
        let ran = cluster.tepui(&["exec", "client", "--", "tail", "-n", "1", "heard"]);
        (ran.output.trim() == word).then_some(())
    });
}

async fn runs(framework: &mut Framework, id: &str) {
    let running = |status: &TaskStatus| status.state == TaskState::Running;
    framework.reach(id, running).await;
}

async fn end_of(framework: &mut Framework, id: &str) -> TaskStatus {
    framework
        .reach(id, |status| status.state.is_terminal())
        .await
}

fn with_check(mut task: v1::TaskInfo) -> v1::TaskInfo {
    task.health_check = Some(v1::HealthCheck {
        r#type: Some(v1::health_check::Type::Http.into()),
        http: Some(v1::health_check::HttpCheckInfo {
            port: 7273,
            path: Some("/page".to_owned()),
            ..v1::health_check::HttpCheckInfo::default()
        }),
        delay_seconds: Some(0.0),
        interval_seconds: Some(0.1),
        grace_period_seconds: Some(60.0),
        consecutive_failures: Some(2),
        ..v1::HealthCheck::default()
    });
    task
}

#[test]
fn one_of_two_that_talk_over_localhost_is_started_anew_and_heard_again() {
    talk(async |cluster, framework| {
        // Each is a group of its own, in the same executor: neither ends with the other.
        framework
            .launch("e", &[("client", CLIENT.to_owned())])
            .await;
        framework.launch("e", &[("first", server("first"))]).await;
        runs(framework, "client").await;
        runs(framework, "first").await;
        hears(cluster, "first");
        cluster.tepui(&["kill", "first"]).ok();
        end_of(framework, "first").await;
        framework.launch("e", &[("second", server("second"))]).await;
        runs(framework, "second").await;
        hears(cluster, "second");
    });
}

#[test]
fn a_server_in_an_image_is_checked_and_takes_its_group_along_when_it_is_not_well() {
    let Some(tools) = Tools::get() else { return };
    let registry = Registry::start(&tools);
    let page = Layer::default()
        .folder("www", 0o755)
        .file("www/page", 0o644, b"image\n");
    let image = Image::new(&json!({}), &[tools.busybox(), page.bytes()]);
    let name = registry.push("pod", "1", &image);
    talk(async |cluster, framework| {
        let tasks = |offer: &Offer| {
            let line = "exec httpd -f -p 127.0.0.1:7273 -h /www";
            let mut server = with_check(task("server", offer, line));
            let container = server.container.as_mut().unwrap();
            container.mesos = Some(v1::container_info::MesosInfo {
                image: Some(v1::Image {
                    r#type: v1::image::Type::Docker.into(),
                    docker: Some(v1::image::Docker {
                        name,
                        ..v1::image::Docker::default()
                    }),
                    ..v1::Image::default()
                }),
            });
            vec![server, task("client", offer, CLIENT)]
        };
        framework.launch_all("e", tasks).await;
        let well = |status: &TaskStatus| status.healthy == Some(true);
        framework.reach("server", well).await;
        hears(cluster, "image");
        cluster
            .tepui(&["exec", "server", "--", "sh", "-c", "rm /www/page"])
            .ok();
        let server = end_of(framework, "server").await;
        assert_eq!(server.state, TaskState::Killed);
        assert_eq!(server.healthy, Some(false));
        let reason = Reason::TaskHealthCheckStatusUpdated;
        assert_eq!(server.reason, Some(reason));
        let client = end_of(framework, "client").await;
        assert_eq!(client.state, TaskState::Killed);
    });
}

#[test]
fn one_that_takes_too_much_memory_says_so_and_ends_its_group() {
    talk(async |_, framework| {
        let hog = "x=0123456789abcdef; while :; do x=$x$x; done".to_owned();
        framework
            .launch("e", &[("hog", hog), ("mate", STAY.to_owned())])
            .await;
        let hog = end_of(framework, "hog").await;
        assert_eq!(hog.state, TaskState::Failed, "{hog:?}");
        assert_eq!(hog.reason, Some(Reason::ContainerLimitationMemory));
        let limit = &hog.passengers.limitation.as_ref().unwrap().resources[0];
        assert_eq!(limit.name, "mem");
        assert!(hog.message.as_ref().unwrap().contains("emory"), "{hog:?}");
        let mate = end_of(framework, "mate").await;
        assert_eq!(mate.state, TaskState::Killed);
    });
}
