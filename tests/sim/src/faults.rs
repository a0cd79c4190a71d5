//! What goes wrong in a run, and how often: rates are drawn per run, so that quiet and wild runs
//! occur.

use core::time::Duration;

use crate::{dice::Dice, network::Peer};

/// What a run is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing goes wrong, and nobody is shown what another is shown.
    Fair,
    /// Nothing goes wrong, but all may be shown the same, and the first to accept has it.
    Crowded,
    /// The seed decides what goes wrong.
    Foul,
}

/// The rates of one run.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    /// Probability that a message is lost, and its connection with it.
    pub(crate) loss: f64,
    /// Probability that a message which may be repeated arrives twice.
    pub(crate) duplication: f64,
    /// The longest delay of a message.
    pub(crate) delay_millis: u64,
    /// Faults of processes and machines, in all.
    pub(crate) mishaps: u64,
    /// How long faults go on.
    pub(crate) period: Duration,
    /// Probability that a framework forgets to acknowledge an update when it first hears it.
    pub(crate) forgetfulness: f64,
    /// Probability that a framework does with an offer what it should not.
    pub(crate) mischief: f64,
    /// Probability that a framework changes the nature of what it is offered.
    pub(crate) crafts: f64,
    /// Probability that a framework may be shown what others are shown too.
    pub(crate) optimism: f64,
}

impl Faults {
    /// Nothing goes wrong.
    pub(crate) const fn none() -> Self {
        Self {
            loss: 0.0,
            duplication: 0.0,
            delay_millis: 5,
            mishaps: 0,
            period: Duration::ZERO,
            forgetfulness: 0.0,
            mischief: 0.0,
            crafts: 0.0,
            optimism: 0.0,
        }
    }

    pub(crate) fn draw(weather: Weather, dice: &mut Dice) -> Self {
        if weather != Weather::Foul {
            return Self {
                period: Duration::from_secs(30),
                crafts: 0.3,
                optimism: if weather == Weather::Crowded {
                    1.0
                } else {
                    0.0
                },
                ..Self::none()
            };
        }
        let mut part = |most: f64| dice.between(0, 1000) as f64 / 1000.0 * most;
        let rates = [part(0.02), part(0.3), part(0.3), part(0.1), part(0.4)];
        let [loss, duplication, forgetfulness, mischief, crafts] = rates;
        Self {
            loss,
            duplication,
            delay_millis: dice.between(1, 400),
            mishaps: dice.between(0, 30),
            period: dice.seconds(20, 400),
            forgetfulness,
            mischief,
            crafts,
            optimism: 0.4,
        }
    }
}

/// Who can die or sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Master,
    Agent(usize),
    Framework(usize),
}

/// One fault of a process, a machine or the network, or a deed of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// A process dies.
    Dies(Node),
    /// A process dies while it carries out what follows from its next event.
    DiesMidway(Node),
    /// A process does nothing for a while.
    Sleeps(Node),
    /// An agent's machine restarts.
    MachineRestarts(usize),
    /// A framework is away longer than its failover timeout.
    FrameworkStaysAway(usize),
    /// A peer cannot reach the master, nor be reached, for a while that may outlast the pings.
    Partition(Peer),
    /// An agent is told to leave the cluster for good.
    AgentLeaves(usize),
    /// An operator does something.
    Order(Order),
}

/// What an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// An agent is gone for ever.
    MarkGone(usize),
    /// A framework ends.
    Teardown(usize),
    /// A task of a framework ends.
    KillTask(usize),
    /// A role gets another weight.
    Weight,
    /// A role gets another quota.
    Quota,
    /// Something of an agent is kept for a role.
    Reserve(usize),
    /// A persistent volume is made on an agent.
    Volume(usize),
    /// An agent is offered no more for a while.
    Deactivate(usize),
    /// An agent is emptied.
    Drain(usize),
    /// An agent is offered again.
    Reactivate(usize),
    /// The machine of an agent is to go down.
    Schedule(usize),
    /// It does.
    TakeDown(usize),
    /// It may come back.
    BringUp(usize),
}

impl Mishap {
    pub(crate) fn draw(dice: &mut Dice, agents: usize, frameworks: usize) -> Self {
        let (agent, framework) = (dice.index(agents), dice.index(frameworks));
        let peer = match dice.chance(0.7) {
            true => Peer::Agent(agent),
            false => Peer::Framework(framework),
        };
        let node = dice.pick(&[
            Node::Master,
            Node::Agent(agent),
            Node::Agent(agent),
            Node::Framework(framework),
        ]);
        match dice.between(0, 22) {
            0..=4 => Self::Dies(node),
            5..=8 => Self::DiesMidway(node),
            9 | 10 => Self::Sleeps(node),
            11 => Self::MachineRestarts(agent),
            12 => Self::FrameworkStaysAway(framework),
            13..=15 => Self::Partition(peer),
            16 => Self::AgentLeaves(agent),
            _ => Self::Order(Order::draw(dice, agent, framework)),
        }
    }
}

impl Order {
    /// What operators do by themselves; the rest follows from it.
    fn draw(dice: &mut Dice, agent: usize, framework: usize) -> Self {
        match dice.between(0, 9) {
            0 => Self::MarkGone(agent),
            1 => Self::Teardown(framework),
            2 => Self::KillTask(framework),
            3 => Self::Weight,
            4 | 5 => Self::Quota,
            6 => match dice.chance(0.5) {
                true => Self::Reserve(agent),
                false => Self::Volume(agent),
            },
            7 => Self::Deactivate(agent),
            8 => Self::Drain(agent),
            _ => Self::Schedule(agent),
        }
    }
}
