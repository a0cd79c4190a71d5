//! What an agent has: what it said when it registered, and the operations since.
//!
//! The master counts an operation as done when it sends it, because messages to an agent arrive in
//! order. If the agent could not do one, that one is taken out and the others stay, as far as they
//! do not build on it.

use std::collections::VecDeque;

use tepui_model::{Conversion, Insufficient, Resources};

use super::OperationUuid;

/// The resources that an agent registered with, and what has become of them since.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    /// As registered, with the operations that are known to be done and have none before them
    /// that is not.
    base: Resources,
    /// In the order they were sent.
    steps: VecDeque<Step>,
}

#[derive(Clone, Debug)]
struct Step {
    uuid: OperationUuid,
    conversions: Vec<Conversion>,
    is_done: bool,
}

impl Ledger {
    pub(crate) const fn new(registered: Resources) -> Self {
        Self {
            base: registered,
            steps: VecDeque::new(),
        }
    }

    /// An operation was sent.
    pub(crate) fn sent(&mut self, uuid: OperationUuid, conversions: Vec<Conversion>) {
        self.steps.push_back(Step {
            uuid,
            conversions,
            is_done: false,
        });
    }

    /// The agent has done an operation.
    pub(crate) fn done(&mut self, uuid: OperationUuid) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.uuid == uuid) {
            step.is_done = true;
        }
        while let Some(step) = self.steps.pop_front_if(|step| step.is_done) {
            // What the total was made with before cannot be missing now, but for a step that was
            // passed over there too.
            let _: Result<(), Insufficient> = self.base.apply_all(&step.conversions);
        }
    }

    /// The agent has not done an operation. Whether the total may be another one now.
    pub(crate) fn not_done(&mut self, uuid: OperationUuid) -> bool {
        let before = self.steps.len();
        self.steps.retain(|step| step.uuid != uuid);
        self.steps.len() < before
    }

    /// What the agent has once it has done all that was sent. A step that cannot be done is passed
    /// over: the agent will say so too.
    pub(crate) fn total(&self) -> Resources {
        let mut total = self.base.clone();
        for step in &self.steps {
            let _: Result<(), Insufficient> = total.apply_all(&step.conversions);
        }
        total
    }

    /// The number of operations whose end is not known, or waits for that of one before.
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(text: &str) -> Resources {
        text.parse().unwrap()
    }

    fn step(consumed: &str, converted: &str) -> Vec<Conversion> {
        let (consumed, converted) = (resources(consumed), resources(converted));
        vec![Conversion {
            consumed,
            converted,
        }]
    }

    fn name(number: u8) -> OperationUuid {
        OperationUuid::from_bytes([number; 16])
    }

    #[test]
    fn the_total_is_what_was_registered_and_what_was_sent_since() {
        let mut ledger = Ledger::new(resources("cpus:4"));
        ledger.sent(name(1), step("cpus:1", "cpus(a):1"));
        ledger.sent(name(2), step("cpus(a):1", "cpus(b):1"));
        assert_eq!(ledger.total(), resources("cpus:3;cpus(b):1"));
        ledger.done(name(2));
        assert_eq!(ledger.len(), 2, "the first may still fail");
        ledger.done(name(1));
        assert_eq!(ledger.len(), 0);
        assert_eq!(ledger.total(), resources("cpus:3;cpus(b):1"));
    }

    #[test]
    fn what_is_not_done_is_taken_out_and_what_builds_on_it_is_passed_over() {
        let mut ledger = Ledger::new(resources("cpus:4"));
        ledger.sent(name(1), step("cpus:1", "cpus(a):1"));
        ledger.sent(name(2), step("cpus(a):1", "cpus(b):1"));
        ledger.sent(name(3), step("cpus:2", "cpus(c):2"));
        assert!(ledger.not_done(name(1)));
        assert_eq!(ledger.total(), resources("cpus:2;cpus(c):2"));
        assert!(ledger.not_done(name(2)));
        assert!(!ledger.not_done(name(2)));
        ledger.done(name(3));
        assert_eq!(ledger.len(), 0);
    }

    #[test]
    fn a_step_that_cannot_be_done_changes_nothing() {
        let mut ledger = Ledger::new(resources("cpus:1"));
        ledger.sent(name(1), step("cpus:2", "cpus(a):2"));
        ledger.done(name(1));
        assert_eq!((ledger.total(), ledger.len()), (resources("cpus:1"), 0));
    }
}
