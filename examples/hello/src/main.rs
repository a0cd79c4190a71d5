//! A whole framework: it runs three tasks that say hello, and goes home.
//!
//! Start a cluster with `tepui dev`, then `cargo run --release -p tepui-hello`.

use std::collections::BTreeSet;

use tepui_sdk::model::{Filters, Offer, TaskId, TaskState, TaskStatus};
use tepui_sdk::{
    Driver, Framework, OfferMatcher, Options, Outcome, Profile, TaskBuilder, async_trait,
};

const GREETINGS: usize = 3;

/// What our framework remembers: how far it has come.
#[derive(Default)]
struct Hello {
    launched: usize,
    finished: BTreeSet<TaskId>,
}

#[async_trait]
impl Framework for Hello {
    /// The master offers us a part of the cluster: a list of offers, each of one machine. We launch
    /// what we have to launch, where there is room, and give everything else back.
    async fn offers(&mut self, driver: &Driver, offers: Vec<Offer>) -> Outcome {
        // The matcher keeps track of what is left of each offer while we place tasks on it.
        let mut matcher = OfferMatcher::new(offers);
        while self.launched < GREETINGS {
            // A task is a command and the resources it needs. Its id is ours to choose.
            let task = TaskBuilder::new(format!("hello-{}", self.launched))
                .cpus(0.1)
                .memory(32.0)
                .shell("echo hello from $(hostname), this is $MESOS_TASK_ID")
                .build()?;
            match matcher.place(&task) {
                Some((offer, _)) => println!("{} goes to {}", task.id(), offer.hostname),
                None => break, // No room. There will be other offers.
            }
            self.launched += 1;
        }
        driver.apply(matcher.finish(), Filters::default()).await;
        // When we want nothing more, we say so, and others get the offers.
        if self.launched == GREETINGS {
            driver.suppress(&[]).await;
        }
        Ok(())
    }

    /// A task has something new to say. We are told at least once, and in order; the driver
    /// acknowledges for us when this function has returned.
    async fn update(&mut self, driver: &Driver, status: TaskStatus) -> Outcome {
        println!("{} is {}", status.task_id, status.state);
        // A task that failed, or was lost with its machine, is an error here: `run` returns it.
        match status.state {
            TaskState::Finished => self.finished.insert(status.task_id),
            state if state.is_terminal() => return Err("a greeting got lost".into()),
            _ => false,
        };
        // All done: take the framework out of the cluster, which also ends `run`.
        if self.finished.len() == GREETINGS {
            driver.teardown().await;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), tepui_sdk::Error> {
    // Who we are, and where the master is. Everything in between (subscribing, connecting again
    // when the master restarts, acknowledging, reconciling) is the driver's business.
    let master = std::env::var("TEPUI_MASTER").unwrap_or_else(|_| "127.0.0.1:5050".to_owned());
    let options = Options::new(&master, Profile::new("hello"))?;
    tepui_sdk::run(options, &mut Hello::default()).await
}
