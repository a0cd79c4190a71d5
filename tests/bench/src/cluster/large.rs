//! A state of 40,000 agents, and offers that are made meanwhile: how large it is, how long it
//! takes, and how much later the offers come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tepui_cluster_tests::Cluster;
use tepui_sdk::{
    Constraint, Options, Profile,
    model::{Filters, Role},
};
use tokio::time::sleep;

use super::{
    framework::{Framework, block_on, text},
    scale::{fill, start},
    state,
};
use crate::{Settings, report::Report};

const AGENTS: usize = 40_000;
const TASKS: usize = 100_000;
/// Answers of each form while offers are timed.
const ROUNDS: usize = 10;
/// Between two offers.
const OFFER_EVERY: Duration = Duration::from_millis(5);
/// How long offers are timed that nothing holds up.
const QUIET: Duration = Duration::from_secs(3);

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let (agents, tasks) = (
        AGENTS / settings.divide as usize,
        TASKS / settings.divide as usize,
    );
    let cluster = Cluster::start(0);
    let master = cluster.master.address();
    block_on(async {
        let fleet = start(&cluster, agents).await?;
        let mut framework = Framework::connect(master)?;
        fill(&mut framework, agents, tasks).await?;
        let mut prober = Prober::connect(master).await?;
        let (quiet, ()) = prober.during(sleep(QUIET)).await?;
        for (name, media) in state::FORMS {
            let asked = ask(master.to_owned(), media);
            let (busy, answers) = prober.during(asked).await?;
            let (bytes, times) = answers?;
            report
                .part(name)
                .with("agents", agents)
                .with("tasks", tasks)
                .with("bytes", bytes)
                .with_percentiles("answer", &times)
                .with_percentiles("offer", &busy)
                .with_percentiles("quiet_offer", &quiet);
        }
        drop((fleet, framework));
        Ok(())
    })
}

/// Asks for the state again and again: how many bytes, and how long each time.
async fn ask(master: String, media: &'static str) -> Result<(usize, Vec<Duration>), String> {
    let asking = tokio::task::spawn_blocking(move || {
        let (mut bytes, mut times) = (0, Vec::new());
        for _ in 0..ROUNDS {
            let began = Instant::now();
            bytes = state::call(&master, "GET_STATE", media)?;
            times.push(began.elapsed());
        }
        Ok((bytes, times))
    });
    asking.await.map_err(text)?
}

/// A framework that asks for the offer of one agent and declines it.
struct Prober {
    framework: Framework,
}

impl Prober {
    async fn connect(master: &str) -> Result<Self, String> {
        let role = Role::default();
        let one = Constraint::matching("hostname", "agent-0\\.fleet");
        let profile = Profile::new("prober").only_on(&role, [vec![one]]);
        let options = Options::new(master, profile).map_err(text)?;
        let (driver, events) = tepui_sdk::connect(options);
        let mut framework = Framework { driver, events };
        let first = framework.offer().await?;
        framework.driver.suppress(&[]).await;
        let none = Filters::NONE;
        framework.driver.decline(vec![first.id], none).await;
        Ok(Self { framework })
    }

    /// How long offers take while something else is done, and what came of that.
    async fn during<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<(Vec<Duration>, T), String> {
        let over = Arc::new(AtomicBool::new(false));
        let probing = async {
            let mut times = Vec::new();
            while !over.load(Ordering::Relaxed) {
                times.push(self.framework.one_offer().await?);
                sleep(OFFER_EVERY).await;
            }
            Ok::<_, String>(times)
        };
        let work = async {
            let done = work.await;
            over.store(true, Ordering::Relaxed);
            done
        };
        let (times, done) = tokio::join!(probing, work);
        Ok((times?, done))
    }
}

impl Framework {
    async fn one_offer(&mut self) -> Result<Duration, String> {
        let began = Instant::now();
        self.driver.revive(&[]).await;
        let offer = self.offer().await?;
        let took = began.elapsed();
        self.driver.suppress(&[]).await;
        self.driver.decline(vec![offer.id], Filters::NONE).await;
        Ok(took)
    }
}
