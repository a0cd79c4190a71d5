//! A whole executor: the program that a framework brings to run its tasks in. Here a task is no
//! process but a thread that counts primes, so that a thousand of them cost next to nothing.
//!
//! A framework names this program as the command of an `ExecutorInfo`, and launches tasks in it
//! whose `data` is the number to count up to. The agent starts one executor for all of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tepui_sdk::model::{TaskId, TaskInfo, TaskState, TaskStatus};
use tepui_sdk::{Executor, ExecutorDriver, ExecutorPlace, Outcome, async_trait, execute};

/// What our executor remembers: how to stop each of its threads.
#[derive(Default)]
struct Primes(HashMap<TaskId, Arc<AtomicBool>>);

/// Counts until it is done, or told to stop.
fn count(up_to: u64, stop: &AtomicBool) -> Option<u64> {
    let mut primes = 0;
    for number in 2..=up_to {
        let mut divisors = (2..).take_while(|divisor| divisor * divisor <= number);
        if !divisors.any(|divisor| number.is_multiple_of(divisor)) {
            primes += 1;
        }
        if stop.load(Ordering::Relaxed) {
            return None;
        }
    }
    Some(primes)
}

#[async_trait]
impl Executor for Primes {
    /// The agent has a task for us. What it is about is between us and our framework.
    async fn launch(&mut self, driver: &ExecutorDriver, task: TaskInfo) -> Outcome {
        let data = task.wire.data.clone().unwrap_or_default();
        let up_to: u64 = String::from_utf8(data)?.trim().parse()?;
        let stop = Arc::new(AtomicBool::new(false));
        self.0.insert(task.id.clone(), Arc::clone(&stop));
        // The framework waits to hear that it runs, and later, how it ended. The driver says it
        // until the agent has heard it, however often the agent is restarted in between.
        driver.state(&task.id, TaskState::Running).await;
        let (driver, id) = (driver.clone(), task.id);
        tokio::spawn(async move {
            let counted = tokio::task::spawn_blocking(move || count(up_to, &stop)).await;
            let (state, message) = match counted {
                Ok(Some(primes)) => (TaskState::Finished, format!("{primes} primes to {up_to}")),
                Ok(None) => (TaskState::Killed, "stopped".to_owned()),
                Err(error) => (TaskState::Failed, error.to_string()),
            };
            println!("{id}: {message}");
            let mut status = TaskStatus::new(id, state);
            status.message = Some(message);
            driver.update(status).await;
        });
        Ok(())
    }

    /// A task is to end. Its thread says so when it has.
    async fn kill(&mut self, _: &ExecutorDriver, id: TaskId, _: Option<Duration>) -> Outcome {
        if let Some(stop) = self.0.remove(&id) {
            stop.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), tepui_sdk::Error> {
    // Who we are, and where our agent is, it tells us by the environment.
    let mut primes = Primes::default();
    let outcome = execute(ExecutorPlace::from_environment()?, &mut primes).await;
    // The agent wants us to end, or there is none any more: whatever still counts may stop.
    for stop in primes.0.values() {
        stop.store(true, Ordering::Relaxed);
    }
    outcome
}
