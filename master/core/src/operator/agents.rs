//! MARK_AGENT_GONE: an operator says that an agent will never come back (Mesos: GON-01).

use tepui_model::AgentId;
use tepui_proto::v1;

use super::{OperatorError, OperatorReply};
use crate::{Master, effects::Effects, tasks::Verdict};

impl Master {
    pub(super) fn mark_agent_gone(
        &mut self,
        id: &v1::AgentId,
        effects: &mut Effects,
    ) -> Result<OperatorReply, OperatorError> {
        let unknown = || OperatorError::NotFound(format!("Unknown agent {}", id.value));
        let id = AgentId::try_from(id).map_err(|_| unknown())?;
        if self.agents.gone.contains(&id) {
            return Ok(OperatorReply::Done);
        }
        if let Some(key) = self.agents.by_id.get(&id).copied() {
            self.give_up_agent(key, effects);
        } else if self.agents.recovered.contains_key(&id) || self.agents.unreachable.contains(&id) {
            let message = "Agent has been marked gone";
            self.give_up_absent_agent(&id, Verdict::GoneByOperator, message, effects);
        } else {
            return Err(unknown());
        }
        Ok(OperatorReply::Done)
    }
}
