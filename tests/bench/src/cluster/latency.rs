//! How long a framework waits: for an offer, and from ACCEPT to TASK_RUNNING.
//!
//! A master and an agent are processes of their own; the framework goes through the SDK over
//! gRPC and launches one task after the other, each of which runs `true`. It asks for offers by
//! REVIVE and wants none in between.

use std::time::{Duration, Instant};

use tepui_cluster_tests::Cluster;
use tepui_sdk::model::{Filters, TaskState};

use super::framework::{Framework, block_on, task, text};
use crate::{Settings, report::Report};

const LAUNCHES: usize = 200;
/// Launches before those that count, while everything is cold.
const WARM_UP: usize = 10;

/// The parts of each task's way.
#[derive(Default)]
struct Samples {
    /// From REVIVE to the offer.
    offer: Vec<Duration>,
    /// From ACCEPT to TASK_RUNNING.
    running: Vec<Duration>,
    /// From REVIVE to TASK_RUNNING.
    whole: Vec<Duration>,
    /// From ACCEPT to TASK_FINISHED.
    finished: Vec<Duration>,
}

pub(crate) fn run(_: &Settings, report: &mut Report) -> Result<(), String> {
    let cluster = Cluster::start(1);
    let samples = block_on(launch_one_by_one(cluster.master.address()))?;
    report
        .line()
        .with("launches", samples.whole.len())
        .with_percentiles("accept_to_running", &samples.running)
        .with_percentiles("offer", &samples.offer)
        .with_percentiles("whole", &samples.whole)
        .with_percentiles("accept_to_finished", &samples.finished);
    Ok(())
}

async fn launch_one_by_one(master: &str) -> Result<Samples, String> {
    let mut framework = Framework::connect(master)?;
    // Subscribed is who hears of an offer.
    let first = framework.offer().await?;
    framework
        .driver
        .decline(vec![first.id], Filters::NONE)
        .await;
    framework.driver.suppress(&[]).await;
    let mut samples = Samples::default();
    for number in 0..WARM_UP + LAUNCHES {
        if number == WARM_UP {
            samples = Samples::default();
        }
        launch(&mut framework, number, &mut samples).await?;
    }
    framework.leave().await;
    Ok(samples)
}

async fn launch(
    framework: &mut Framework,
    number: usize,
    samples: &mut Samples,
) -> Result<(), String> {
    let task = task(format!("latency-{number}"), &["true"])?;
    let driver = framework.driver.clone();
    let asked = Instant::now();
    driver.revive(&[]).await;
    let offer = framework.offer().await?;
    let accepted = Instant::now();
    let placed = task.place(&offer, &offer.resources).map_err(text)?;
    let tasks = vec![placed.info];
    driver.accept(vec![offer.id], tasks, Filters::NONE).await;
    driver.suppress(&[]).await;
    framework.await_state(task.id(), TaskState::Running).await?;
    samples.offer.push(accepted - asked);
    samples.running.push(accepted.elapsed());
    samples.whole.push(asked.elapsed());
    framework
        .await_state(task.id(), TaskState::Finished)
        .await?;
    samples.finished.push(accepted.elapsed());
    Ok(())
}
