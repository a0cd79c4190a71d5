//! Writes down what a task is to do, and describes it to the master.

use std::collections::BTreeMap;

use tepui_sdk::{TaskBuilder, TaskInvalid};

use super::{Job, State};
use crate::{
    ids::Place,
    plan::{Plan, PlanError, Shuffle, Sink, Source, WORKER_COMMAND},
    spec::Builtin,
};

impl Job {
    /// Whether every task of the first stage can be told what to read. Later stages always can: the
    /// limits of a shuffle fit into a plan, whose tests say so.
    pub(super) fn check_plans(&self) -> Result<(), PlanError> {
        for (place, _) in self.tasks().take_while(|(place, _)| place.stage == 0) {
            // As long as any number of an attempt.
            self.plan(place, u32::MAX, String::new()).encode()?;
        }
        Ok(())
    }

    /// What an attempt is to do; `framework` is whose tasks its input comes from.
    pub(super) fn plan(&self, place: Place, attempt: u32, framework: String) -> Plan {
        let stage = place.stage as usize;
        let source = match place.stage.checked_sub(1) {
            // Each task of the first stage has its source.
            None => self.sources[place.partition as usize].clone(),
            Some(before) => Source::Shuffle(self.shuffle(before, framework)),
        };
        let sink = match self.stages.get(stage + 1) {
            None => Sink::Result,
            Some(next) => Sink::Partitions {
                count: next.len() as u32,
                sum: self.spec.stages[stage + 1].work().builtin == Some(Builtin::Sum),
            },
        };
        let work = self.spec.stages[stage].work().clone();
        Plan {
            job: self.id.clone(),
            place,
            attempt,
            source,
            work,
            sink,
        }
    }

    /// Where the outputs of a stage are, all of which are there.
    fn shuffle(&self, stage: u32, framework: String) -> Shuffle {
        let mut agents = Vec::new();
        let mut numbers = BTreeMap::new();
        let mut outputs = Vec::new();
        for task in &self.stages[stage as usize] {
            let State::Done(site) = &task.state else {
                continue;
            };
            let number = *numbers.entry(site.address.clone()).or_insert_with(|| {
                agents.push(site.address.clone());
                agents.len() as u32 - 1
            });
            outputs.push((number, task.attempt));
        }
        Shuffle {
            framework,
            agents,
            outputs,
        }
    }

    /// The task that is this attempt, still without its plan: so it is light to place.
    pub(super) fn describe(
        &self,
        place: Place,
        attempt: u32,
    ) -> Result<tepui_sdk::Task, TaskInvalid> {
        let kind = if place.stage == 0 { "map" } else { "reduce" };
        let id = format!("{}.{}.{}.{attempt}", self.id, place.stage, place.partition);
        let mut task = TaskBuilder::new(id)
            .name(format!("{} {kind} {}", self.spec.name, place.partition))
            .cpus(self.spec.cpus)
            .memory(self.spec.mem)
            .shell(format!("exec \"$TEPUI_EXECUTABLE\" {WORKER_COMMAND}"))
            .label("tepui.batch.job", self.id.as_str());
        let stages = [
            ("STAGE", place.stage),
            ("PARTITION", place.partition),
            ("ATTEMPT", attempt),
        ];
        for (name, number) in stages {
            task = task.env(format!("TEPUI_BATCH_{name}"), number.to_string());
        }
        task = task.env("TEPUI_BATCH_JOB", self.id.as_str());
        for (name, value) in &self.spec.env {
            task = task.env(name, value);
        }
        task.build()
    }
}
