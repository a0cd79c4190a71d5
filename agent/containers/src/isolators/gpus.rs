//! `gpu/nvidia`: whole GPUs for who asks for them, and none for others (Mesos: ISO-09).
//!
//! Which ones is decided before, and the device files are `cgroups/devices`' to give. This tells
//! the programs, by the variable that NVIDIA's container toolkit goes by.

use super::{Isolate, Machine, Preparation};
use crate::LaunchError;

pub(super) struct Gpus;

/// The numbers of the GPUs; `void` is none.
const VARIABLE: &str = "NVIDIA_VISIBLE_DEVICES";

impl Isolate for Gpus {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.gpus.problem.clone()
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        if container.plan.hold {
            return Ok(());
        }
        let numbers = container.granted.gpus.iter().map(u32::to_string);
        let numbers: Vec<_> = numbers.collect();
        let value = match numbers.is_empty() {
            true => "void".to_owned(),
            false => numbers.join(","),
        };
        // Images say `all`.
        let environment = &mut container.plan.environment;
        environment.retain(|(name, _)| name != VARIABLE);
        environment.push((VARIABLE.to_owned(), value));
        Ok(())
    }
}
