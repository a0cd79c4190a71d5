//! Where an executor finds itself: what its agent tells it by the environment.

use std::{env, time::Duration};

use tepui_model::{ExecutorId, FrameworkId};

use crate::Error;

/// Where an executor finds itself, and how long it looks for an agent that is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorPlace {
    /// The agent, as `HOST:PORT`.
    pub agent: String,
    /// Whose executor it is.
    pub framework_id: FrameworkId,
    /// Which.
    pub executor_id: ExecutorId,
    /// How long it looks for an agent that went away; nothing unless the framework checkpoints.
    pub recovery_timeout: Duration,
    /// The longest pause between two attempts.
    pub longest_backoff: Duration,
    /// What proves to the agent who calls, if it asks for that.
    pub token: Option<String>,
}

impl ExecutorPlace {
    /// Reads what the agent said by the variables that Mesos documents.
    ///
    /// # Errors
    /// [`Error::Incomplete`] with the name of a variable that is missing or makes no sense: the
    /// program was not started by an agent.
    pub fn from_environment() -> Result<Self, Error> {
        Self::read(|name| env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let missing = |what| Error::Incomplete {
            address: "the environment".to_owned(),
            what,
        };
        let get = |what: &'static str| variable(what).ok_or_else(|| missing(what));
        const FRAMEWORK: &str = "MESOS_FRAMEWORK_ID";
        const EXECUTOR: &str = "MESOS_EXECUTOR_ID";
        let checkpoints = variable("MESOS_CHECKPOINT").as_deref() == Some("1");
        let span = |name: &str| variable(name).as_deref().and_then(span);
        let recovery = span("MESOS_RECOVERY_TIMEOUT").unwrap_or_default();
        let backoff = span("MESOS_SUBSCRIPTION_BACKOFF_MAX");
        Ok(Self {
            agent: get("MESOS_AGENT_ENDPOINT")?,
            framework_id: FrameworkId::new(get(FRAMEWORK)?).map_err(|_| missing(FRAMEWORK))?,
            executor_id: ExecutorId::new(get(EXECUTOR)?).map_err(|_| missing(EXECUTOR))?,
            recovery_timeout: if checkpoints {
                recovery
            } else {
                Duration::ZERO
            },
            longest_backoff: backoff.unwrap_or(Duration::from_secs(2)),
            token: variable("MESOS_EXECUTOR_AUTHENTICATION_TOKEN"),
        })
    }
}

/// A span as Mesos writes it: a number and one unit.
fn span(text: &str) -> Option<Duration> {
    let digits = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "secs" => 1.0,
        "mins" => 60.0,
        "hrs" => 3600.0,
        "days" => 86_400.0,
        "weeks" => 604_800.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(change: &[(&str, Option<&str>)]) -> Result<ExecutorPlace, Error> {
        let mut all = HashMap::from([
            ("MESOS_AGENT_ENDPOINT", "host:5051"),
            ("MESOS_FRAMEWORK_ID", "f"),
            ("MESOS_EXECUTOR_ID", "e"),
            ("MESOS_CHECKPOINT", "1"),
            ("MESOS_RECOVERY_TIMEOUT", "15mins"),
            ("MESOS_SUBSCRIPTION_BACKOFF_MAX", "1500ms"),
        ]);
        for (name, value) in change {
            match value {
                Some(value) => all.insert(name, value),
                None => all.remove(name),
            };
        }
        ExecutorPlace::read(|name| all.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn the_place_is_what_the_agent_says() {
        let place = read(&[]).unwrap();
        assert_eq!(place.agent, "host:5051");
        assert_eq!(place.recovery_timeout, Duration::from_secs(900));
        assert_eq!(place.longest_backoff, Duration::from_millis(1500));
        let place = read(&[("MESOS_CHECKPOINT", Some("0"))]).unwrap();
        assert_eq!(place.recovery_timeout, Duration::ZERO);
    }

    #[test]
    fn a_variable_that_is_missing_or_wrong_is_named() {
        let refusal = read(&[("MESOS_AGENT_ENDPOINT", None)]).unwrap_err();
        assert!(refusal.to_string().contains("MESOS_AGENT_ENDPOINT"));
        let refusal = read(&[("MESOS_EXECUTOR_ID", Some("a/b"))]).unwrap_err();
        assert!(refusal.to_string().contains("MESOS_EXECUTOR_ID"));
    }
}
