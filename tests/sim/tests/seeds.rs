//! Many seeds, each a cluster of its own under faults of its own.
//!
//! `TEPUI_SIM_SEEDS` says how many (3,000 if unset), `TEPUI_SIM_FIRST` from which on. Seeds that
//! fail are named with what was broken; `TEPUI_SIM_SEED=<seed>` plays one alone and prints all
//! that happens in it.

use std::{
    collections::BTreeMap,
    env,
    num::NonZero,
    panic::catch_unwind,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use tepui_model::TaskState;
use tepui_sim::{Figures, Outcome, Weather, run};

const SEEDS: u64 = 3_000;

/// One seed in so many is played a second time, to see that it is the same run.
const PLAYED_AGAIN: u64 = 100;

/// When so many have failed, no more are played.
const MOST_FAILURES: usize = 20;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not '{text}'")),
    )
}

/// Plays one seed, or says what was broken.
fn play(seed: u64, weather: Weather) -> Result<Outcome, String> {
    catch_unwind(|| run(seed, weather)).map_err(|cause| match cause.downcast::<String>() {
        Ok(text) => *text,
        Err(_) => "it panicked".to_owned(),
    })
}

/// Plays one seed, and some of them a second time: the run must be the same.
fn play_checked(seed: u64, weather: Weather) -> Result<Outcome, String> {
    let outcome = play(seed, weather);
    if seed.is_multiple_of(PLAYED_AGAIN) && outcome.is_ok() && play(seed, weather) != outcome {
        return Err("played again, it is another run".to_owned());
    }
    outcome
}

/// What came of many seeds.
#[derive(Debug, Default)]
struct Played {
    figures: Figures,
    failures: BTreeMap<u64, String>,
}

impl Played {
    fn add(&mut self, seed: u64, outcome: Result<Outcome, String>) {
        match outcome {
            Ok(outcome) => self.figures.add(&outcome.figures),
            Err(text) => drop(self.failures.insert(seed, text)),
        }
    }
}

/// Plays seeds on all cores; a panic names those that failed.
fn play_all(first: u64, count: u64, weather: Weather) -> Figures {
    let next = AtomicU64::new(first);
    let played = Mutex::new(Played::default());
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return;
            }
            let outcome = play_checked(seed, weather);
            let mut played = played.lock().unwrap_or_else(PoisonError::into_inner);
            played.add(seed, outcome);
            if played.failures.len() >= MOST_FAILURES {
                return;
            }
        }
    };
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let Played { figures, failures } = played.into_inner().unwrap_or_else(PoisonError::into_inner);
    let texts = failures
        .iter()
        .map(|(seed, text)| format!("seed {seed}: {text}"));
    let texts: Vec<String> = texts.collect();
    assert!(
        texts.is_empty(),
        "{} seeds failed:\n{}",
        texts.len(),
        texts.join("\n")
    );
    figures
}

#[test]
fn every_promise_holds_under_faults() {
    if let Some(seed) = number("TEPUI_SIM_SEED") {
        println!("{:?}", run(seed, Weather::Foul));
        return;
    }
    let first = number("TEPUI_SIM_FIRST").unwrap_or(0);
    let count = number("TEPUI_SIM_SEEDS").unwrap_or(SEEDS);
    let figures = play_all(first, count, Weather::Foul);
    println!("{count} seeds: {figures:?}");
    if count < SEEDS {
        return;
    }
    // The runs are worth something only if they lead everywhere.
    let told = |state| figures.told.get(&state).copied().unwrap_or(0);
    let never: Vec<_> = TaskState::ALL
        .into_iter()
        .filter(|state| told(*state) == 0)
        .collect();
    assert_eq!(never, [TaskState::Starting], "the agent has no such state");
    assert!(
        u64::from(figures.master_restarts) > count / 2,
        "{figures:?}"
    );
}

#[test]
fn without_faults_no_task_is_lost_and_no_work_is_done_twice() {
    if number("TEPUI_SIM_SEED").is_some() {
        return;
    }
    let figures = play_all(0, 100, Weather::Fair);
    let expected = [
        TaskState::Staging,
        TaskState::Running,
        TaskState::Killing,
        TaskState::Finished,
        TaskState::Failed,
        TaskState::Killed,
    ];
    let others = figures
        .told
        .keys()
        .filter(|state| !expected.contains(state));
    assert_eq!(others.count(), 0, "{figures:?}");
    assert_eq!(figures.master_restarts, 0);
}

#[test]
fn a_seed_gives_the_same_run_again() {
    if number("TEPUI_SIM_SEED").is_some() {
        return;
    }
    for seed in 0..50 {
        let (once, again) = (play(seed, Weather::Foul), play(seed, Weather::Foul));
        assert_eq!(once, again, "seed {seed}");
    }
    assert_ne!(play(1, Weather::Foul), play(2, Weather::Foul));
}
