//! What an operator changes: agents, maintenance, quotas, weights, priorities, reservations,
//! volumes.

use std::time::Duration;

use tepui_model::AgentId;
use tepui_proto::{
    services,
    v1::{
        self, MachineId, Resource, WeightInfo, maintenance,
        master::{
            Call,
            call::{self, Type},
            response,
        },
        quota,
    },
};

use super::{Operator, of};
use crate::Error;

impl Operator {
    /// Offers an agent no more and ends its tasks, each with its own grace period or `grace` if
    /// that is shorter. With `mark_gone` the agent is given up when it is done.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn drain_agent(
        &self,
        agent: &AgentId,
        grace: Option<Duration>,
        mark_gone: bool,
    ) -> Result<(), Error> {
        let drain = call::DrainAgent {
            agent_id: agent.into(),
            // A longer time than the message can say is no limit.
            max_grace_period: grace.and_then(|grace| grace.try_into().ok()),
            mark_gone: Some(mark_gone),
        };
        self.change(Call {
            drain_agent: Some(drain),
            ..of(Type::DrainAgent)
        })
        .await
    }

    /// Offers an agent no more; its tasks go on.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn deactivate_agent(&self, agent: &AgentId) -> Result<(), Error> {
        let agent_id = agent.into();
        self.change(Call {
            deactivate_agent: Some(call::DeactivateAgent { agent_id }),
            ..of(Type::DeactivateAgent)
        })
        .await
    }

    /// Offers an agent again.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn reactivate_agent(&self, agent: &AgentId) -> Result<(), Error> {
        let agent_id = agent.into();
        self.change(Call {
            reactivate_agent: Some(call::ReactivateAgent { agent_id }),
            ..of(Type::ReactivateAgent)
        })
        .await
    }

    /// Gives an agent up for good, with its tasks.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn mark_agent_gone(&self, agent: &AgentId) -> Result<(), Error> {
        let agent_id = agent.into();
        self.change(Call {
            mark_agent_gone: Some(call::MarkAgentGone { agent_id }),
            ..of(Type::MarkAgentGone)
        })
        .await
    }

    /// GET_MAINTENANCE_SCHEDULE.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn maintenance_schedule(&self) -> Result<maintenance::Schedule, Error> {
        let part = |response: v1::master::Response| response.get_maintenance_schedule;
        let kind = Type::GetMaintenanceSchedule;
        let found = self.get(kind, "get_maintenance_schedule", part).await?;
        Ok(found.schedule)
    }

    /// Replaces the schedule.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn update_maintenance_schedule(
        &self,
        schedule: maintenance::Schedule,
    ) -> Result<(), Error> {
        self.change(Call {
            update_maintenance_schedule: Some(call::UpdateMaintenanceSchedule { schedule }),
            ..of(Type::UpdateMaintenanceSchedule)
        })
        .await
    }

    /// Takes machines of the schedule down: their agents are told to end.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn start_maintenance(&self, machines: Vec<MachineId>) -> Result<(), Error> {
        self.change(Call {
            start_maintenance: Some(call::StartMaintenance { machines }),
            ..of(Type::StartMaintenance)
        })
        .await
    }

    /// Lets machines that are down come back, and takes them out of the schedule.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn stop_maintenance(&self, machines: Vec<MachineId>) -> Result<(), Error> {
        self.change(Call {
            stop_maintenance: Some(call::StopMaintenance { machines }),
            ..of(Type::StopMaintenance)
        })
        .await
    }

    /// GET_MAINTENANCE_STATUS.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn maintenance_status(&self) -> Result<maintenance::ClusterStatus, Error> {
        let part = |response: v1::master::Response| response.get_maintenance_status;
        let kind = Type::GetMaintenanceStatus;
        let found = self.get(kind, "get_maintenance_status", part).await?;
        Ok(found.status)
    }

    /// GET_QUOTA.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn quota(&self) -> Result<quota::QuotaStatus, Error> {
        let part = |response: v1::master::Response| response.get_quota;
        let found = self.get(Type::GetQuota, "get_quota", part).await?;
        Ok(found.status)
    }

    /// Replaces the quotas of these roles, all or none. With `force` also when the limits are
    /// below what the roles have, or the guarantees above what the cluster has.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn update_quota(
        &self,
        quota_configs: Vec<quota::QuotaConfig>,
        force: bool,
    ) -> Result<(), Error> {
        let update = call::UpdateQuota {
            force: Some(force),
            quota_configs,
        };
        self.change(Call {
            update_quota: Some(update),
            ..of(Type::UpdateQuota)
        })
        .await
    }

    /// GET_WEIGHTS.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn weights(&self) -> Result<response::GetWeights, Error> {
        let part = |response: v1::master::Response| response.get_weights;
        self.get(Type::GetWeights, "get_weights", part).await
    }

    /// Sets the weights of these roles, all or none.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn update_weights(&self, weight_infos: Vec<WeightInfo>) -> Result<(), Error> {
        self.change(Call {
            update_weights: Some(call::UpdateWeights { weight_infos }),
            ..of(Type::UpdateWeights)
        })
        .await
    }

    /// The priorities of roles that are set.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn priorities(&self) -> Result<services::GetPrioritiesResponse, Error> {
        let request = services::GetPrioritiesRequest {};
        let answer = self.client.clone().get_priorities(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refusal(status))
    }

    /// Sets the priorities of roles, or takes them away where none is given; all or none.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn update_priorities(
        &self,
        priorities: Vec<services::RolePriority>,
    ) -> Result<(), Error> {
        let request = services::UpdatePrioritiesRequest { priorities };
        let answer = self.client.clone().update_priorities(request).await;
        answer.map(drop).map_err(|status| self.refusal(status))
    }

    /// GET_OPERATIONS.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn operations(&self) -> Result<response::GetOperations, Error> {
        let part = |response: v1::master::Response| response.get_operations;
        self.get(Type::GetOperations, "get_operations", part).await
    }

    /// Reserves resources of an agent that nobody uses.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn reserve_resources(
        &self,
        agent: &AgentId,
        resources: Vec<Resource>,
    ) -> Result<(), Error> {
        let reserve = call::ReserveResources {
            agent_id: agent.into(),
            source: Vec::new(),
            resources,
        };
        self.change(Call {
            reserve_resources: Some(reserve),
            ..of(Type::ReserveResources)
        })
        .await
    }

    /// Takes reservations back.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn unreserve_resources(
        &self,
        agent: &AgentId,
        resources: Vec<Resource>,
    ) -> Result<(), Error> {
        let unreserve = call::UnreserveResources {
            agent_id: agent.into(),
            resources,
        };
        self.change(Call {
            unreserve_resources: Some(unreserve),
            ..of(Type::UnreserveResources)
        })
        .await
    }

    /// Makes volumes of reserved disk.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn create_volumes(
        &self,
        agent: &AgentId,
        volumes: Vec<Resource>,
    ) -> Result<(), Error> {
        let agent_id = agent.into();
        self.change(Call {
            create_volumes: Some(call::CreateVolumes { agent_id, volumes }),
            ..of(Type::CreateVolumes)
        })
        .await
    }

    /// Destroys volumes, with what is on them.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn destroy_volumes(
        &self,
        agent: &AgentId,
        volumes: Vec<Resource>,
    ) -> Result<(), Error> {
        let agent_id = agent.into();
        self.change(Call {
            destroy_volumes: Some(call::DestroyVolumes { agent_id, volumes }),
            ..of(Type::DestroyVolumes)
        })
        .await
    }

    /// Adds disk to a volume.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn grow_volume(
        &self,
        agent: &AgentId,
        volume: Resource,
        addition: Resource,
    ) -> Result<(), Error> {
        let grow = call::GrowVolume {
            agent_id: Some(agent.into()),
            volume,
            addition,
        };
        self.change(Call {
            grow_volume: Some(grow),
            ..of(Type::GrowVolume)
        })
        .await
    }

    /// Takes so many megabytes off a volume.
    ///
    /// # Errors
    /// As the master answers.
    pub async fn shrink_volume(
        &self,
        agent: &AgentId,
        volume: Resource,
        megabytes: f64,
    ) -> Result<(), Error> {
        let shrink = call::ShrinkVolume {
            agent_id: Some(agent.into()),
            volume,
            subtract: v1::value::Scalar { value: megabytes },
        };
        self.change(Call {
            shrink_volume: Some(shrink),
            ..of(Type::ShrinkVolume)
        })
        .await
    }

    async fn change(&self, call: Call) -> Result<(), Error> {
        self.call(call).await.map(drop)
    }
}
