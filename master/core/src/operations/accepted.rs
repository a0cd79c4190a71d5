//! Operations of an ACCEPT: checked, counted as done, and sent (Mesos: OFF-03, RES-02, VOL-01).

use tepui_model::{
    Conversion, FrameworkKey, OperationId, OperationRules, ResourceOperation, Resources,
};

use super::{OperationState, OperationStatus};
use crate::{
    Master,
    effects::{Effects, FrameworkEvent},
    offers::Grant,
};

impl Master {
    /// Changes the nature of what is left of the accepted offers; what is made can be used by the
    /// operations that follow.
    pub(crate) fn convert(
        &mut self,
        grant: &mut Grant,
        id: Option<OperationId>,
        operation: &ResourceOperation,
        effects: &mut Effects,
    ) {
        match self.convert_granted(grant, id.as_ref(), operation) {
            Ok(conversions) => {
                let framework = self.frameworks.get(grant.framework);
                let framework = framework.map(|framework| framework.id.clone());
                let whose = (framework, id);
                self.send_operation(grant.agent, whose, operation, conversions, effects);
            }
            Err(problem) => self.refuse_operation(grant.framework, id, &problem, effects),
        }
    }

    /// All or nothing: in the grant, in the allocator and with it in the agent's total.
    fn convert_granted(
        &mut self,
        grant: &mut Grant,
        id: Option<&OperationId>,
        operation: &ResourceOperation,
    ) -> Result<Vec<Conversion>, String> {
        let text = |error: &dyn ToString| error.to_string();
        self.check_name(grant, id)?;
        self.check_rules(grant, operation)?;
        let conversions = operation.conversions().map_err(|error| text(&error))?;
        let mut left = grant.left.clone();
        left.apply_all(&conversions).map_err(|error| text(&error))?;
        self.allocator
            .convert_held(grant.framework, &grant.role, grant.agent, &conversions)
            .map_err(|error| text(&error))?;
        if matches!(
            operation,
            ResourceOperation::GrowVolume { .. } | ResourceOperation::ShrinkVolume { .. }
        ) {
            // No other operation of the same ACCEPT uses the volume (Mesos: VOL-03).
            for Conversion { converted, .. } in &conversions {
                left.subtract(converted).map_err(|error| text(&error))?;
                grant.aside += converted;
            }
        }
        grant.left = left;
        Ok(conversions)
    }

    /// Whether the framework can hear of the operation under that name (Mesos: OPF-01).
    fn check_name(&self, grant: &Grant, id: Option<&OperationId>) -> Result<(), String> {
        let (Some(framework), Some(agent)) = (
            self.frameworks.get(grant.framework),
            self.agents.get(grant.agent),
        ) else {
            return Err("The agent or the framework is gone".to_owned());
        };
        self.takes_operation(agent)?;
        match id.filter(|id| framework.operations.contains_key(*id)) {
            Some(id) => Err(format!("Operation has duplicate ID: {id}")),
            None => Ok(()),
        }
    }

    fn check_rules(&self, grant: &Grant, operation: &ResourceOperation) -> Result<(), String> {
        let (Some(framework), Some(agent)) = (
            self.frameworks.get(grant.framework),
            self.agents.get(grant.agent),
        ) else {
            return Ok(());
        };
        let total = self.allocator.total(grant.agent);
        let rules = OperationRules {
            principal: framework.info.principal.as_deref(),
            allocation_role: Some(&grant.role),
            framework: Some(framework.info.capabilities),
            agent: agent.capabilities,
            checkpointed: &total.map(Resources::checkpointed).unwrap_or_default(),
            used: &self.in_use(agent),
            // A task is launched, and in use, as soon as it is accepted.
            pending: &Resources::new(),
        };
        let verdict = operation.validate(&rules);
        verdict.map_err(|error| error.to_string())
    }

    /// An operation that is not done: the framework hears so if it named it (Mesos: OFF-04).
    pub(crate) fn refuse_operation(
        &self,
        key: FrameworkKey,
        id: Option<OperationId>,
        problem: &str,
        effects: &mut Effects,
    ) {
        if id.is_none() {
            return effects.warn(format!("dropping an operation: {problem}"));
        }
        let status = OperationStatus::new(id, OperationState::Error).saying(problem);
        self.tell(
            key,
            FrameworkEvent::OperationUpdate(Box::new(status)),
            effects,
        );
    }
}

#[cfg(test)]
mod sharing;
#[cfg(test)]
mod tests;
