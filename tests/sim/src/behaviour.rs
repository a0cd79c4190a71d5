//! What a task's program does. It travels to the agent as the task's command line.

use core::{fmt, str::FromStr, time::Duration};

use crate::dice::Dice;

/// What a program does with SIGTERM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnTerm {
    /// It dies of it.
    Dies,
    /// It ends well.
    EndsWell,
    /// It goes on.
    Ignores,
}

/// What a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Behaviour {
    /// How long it runs; until it is killed when `None`.
    pub(crate) runs_for: Option<Duration>,
    /// The exit status with which it ends by itself.
    pub(crate) code: i32,
    pub(crate) on_term: OnTerm,
}

impl Behaviour {
    fn on_term(dice: &mut Dice) -> OnTerm {
        dice.pick(&[
            OnTerm::Dies,
            OnTerm::Dies,
            OnTerm::EndsWell,
            OnTerm::Ignores,
        ])
    }

    /// A program that ends by itself, mostly well.
    pub(crate) fn job(dice: &mut Dice) -> Self {
        let runs_for = Some(dice.millis(0, 40_000));
        let code = if dice.chance(0.85) { 0 } else { 1 };
        Self {
            runs_for,
            code,
            on_term: Self::on_term(dice),
        }
    }

    /// A program that runs until it is killed.
    pub(crate) fn service(dice: &mut Dice) -> Self {
        Self {
            runs_for: None,
            code: 0,
            on_term: Self::on_term(dice),
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.runs_for {
            Some(span) => write!(formatter, "run {}", span.as_micros())?,
            None => write!(formatter, "run forever")?,
        }
        let on_term = match self.on_term {
            OnTerm::Dies => "dies",
            OnTerm::EndsWell => "ends",
            OnTerm::Ignores => "ignores",
        };
        write!(formatter, " exit {} term {on_term}", self.code)
    }
}

/// A command line that no framework of a run writes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown;

impl FromStr for Behaviour {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let words: Vec<&str> = text.split(' ').collect();
        let ["run", span, "exit", code, "term", on_term] = words[..] else {
            return Err(Unknown);
        };
        let runs_for = match span {
            "forever" => None,
            micros => Some(Duration::from_micros(micros.parse().map_err(|_| Unknown)?)),
        };
        let on_term = match on_term {
            "dies" => OnTerm::Dies,
            "ends" => OnTerm::EndsWell,
            "ignores" => OnTerm::Ignores,
            _ => return Err(Unknown),
        };
        Ok(Self {
            runs_for,
            code: code.parse().map_err(|_| Unknown)?,
            on_term,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_behaviour_is_read_back_from_its_command_line() {
        let mut dice = Dice::new(7);
        for _ in 0..100 {
            for behaviour in [Behaviour::job(&mut dice), Behaviour::service(&mut dice)] {
                assert_eq!(behaviour.to_string().parse(), Ok(behaviour));
            }
        }
        assert_eq!("sleep 1".parse::<Behaviour>(), Err(Unknown));
    }
}
