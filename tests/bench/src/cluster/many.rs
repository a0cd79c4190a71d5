//! Many tasks at the same time on one agent: 1,000 times `sleep`, each in a container of its own,
//! launched by one ACCEPT and killed at the end.

use std::time::{Duration, Instant};

use tepui_cluster_tests::Cluster;
use tepui_sdk::{
    OfferMatcher, Task,
    model::{Filters, TaskState},
};

use super::{
    framework::{Framework, Heard, block_on, expect_no_failure, task},
    tasks::place,
};
use crate::{Settings, report::Report};

const TASKS: usize = 1000;

pub(crate) fn run(_: &Settings, report: &mut Report) -> Result<(), String> {
    let mut cluster = Cluster::start(0);
    cluster.add_agent_of("cpus:200;mem:32000;disk:1000;ports:[]", &[]);
    cluster.await_agents(1);
    let (running, killed) = block_on(start_and_kill(cluster.master.address()))?;
    let seconds = |span: Duration| format!("{:.2}", span.as_secs_f64());
    report
        .line()
        .with("tasks", TASKS)
        .with("running_s", seconds(running))
        .with("killed_s", seconds(killed));
    Ok(())
}

/// How long until all run, and from there until all are killed.
async fn start_and_kill(master: &str) -> Result<(Duration, Duration), String> {
    let tasks = (0..TASKS).map(|number| task(format!("many-{number}"), &["sleep", "1000"]));
    let tasks = tasks.collect::<Result<Vec<_>, _>>()?;
    let mut framework = Framework::connect(master)?;
    let mut matcher = OfferMatcher::new(vec![framework.offer().await?]);
    place(&mut matcher, &mut tasks.clone());
    let began = Instant::now();
    framework
        .driver
        .apply(matcher.finish(), Filters::default())
        .await;
    await_all(&mut framework, TaskState::Running).await?;
    let running = began.elapsed();
    let began = Instant::now();
    for id in tasks.iter().map(Task::id) {
        framework.driver.kill(id).await;
    }
    await_all(&mut framework, TaskState::Killed).await?;
    let killed = began.elapsed();
    framework.leave().await;
    Ok((running, killed))
}

async fn await_all(framework: &mut Framework, wanted: TaskState) -> Result<(), String> {
    let mut reached = 0;
    while reached < TASKS {
        match framework.next().await? {
            Heard::Update(status) if status.state == wanted => reached += 1,
            Heard::Update(status) => expect_no_failure(&status)?,
            Heard::Offers(_) => {}
        }
    }
    Ok(())
}
