//! What goes wrong in a run, and how often: rates are drawn per run, so that quiet and wild runs occur.

use core::time::Duration;

use crate::dice::Dice;

/// The rates of one run.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Probability that a message is lost, and its connection with it.
    pub loss: f64,
    /// Probability that a message which may be repeated arrives twice.
    pub duplication: f64,
    /// The longest delay of a message.
    pub delay: Duration,
    /// Faults of processes and machines, in all.
    pub crashes: u64,
    /// How long faults go on.
    pub period: Duration,
    /// Probability that an acknowledgement is forgotten.
    pub forgetfulness: f64,
}

impl Faults {
    /// Nothing goes wrong.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            loss: 0.0,
            duplication: 0.0,
            delay: Duration::from_millis(5),
            crashes: 0,
            period: Duration::ZERO,
            forgetfulness: 0.0,
        }
    }

    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let part = |dice: &mut Dice, most: f64| dice.between(0, 1000) as f64 / 1000.0 * most;
        Self {
            loss: part(dice, 0.02),
            duplication: part(dice, 0.3),
            delay: dice.millis(1, 400),
            crashes: dice.between(0, 14),
            period: dice.millis(20_000, 200_000),
            forgetfulness: part(dice, 0.3),
        }
    }
}

/// One fault of a process or machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// The master dies between two events.
    Master,
    /// The master dies while it carries out the effects of its next event.
    MasterMidway,
    /// An agent's process dies; its containers live.
    Agent(usize),
    /// An agent's machine restarts.
    Machine(usize),
    /// A framework's process dies.
    Framework(usize),
    /// A framework is away longer than its failover timeout.
    FrameworkForLong(usize),
    /// An agent cannot reach the master, nor be reached, for a while that may outlast the pings.
    Partition(usize),
}

impl Crash {
    pub(crate) fn draw(dice: &mut Dice, agents: usize, frameworks: usize) -> Self {
        let agent = dice.between(0, agents as u64 - 1) as usize;
        let framework = dice.between(0, frameworks as u64 - 1) as usize;
        match dice.between(0, 9) {
            0 => Self::Master,
            1 => Self::MasterMidway,
            2 | 3 => Self::Agent(agent),
            4 => Self::Machine(agent),
            5 | 6 => Self::Framework(framework),
            7 => Self::FrameworkForLong(framework),
            _ => Self::Partition(agent),
        }
    }
}
