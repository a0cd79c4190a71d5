//! What must be in a call of an operator, in Mesos' words.

use tepui_proto::v1::master::{Call, call};

use tepui_edge::http::Refusal;

/// The calls that UPDATE_QUOTA took the place of.
#[expect(deprecated, reason = "Mesos' clients still use them")]
const SET_QUOTA: call::Type = call::Type::SetQuota;
#[expect(deprecated, reason = "Mesos' clients still use them")]
const REMOVE_QUOTA: call::Type = call::Type::RemoveQuota;

fn invalid(problem: &str) -> Refusal {
    Refusal::bad_request(format!("Failed to validate master::Call: {problem}"))
}

/// Looks whether everything is there that a call of its type must have.
pub(super) fn check(call: &Call) -> Result<(), Refusal> {
    // A type that this version does not know is as none.
    let Some(Ok(kind)) = call.r#type.map(call::Type::try_from) else {
        return Err(invalid("Expecting 'type' to be present"));
    };
    match part(call, kind) {
        Some((field, false)) => Err(invalid(&format!("Expecting '{field}' to be present"))),
        _ => Ok(()),
    }
}

/// The part that a call of this type must have, and whether it has it.
#[expect(deprecated, reason = "Mesos' clients still use the old calls")]
fn part(call: &Call, kind: call::Type) -> Option<(&'static str, bool)> {
    use call::Type;
    Some(match kind {
        Type::GetMetrics => ("get_metrics", call.get_metrics.is_some()),
        Type::SetLoggingLevel => ("set_logging_level", call.set_logging_level.is_some()),
        Type::ListFiles => ("list_files", call.list_files.is_some()),
        Type::ReadFile => ("read_file", call.read_file.is_some()),
        Type::UpdateWeights => ("update_weights", call.update_weights.is_some()),
        Type::ReserveResources => ("reserve_resources", call.reserve_resources.is_some()),
        Type::UnreserveResources => ("unreserve_resources", call.unreserve_resources.is_some()),
        Type::CreateVolumes => ("create_volumes", call.create_volumes.is_some()),
        Type::DestroyVolumes => ("destroy_volumes", call.destroy_volumes.is_some()),
        Type::GrowVolume => ("grow_volume", call.grow_volume.is_some()),
        Type::ShrinkVolume => ("shrink_volume", call.shrink_volume.is_some()),
        Type::StartMaintenance => ("start_maintenance", call.start_maintenance.is_some()),
        Type::StopMaintenance => ("stop_maintenance", call.stop_maintenance.is_some()),
        Type::DrainAgent => ("drain_agent", call.drain_agent.is_some()),
        Type::DeactivateAgent => ("deactivate_agent", call.deactivate_agent.is_some()),
        Type::ReactivateAgent => ("reactivate_agent", call.reactivate_agent.is_some()),
        Type::UpdateQuota => ("update_quota", call.update_quota.is_some()),
        Type::Teardown => ("teardown", call.teardown.is_some()),
        Type::MarkAgentGone => ("mark_agent_gone", call.mark_agent_gone.is_some()),
        SET_QUOTA => ("set_quota", call.set_quota.is_some()),
        REMOVE_QUOTA => ("remove_quota", call.remove_quota.is_some()),
        Type::UpdateMaintenanceSchedule => {
            let part = call.update_maintenance_schedule.is_some();
            ("update_maintenance_schedule", part)
        }
        _ => return None,
    })
}
