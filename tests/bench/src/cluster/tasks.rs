//! Short tasks in a row: 100 times `true` through the real API on one agent of two cpus, as many
//! at once as there is room for.

use std::time::{Duration, Instant};

use tepui_cluster_tests::Cluster;
use tepui_sdk::{
    OfferMatcher, Task,
    model::{Filters, TaskState},
};

use super::framework::{Framework, Heard, block_on, expect_no_failure, task};
use crate::{Settings, report::Report};

const TASKS: usize = 100;
const ROUNDS: usize = 5;

pub(crate) fn run(_: &Settings, report: &mut Report) -> Result<(), String> {
    let cluster = Cluster::start(1);
    let master = cluster.master.address();
    let rounds = (0..ROUNDS).map(|_| block_on(run_all(master)));
    let mut times = rounds.collect::<Result<Vec<_>, _>>()?;
    times.sort_unstable();
    let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
    report
        .line()
        .with("tasks", TASKS)
        .with("rounds", ROUNDS)
        .with_percentiles("all", &times)
        .with(
            "per_second",
            format!("{:.0}", TASKS as f64 / median.as_secs_f64()),
        );
    Ok(())
}

/// From the subscription of the framework to the end of its last task.
async fn run_all(master: &str) -> Result<Duration, String> {
    let tasks = (0..TASKS).map(|number| task(format!("short-{number}"), &["true"]));
    let mut waiting = tasks.collect::<Result<Vec<_>, _>>()?;
    let mut finished = 0;
    let began = Instant::now();
    let mut framework = Framework::connect(master)?;
    while finished < TASKS {
        match framework.next().await? {
            Heard::Offers(offers) => {
                let mut matcher = OfferMatcher::new(offers);
                place(&mut matcher, &mut waiting);
                framework
                    .driver
                    .apply(matcher.finish(), Filters::NONE)
                    .await;
                if waiting.is_empty() {
                    framework.driver.suppress(&[]).await;
                }
            }
            Heard::Update(status) => {
                expect_no_failure(&status)?;
                finished += usize::from(status.state == TaskState::Finished);
            }
        }
    }
    let took = began.elapsed();
    framework.leave().await;
    Ok(took)
}

/// Places tasks until there is no room.
pub(super) fn place(matcher: &mut OfferMatcher, waiting: &mut Vec<Task>) {
    while let Some(task) = waiting.last()
        && matcher.place(task).is_some()
    {
        waiting.pop();
    }
}
