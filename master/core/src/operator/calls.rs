//! Which operator calls there are, and who answers them.

use std::sync::Arc;

use tepui_model::{FrameworkId, FrameworkKey, Offer, TaskId};
use tepui_proto::v1::{
    self,
    master::{Call, Response, call, response},
};

use super::{OperatorCall, OperatorError, OperatorReply, resources::order};
use crate::{
    Master,
    calls::Kill,
    effects::{Effect, Effects},
    events::RequestId,
    frameworks::FrameworkState,
    views::Snapshot,
};

/// The calls that UPDATE_QUOTA took the place of (Mesos: QUO-04).
#[expect(deprecated, reason = "Mesos' clients still use them")]
const OLD_SET_QUOTA: call::Type = call::Type::SetQuota;
#[expect(deprecated, reason = "Mesos' clients still use them")]
const OLD_REMOVE_QUOTA: call::Type = call::Type::RemoveQuota;

impl Master {
    pub(crate) fn operate(
        &mut self,
        request: RequestId,
        call: OperatorCall,
        effects: &mut Effects,
    ) {
        let result = match call {
            OperatorCall::V1(call) => self.v1_call(&call, effects),
            OperatorCall::KillTask {
                framework_id,
                task_id,
                grace,
            } => {
                let kill = Kill {
                    task_id,
                    agent_id: None,
                    grace,
                };
                self.operator_kill(framework_id.as_ref(), &kill, effects)
            }
            OperatorCall::Offers { framework_id } => {
                Ok(OperatorReply::Offers(self.offers_to(framework_id.as_ref())))
            }
            OperatorCall::Explain(request) => self.explain(&request),
            OperatorCall::Figures => Ok(OperatorReply::Figures(Box::new(self.figures()))),
            OperatorCall::FindFramework(id) => {
                self.find_framework(&id).map(|_| OperatorReply::Done)
            }
            OperatorCall::UpdateFramework {
                framework_id,
                update,
            } => self.find_framework(&framework_id).and_then(|key| {
                let updated = self.try_update_framework(key, *update, effects);
                let invalid = |problem| OperatorError::Invalid(problem);
                updated.map(|()| OperatorReply::Done).map_err(invalid)
            }),
            OperatorCall::UpdatePriorities(wire) => self.update_priorities(&wire, effects),
            OperatorCall::Priorities => Ok(OperatorReply::Priorities(self.get_priorities())),
        };
        effects.push(Effect::Reply { request, result });
    }

    fn v1_call(
        &mut self,
        call: &Call,
        effects: &mut Effects,
    ) -> Result<OperatorReply, OperatorError> {
        let unset = |field: &str| OperatorError::Invalid(format!("{field} must be set"));
        if let Some(order) = order(call) {
            return self.operate_on_resources(order?, effects);
        }
        match call.r#type() {
            call::Type::Teardown => {
                let teardown = call.teardown.as_ref().ok_or_else(|| unset("teardown"))?;
                self.operator_teardown(&teardown.framework_id.value, effects)
            }
            call::Type::UpdateWeights => {
                let update = call.update_weights.as_ref();
                let update = update.ok_or_else(|| unset("update_weights"))?;
                self.update_weights(&update.weight_infos, effects)
            }
            call::Type::MarkAgentGone => {
                let mark = call.mark_agent_gone.as_ref();
                let mark = mark.ok_or_else(|| unset("mark_agent_gone"))?;
                self.mark_agent_gone(&mark.agent_id, effects)
            }
            call::Type::UpdateQuota | OLD_SET_QUOTA | OLD_REMOVE_QUOTA => {
                self.quota_call(call, effects)
            }
            call::Type::UpdateMaintenanceSchedule => {
                let update = call.update_maintenance_schedule.as_ref();
                let update = update.ok_or_else(|| unset("update_maintenance_schedule"))?;
                self.update_schedule(&update.schedule, effects)
            }
            call::Type::StartMaintenance => {
                let start = call.start_maintenance.as_ref();
                let start = start.ok_or_else(|| unset("start_maintenance"))?;
                self.start_maintenance(&start.machines, effects)
            }
            call::Type::StopMaintenance => {
                let stop = call.stop_maintenance.as_ref();
                let stop = stop.ok_or_else(|| unset("stop_maintenance"))?;
                self.stop_maintenance(&stop.machines, effects)
            }
            call::Type::DrainAgent => {
                let drain = call.drain_agent.as_ref();
                self.drain_agent(drain.ok_or_else(|| unset("drain_agent"))?, effects)
            }
            call::Type::DeactivateAgent => {
                let deactivate = call.deactivate_agent.as_ref();
                let deactivate = deactivate.ok_or_else(|| unset("deactivate_agent"))?;
                self.deactivate_agent(&deactivate.agent_id, effects)
            }
            call::Type::ReactivateAgent => {
                let reactivate = call.reactivate_agent.as_ref();
                let reactivate = reactivate.ok_or_else(|| unset("reactivate_agent"))?;
                self.reactivate_agent(&reactivate.agent_id, effects)
            }
            kind if Snapshot::answers(kind) => {
                Ok(OperatorReply::Snapshot(Box::new(self.snapshot())))
            }
            _ => self
                .query(call)
                .map(|response| OperatorReply::V1(Box::new(response))),
        }
    }

    #[expect(deprecated, reason = "Mesos' clients still use the old calls")]
    fn quota_call(
        &mut self,
        call: &Call,
        effects: &mut Effects,
    ) -> Result<OperatorReply, OperatorError> {
        let unset = |field: &str| OperatorError::Invalid(format!("{field} must be set"));
        match call.r#type() {
            call::Type::UpdateQuota => {
                let update = call.update_quota.as_ref();
                let update = update.ok_or_else(|| unset("update_quota"))?;
                self.update_quota(&update.quota_configs, update.force(), effects)
            }
            OLD_SET_QUOTA => {
                let set = call.set_quota.as_ref().ok_or_else(|| unset("set_quota"))?;
                self.set_quota(&set.quota_request, effects)
            }
            _ => {
                let remove = call.remove_quota.as_ref();
                let remove = remove.ok_or_else(|| unset("remove_quota"))?;
                self.remove_quota(&remove.role, effects)
            }
        }
    }

    /// Answers a call of the v1 operator API that changes nothing.
    pub fn query(&self, call: &Call) -> Result<Response, OperatorError> {
        use response::Type;
        let kind = |kind: Type| Response {
            r#type: Some(kind.into()),
            ..Response::default()
        };
        if Snapshot::answers(call.r#type()) {
            return Ok(self.snapshot().answer(call.r#type()));
        }
        Ok(match call.r#type() {
            call::Type::GetHealth => Response {
                get_health: Some(response::GetHealth { healthy: true }),
                ..kind(Type::GetHealth)
            },
            call::Type::GetVersion => Response {
                get_version: Some(response::GetVersion {
                    version_info: self.version(),
                }),
                ..kind(Type::GetVersion)
            },
            call::Type::GetExecutors => Response {
                get_executors: Some(self.get_executors()),
                ..kind(Type::GetExecutors)
            },
            call::Type::GetOperations => Response {
                get_operations: Some(self.get_operations()),
                ..kind(Type::GetOperations)
            },
            call::Type::GetRoles => Response {
                get_roles: Some(self.get_roles()),
                ..kind(Type::GetRoles)
            },
            call::Type::GetWeights => Response {
                get_weights: Some(self.get_weights()),
                ..kind(Type::GetWeights)
            },
            call::Type::GetMaster => Response {
                get_master: Some(self.get_master()),
                ..kind(Type::GetMaster)
            },
            other => return self.query_decisions(other),
        })
    }

    /// The reads of what operators decided.
    fn query_decisions(&self, call: call::Type) -> Result<Response, OperatorError> {
        let schedule = || response::GetMaintenanceSchedule {
            schedule: self.maintenance_schedule(),
        };
        let status = || response::GetMaintenanceStatus {
            status: self.maintenance_status(),
        };
        let mut answer = Response::default();
        let kind = match call {
            call::Type::GetQuota => {
                let status = self.quota_status();
                answer.get_quota = Some(response::GetQuota { status });
                response::Type::GetQuota
            }
            call::Type::GetMaintenanceSchedule => {
                answer.get_maintenance_schedule = Some(schedule());
                response::Type::GetMaintenanceSchedule
            }
            call::Type::GetMaintenanceStatus => {
                answer.get_maintenance_status = Some(status());
                response::Type::GetMaintenanceStatus
            }
            call::Type::Unknown => {
                let problem = "type must be a known call";
                return Err(OperatorError::Invalid(problem.to_owned()));
            }
            other => return Err(OperatorError::Unsupported(other.as_str_name())),
        };
        answer.r#type = Some(kind.into());
        Ok(answer)
    }

    fn version(&self) -> v1::VersionInfo {
        tepui_model::version_info(self.info.version())
    }

    /// The outstanding offers, to one framework when set, in the order they were made.
    #[must_use]
    pub fn offers_to(&self, framework: Option<&FrameworkId>) -> Vec<Arc<Offer>> {
        let offers = self.offers.iter().map(|(_, held)| &held.offer);
        let wanted = |offer: &&Arc<Offer>| framework.is_none_or(|id| offer.framework_id == *id);
        offers.filter(wanted).cloned().collect()
    }

    fn find_framework(&self, id: &FrameworkId) -> Result<FrameworkKey, OperatorError> {
        let framework = self.frameworks.by_id.get(id);
        let framework = framework.and_then(|key| self.frameworks.get(*key));
        framework
            .filter(|framework| framework.state != FrameworkState::Ending)
            .map(|framework| framework.key)
            .ok_or_else(|| OperatorError::NotFound("Framework cannot be found".to_owned()))
    }

    fn operator_teardown(
        &mut self,
        id: &str,
        effects: &mut Effects,
    ) -> Result<OperatorReply, OperatorError> {
        let unknown = || OperatorError::NotFound(format!("No framework found with ID {id}"));
        let framework = self
            .frameworks
            .by_id
            .get(id)
            .and_then(|key| self.frameworks.get(*key));
        let framework = framework.filter(|framework| framework.state != FrameworkState::Ending);
        let key = framework.ok_or_else(unknown)?.key;
        self.teardown(key, Some("Framework has been removed"), effects);
        Ok(OperatorReply::Done)
    }

    fn operator_kill(
        &mut self,
        framework_id: Option<&FrameworkId>,
        kill: &Kill,
        effects: &mut Effects,
    ) -> Result<OperatorReply, OperatorError> {
        let key = self.owner(framework_id, &kill.task_id)?;
        self.kill(key, kill, effects);
        Ok(OperatorReply::Done)
    }

    /// Whose task that is.
    fn owner(
        &self,
        framework_id: Option<&FrameworkId>,
        task: &TaskId,
    ) -> Result<FrameworkKey, OperatorError> {
        let named = |id: &FrameworkId| framework_id.is_none_or(|named| named == id);
        let mut owners = self.frameworks.iter().filter(|framework| {
            let known = framework
                .tasks
                .get(task)
                .is_some_and(|task| !task.is_over());
            named(&framework.id) && (known || framework.unreachable.get(task).is_some())
        });
        let owner = owners.next().ok_or_else(|| {
            OperatorError::NotFound(format!("no task {task} that has not ended was found"))
        })?;
        match owners.next() {
            None => Ok(owner.key),
            Some(other) => Err(OperatorError::Invalid(format!(
                "frameworks {} and {} both have a task {task}; name the framework too",
                owner.id, other.id,
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
