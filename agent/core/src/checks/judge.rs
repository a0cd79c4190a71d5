//! What the findings of one check mean: a state machine without a clock.

use core::time::Duration;

use tepui_model::Time;

use super::{Finding, Probe};
use crate::{SecretReference, limits};

/// One check of a task that runs.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) probe: Probe,
    pub(crate) timeout: Option<Duration>,
    delay: Duration,
    interval: Duration,
    /// The interval until it was well, or failed when that counted.
    starting_interval: Duration,
    purpose: Purpose,
    /// How often it was asked so far; the number of what is on its way.
    number: u64,
    in_flight: bool,
    memory: Memory,
}

/// What a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The framework is told what is found.
    Inform,
    /// A task of which it fails too often is killed.
    Health {
        /// So many times in a row are too often.
        failures: u32,
        /// How long after its start, and before it was ever well, failing does not count.
        grace: Duration,
    },
}

/// What a check has found so far, as far as it matters later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Whether it was ever well, or failed when that counted.
    pub(crate) settled: bool,
    /// How often it failed in a row.
    pub(crate) failures: u32,
    /// What was told last.
    pub(crate) last: Option<Finding>,
}

/// What a finding means for the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Nothing new.
    Nothing,
    /// The framework hears what a check found.
    Tell,
    /// The framework hears that the task is well.
    Healthy,
    /// The framework hears that it is not.
    Unhealthy {
        /// Why, for people.
        why: String,
        /// Whether it was not too often.
        kill: bool,
    },
}

impl Check {
    /// What its command needs of the agent's operator.
    pub(crate) fn secrets(&self) -> Vec<(String, SecretReference)> {
        match &self.probe {
            Probe::Command { secrets, .. } => secrets.clone(),
            Probe::Http { .. } | Probe::Tcp { .. } | Probe::Grpc { .. } => Vec::new(),
        }
    }

    pub(super) fn new(probe: Probe, purpose: Purpose, times: [Duration; 3]) -> Self {
        let [delay, interval, timeout] = times;
        Self {
            probe,
            timeout: Some(timeout).filter(|timeout| !timeout.is_zero()),
            delay,
            interval: interval.max(limits::CHECK_INTERVAL_MIN),
            starting_interval: interval.max(limits::CHECK_INTERVAL_MIN),
            purpose,
            number: 0,
            in_flight: false,
            memory: Memory::default(),
        }
    }

    /// The same, asked for more often until the task is up.
    pub(super) fn starting_with(self, interval: Option<Duration>) -> Self {
        let starting_interval = interval.map_or(self.interval, |interval| {
            interval.clamp(limits::CHECK_INTERVAL_MIN, self.interval)
        });
        Self {
            starting_interval,
            ..self
        }
    }

    /// When it is due for the first time, of a task that runs since `started`: not before now, if
    /// an agent takes it up that was restarted.
    pub(crate) fn first(&self, started: Time, now: Time) -> Time {
        (started + self.delay).max(now)
    }

    /// It is due: gives the number under which it is to be carried out, unless it still is.
    pub(crate) const fn begin(&mut self) -> Option<u64> {
        if self.in_flight {
            return None;
        }
        self.in_flight = true;
        self.number += 1;
        Some(self.number)
    }

    /// Takes a finding in, of a task that runs since `started`. `None` when it is not what is
    /// waited for. Otherwise, what it means, and when the check is due again.
    pub(crate) fn found(
        &mut self,
        now: Time,
        started: Time,
        number: u64,
        finding: &Finding,
    ) -> Option<(Judgement, Time)> {
        if !self.in_flight || number != self.number {
            return None;
        }
        self.in_flight = false;
        let judgement = match self.purpose {
            Purpose::Inform => self.inform(finding),
            Purpose::Health { failures, grace } => {
                let excused = !self.memory.settled && now <= started + grace;
                self.judge(finding, failures, excused)
            }
        };
        let pause = if self.memory.settled {
            self.interval
        } else {
            self.starting_interval
        };
        Some((judgement, now + pause))
    }

    /// The framework hears what is new (Mesos: CHK-03).
    fn inform(&mut self, finding: &Finding) -> Judgement {
        // All that brings no answer is the same to it.
        let answer = match finding {
            Finding::TimedOut | Finding::Failed(_) => Finding::TimedOut,
            answer => answer.clone(),
        };
        let is_new = match &self.memory.last {
            None => answer != Finding::TimedOut,
            Some(last) => *last != answer,
        };
        self.memory.last = Some(answer);
        if is_new {
            Judgement::Tell
        } else {
            Judgement::Nothing
        }
    }

    /// Well: told when that is new. Not well: told each time, unless it does not count yet (Mesos:
    /// CHK-02).
    fn judge(&mut self, finding: &Finding, most: u32, excused: bool) -> Judgement {
        let memory = &mut self.memory;
        if finding.is_well() {
            let is_new = !memory.settled || memory.failures > 0;
            (memory.settled, memory.failures) = (true, 0);
            memory.last = Some(finding.clone());
            return if is_new {
                Judgement::Healthy
            } else {
                Judgement::Nothing
            };
        }
        if excused {
            return Judgement::Nothing;
        }
        memory.settled = true;
        memory.failures = memory.failures.saturating_add(1);
        memory.last = Some(finding.clone());
        Judgement::Unhealthy {
            why: finding.words(),
            kill: memory.failures >= most,
        }
    }

    /// Whether the task is well as far as this check goes: `None` before it said, and if it is not
    /// one that could.
    pub(crate) const fn is_well(&self) -> Option<bool> {
        match self.purpose {
            Purpose::Health { .. } if self.memory.settled => Some(self.memory.failures == 0),
            _ => None,
        }
    }

    /// Whether it is a health check.
    pub(crate) const fn is_health(&self) -> bool {
        matches!(self.purpose, Purpose::Health { .. })
    }

    /// What it found last.
    pub(crate) const fn last(&self) -> Option<&Finding> {
        self.memory.last.as_ref()
    }

    /// What is to be known of it after a restart of the agent.
    pub(crate) const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Goes on where an earlier agent stopped.
    pub(crate) fn remember(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// Whether it is being carried out.
    #[cfg(test)]
    pub(super) const fn in_flight(&self) -> bool {
        self.in_flight
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::Target, *};

    fn seconds(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn check(purpose: Purpose) -> Check {
        let at = Target {
            port: 80,
            version_6: false,
        };
        let times = [15, 10, 20].map(Duration::from_secs);
        Check::new(Probe::Tcp { at }, purpose, times)
    }

    fn health() -> Check {
        check(Purpose::Health {
            failures: 3,
            grace: Duration::from_secs(30),
        })
    }

    /// Carries a check out at a time.
    fn at(check: &mut Check, now: u64, well: bool) -> Judgement {
        let number = check.begin().expect("it is not on its way");
        let finding = Finding::Tcp(well);
        let (judgement, next) = check
            .found(seconds(now), seconds(0), number, &finding)
            .unwrap();
        assert_eq!(next, seconds(now + 10));
        judgement
    }

    fn unhealthy(kill: bool) -> Judgement {
        Judgement::Unhealthy {
            why: "the port takes no connections".to_owned(),
            kill,
        }
    }

    #[test]
    fn a_check_is_due_after_its_delay_and_at_once_when_that_is_over() {
        assert_eq!(health().first(seconds(100), seconds(100)), seconds(115));
        assert_eq!(health().first(seconds(100), seconds(900)), seconds(900));
    }

    #[test]
    fn failures_within_the_grace_period_do_not_count_until_it_was_well() {
        let mut check = health();
        assert_eq!(at(&mut check, 15, false), Judgement::Nothing);
        assert_eq!(at(&mut check, 30, false), Judgement::Nothing);
        assert_eq!(check.is_well(), None);
        assert_eq!(at(&mut check, 31, false), unhealthy(false));
        let mut check = health();
        assert_eq!(at(&mut check, 15, true), Judgement::Healthy);
        assert_eq!(at(&mut check, 16, false), unhealthy(false));
        assert_eq!(check.is_well(), Some(false));
    }

    #[test]
    fn a_task_is_killed_when_it_fails_so_often_in_a_row_and_success_forgives() {
        let mut check = health();
        for (now, well, expected) in [
            (40, false, unhealthy(false)),
            (50, false, unhealthy(false)),
            (60, true, Judgement::Healthy),
            (70, true, Judgement::Nothing),
            (80, false, unhealthy(false)),
            (90, false, unhealthy(false)),
            (100, false, unhealthy(true)),
        ] {
            assert_eq!(at(&mut check, now, well), expected, "at {now}");
        }
    }

    #[test]
    fn a_plain_check_is_told_when_its_answer_changes_or_goes_away() {
        let mut check = check(Purpose::Inform);
        let mut found = |finding: Finding| {
            let number = check.begin().unwrap();
            check
                .found(seconds(1), seconds(0), number, &finding)
                .unwrap()
                .0
        };
        assert_eq!(found(Finding::TimedOut), Judgement::Nothing);
        assert_eq!(found(Finding::Tcp(false)), Judgement::Tell);
        assert_eq!(found(Finding::Tcp(false)), Judgement::Nothing);
        assert_eq!(found(Finding::Tcp(true)), Judgement::Tell);
        assert_eq!(found(Finding::Failed("no".to_owned())), Judgement::Tell);
        assert_eq!(found(Finding::TimedOut), Judgement::Nothing);
        assert_eq!(found(Finding::Tcp(true)), Judgement::Tell);
    }

    #[test]
    fn one_is_on_its_way_at_a_time_and_stale_findings_mean_nothing() {
        let mut check = health();
        let number = check.begin().unwrap();
        assert_eq!(check.begin(), None);
        let well = Finding::Tcp(true);
        assert_eq!(check.found(seconds(1), seconds(0), number + 1, &well), None);
        assert!(check.in_flight());
        assert!(check.found(seconds(1), seconds(0), number, &well).is_some());
        assert_eq!(check.found(seconds(1), seconds(0), number, &well), None);
    }

    #[test]
    fn a_check_is_frequent_until_the_task_is_up_if_that_was_asked_for() {
        let mut check = health().starting_with(Some(Duration::from_secs(2)));
        let mut next = |now: u64, well: bool| {
            let number = check.begin().unwrap();
            let finding = Finding::Tcp(well);
            check
                .found(seconds(now), seconds(0), number, &finding)
                .unwrap()
                .1
        };
        assert_eq!(next(1, false), seconds(3));
        assert_eq!(next(3, true), seconds(13));
        assert_eq!(next(13, false), seconds(23));
    }

    #[test]
    fn a_later_agent_goes_on_counting() {
        let mut first = health();
        at(&mut first, 40, false);
        at(&mut first, 50, false);
        let mut second = health();
        second.remember(first.memory().clone());
        assert_eq!(second.is_well(), Some(false));
        assert_eq!(at(&mut second, 60, false), unhealthy(true));
    }

    /// What the rules say, over the whole of a history: the slow way.
    fn expected(history: &[(u64, bool)], most: u32, grace: u64) -> Vec<Judgement> {
        let mut judgements = Vec::new();
        for end in 1..=history.len() {
            let past = &history[..end];
            let counts = |index: usize| {
                let (now, well) = past[index];
                well || now > grace
                    || past[..index].iter().any(|(_, well)| *well)
                    || past[..index].iter().any(|(then, _)| *then > grace)
            };
            let counted: Vec<bool> = (0..end)
                .filter(|index| counts(*index))
                .map(|index| past[index].1)
                .collect();
            let (_, well) = past[end - 1];
            judgements.push(if !counts(end - 1) {
                Judgement::Nothing
            } else if well {
                let before = counted.iter().rev().nth(1);
                if before == Some(&true) {
                    Judgement::Nothing
                } else {
                    Judgement::Healthy
                }
            } else {
                let failed = counted.iter().rev().take_while(|well| !**well).count();
                unhealthy(failed as u32 >= most)
            });
        }
        judgements
    }

    proptest! {
        #[test]
        fn the_state_machine_says_what_the_rules_say_of_any_history(
            steps in prop::collection::vec((0_u64..20, any::<bool>()), 1..40),
            most in 0_u32..5,
            grace in 0_u64..60,
        ) {
            let mut check = check(Purpose::Health {
                failures: most,
                grace: Duration::from_secs(grace),
            });
            let mut now = 0;
            let history: Vec<(u64, bool)> = steps
                .into_iter()
                .map(|(pause, well)| {
                    now += pause;
                    (now, well)
                })
                .collect();
            let judged: Vec<_> =
                history.iter().map(|(now, well)| at(&mut check, *now, *well)).collect();
            prop_assert_eq!(judged, expected(&history, most, grace));
        }
    }
}
