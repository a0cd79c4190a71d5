//! Many seeds, each a cluster of its own under faults of its own.
//!
//! `TEPUI_SIM_SEEDS` says how many (10,000 if unset), `TEPUI_SIM_FIRST` from which on, and
//! `TEPUI_SIM_FAIR_SEEDS` how many of each kind without faults (100 if unset). Seeds that fail are
//! named with what was broken; `TEPUI_SIM_SEED=<seed>` plays one alone and prints all that happens
//! in it, in the weather that `TEPUI_SIM_WEATHER` names (`foul` if unset, `fair`, `crowded`).

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

const SEEDS: u64 = 10_000;

const FAIR_SEEDS: u64 = 100;

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

/// The weather in which one seed is played alone.
fn weather() -> Weather {
    match env::var("TEPUI_SIM_WEATHER").as_deref() {
        Err(_) | Ok("foul") => Weather::Foul,
        Ok("fair") => Weather::Fair,
        Ok("crowded") => Weather::Crowded,
        Ok(other) => panic!("TEPUI_SIM_WEATHER is 'foul', 'fair' or 'crowded', not '{other}'"),
    }
}

/// The first seed to play.
fn first_seed() -> u64 {
    number("TEPUI_SIM_FIRST").unwrap_or(0)
}

/// How many seeds are played without faults, where little differs from one to the next.
fn fair_seeds() -> u64 {
    number("TEPUI_SIM_FAIR_SEEDS").unwrap_or(FAIR_SEEDS)
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
        println!("{:?}", run(seed, weather()));
        return;
    }
    let count = number("TEPUI_SIM_SEEDS").unwrap_or(SEEDS);
    let figures = play_all(first_seed(), count, Weather::Foul);
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

/// How often frameworks of runs without faults were told that a task of theirs was not to be: each
/// state but those that follow from what they did themselves.
fn told_in_vain(figures: &Figures) -> BTreeMap<TaskState, u64> {
    let expected = [
        TaskState::Staging,
        TaskState::Running,
        TaskState::Killing,
        TaskState::Finished,
        TaskState::Failed,
        TaskState::Killed,
    ];
    let mut told = figures.told.clone();
    told.retain(|state, _| !expected.contains(state));
    told
}

#[test]
fn without_faults_no_task_is_lost_and_no_work_is_done_twice() {
    if number("TEPUI_SIM_SEED").is_some() {
        return;
    }
    let figures = play_all(first_seed(), fair_seeds(), Weather::Fair);
    assert_eq!(told_in_vain(&figures), BTreeMap::new(), "{figures:?}");
    assert_eq!(figures.outrun, 0, "{figures:?}");
    assert_eq!(figures.master_restarts, 0);
}

#[test]
fn who_is_shown_what_another_accepts_first_loses_that_and_nothing_else() {
    if number("TEPUI_SIM_SEED").is_some() {
        return;
    }
    let figures = play_all(first_seed(), fair_seeds(), Weather::Crowded);
    let told = told_in_vain(&figures);
    let of_races = [TaskState::Dropped, TaskState::Lost];
    assert!(told.keys().all(|it| of_races.contains(it)), "{figures:?}");
    let lost: u64 = told.values().sum();
    assert_eq!(lost, figures.outrun, "{figures:?}");
    assert!(lost > 0, "nobody raced: {figures:?}");
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
