//! `/roles`.

use axum::{extract::State, response::Response};
use serde_json::{Value, json};
use tepui_edge::http::{
    Page, Refusal,
    amounts::{quantities, reserved_to},
};
use tepui_proto::v1::{
    self,
    master::{
        call,
        response::{GetAgents, GetFrameworks},
    },
};

use super::super::Site;

/// Each role with its weight, its quota and what it has.
pub(super) async fn roles(page: Page, State(site): State<Site>) -> Result<Response, Refusal> {
    let roles = site
        .desk
        .read(call::Type::GetRoles)
        .await?
        .get_roles
        .unwrap_or_default();
    let quota = site.desk.read(call::Type::GetQuota).await?.get_quota;
    let configs = quota.map(|it| it.status.configs).unwrap_or_default();
    let state = site
        .desk
        .read(call::Type::GetState)
        .await?
        .get_state
        .unwrap_or_default();
    let frameworks = state.get_frameworks.unwrap_or_default();
    let agents = state.get_agents.unwrap_or_default();
    let view = |role: &v1::Role| {
        let config = configs.iter().find(|config| config.role == role.name);
        show(role, config, &frameworks, &agents)
    };
    let roles: Vec<_> = roles.roles.iter().map(view).collect();
    Ok(page.show(json!({"roles": roles})).await)
}

fn show(
    role: &v1::Role,
    config: Option<&v1::quota::QuotaConfig>,
    frameworks: &GetFrameworks,
    agents: &GetAgents,
) -> Value {
    let is_mine = |it: &&v1::Resource| {
        it.allocation_info
            .as_ref()
            .is_some_and(|info| info.role() == role.name)
    };
    let all = || frameworks.frameworks.iter();
    let allocated = || all().flat_map(|it| &it.allocated_resources).filter(is_mine);
    let offered = || all().flat_map(|it| &it.offered_resources).filter(is_mine);
    let totals = agents.agents.iter().flat_map(|it| &it.total_resources);
    let reserved = totals.filter(|it| reserved_to(it) == Some(&role.name));
    let ids = role.frameworks.iter().map(|id| id.value.as_str());
    json!({
        "name": role.name,
        "weight": role.weight,
        "quota": {
            "role": role.name,
            "guarantee": limits(config.map(|it| &it.guarantees)),
            "limit": limits(config.map(|it| &it.limits)),
            "consumed": quantities(allocated()),
        },
        "resources": quantities(allocated().chain(offered())),
        "allocated": quantities(allocated()),
        "offered": quantities(offered()),
        "reserved": quantities(reserved),
        "frameworks": ids.collect::<Vec<_>>(),
    })
}

fn limits(map: Option<&std::collections::BTreeMap<String, v1::value::Scalar>>) -> Value {
    let entries = map.into_iter().flatten();
    Value::Object(
        entries
            .map(|(name, it)| (name.clone(), json!(it.value)))
            .collect(),
    )
}
