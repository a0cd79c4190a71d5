//! New offers exceed no limit of a role, and leave what others are guaranteed free (invariant I4).
//!
//! Counted from what operators are shown, and not with the allocator's sums.

use std::collections::BTreeMap;

use tepui_model::{Kind, Offer, Quantity, Quota, Resources, Role, Scalars};
use tepui_proto::v1::{self, master::response::get_agents, quota::QuotaConfig};

use super::{Held, Violation, ensure};

/// The scalars that limits and guarantees are about: unreserved, and nobody's to revoke.
fn open(resources: &Resources) -> Scalars {
    let is_open = |traits: &tepui_model::Traits| {
        traits.reservations.is_empty() && !traits.revocable && !traits.shared
    };
    resources.filter(is_open).scalars()
}

fn is_within(role: &Role, other: &Role) -> bool {
    role == other || role.is_below(other)
}

/// Resources with the roles that they are given to.
fn given(wire: &[v1::Resource]) -> Result<BTreeMap<Role, Resources>, Violation> {
    let mut given: BTreeMap<Role, Resources> = BTreeMap::new();
    for resource in wire {
        let read = Resources::from_proto(core::slice::from_ref(resource));
        let (resources, role) = read.map_err(|error| Violation(error.to_string()))?;
        *given.entry(role.unwrap_or_default()).or_default() += &resources;
    }
    Ok(given)
}

/// What is where.
#[derive(Debug, Default)]
struct Books {
    /// What is reserved on all agents, by the role.
    reserved: BTreeMap<Role, Scalars>,
    /// What is unreserved and given away, as an offer or to a task, by the role.
    taken: BTreeMap<Role, Scalars>,
    /// What is unreserved and free on agents that are offered.
    available: Scalars,
}

impl Books {
    fn new(agents: &[get_agents::Agent]) -> Result<Self, Violation> {
        let mut books = Self::default();
        for agent in agents {
            books.add(agent)?;
        }
        Ok(books)
    }

    fn add(&mut self, agent: &get_agents::Agent) -> Held {
        let total = Resources::from_proto(&agent.total_resources);
        let (total, _) = total.map_err(|error| Violation(error.to_string()))?;
        for role in total.reservation_roles() {
            let kept = total.filter(|traits| traits.reservation_role() == Some(&role));
            self.reserved.entry(role).or_default().add(&kept.scalars());
        }
        let mut free = open(&total);
        for wire in [&agent.allocated_resources, &agent.offered_resources] {
            for (role, resources) in given(wire)? {
                let taken = open(&resources);
                free.sub(&taken);
                self.taken.entry(role).or_default().add(&taken);
            }
        }
        if agent.active {
            self.available.add(&free);
        }
        Ok(())
    }

    /// What a role and those below it have, or could have at any time.
    fn consumed(&self, role: &Role, kind: &Kind) -> Quantity {
        let held = self.reserved.iter().chain(&self.taken);
        held.filter(|(holder, _)| is_within(holder, role))
            .map(|(_, scalars)| scalars.get(kind))
            .sum()
    }

    fn unmet(&self, role: &Role, quota: &Quota, kind: &Kind) -> Quantity {
        let guaranteed = quota.guarantees.get(kind);
        guaranteed.saturating_sub(self.consumed(role, kind))
    }
}

/// No new offer takes a role above its limit, nor what is kept for the guarantees of others.
pub(crate) fn quotas_kept(
    configs: &[QuotaConfig],
    agents: &[get_agents::Agent],
    offers: &[&Offer],
) -> Held {
    let books = Books::new(agents)?;
    let quotas = configs.iter().map(Quota::from_proto);
    let quotas = quotas.map(|quota| quota.map_err(|error| Violation(error.to_string())));
    let quotas: BTreeMap<Role, Quota> = quotas.collect::<Result<_, Violation>>()?;
    for offer in offers {
        for (kind, amount) in open(&offer.resources).iter() {
            within_limits(&books, &quotas, offer, &kind)?;
            leaves_guarantees(&books, &quotas, offer, (&kind, amount))?;
        }
    }
    Ok(())
}

fn within_limits(
    books: &Books,
    quotas: &BTreeMap<Role, Quota>,
    offer: &Offer,
    kind: &Kind,
) -> Held {
    let above = quotas.iter();
    for (role, quota) in above.filter(|(role, _)| is_within(&offer.role, role)) {
        let Some(limit) = quota.limits.get(kind) else {
            continue;
        };
        let consumed = books.consumed(role, kind);
        ensure(consumed <= limit, || {
            let id = &offer.id;
            format!("offer {id} takes role {role} to {kind}:{consumed}, its limit is {limit}")
        })?;
    }
    Ok(())
}

/// A role on whose path nothing is guaranteed gets only what nobody's guarantee still needs. (The
/// offers to those with a guarantee, which may be more than it, are compared with the naive
/// allocator's.)
fn leaves_guarantees(
    books: &Books,
    quotas: &BTreeMap<Role, Quota>,
    offer: &Offer,
    (kind, amount): (&Kind, Quantity),
) -> Held {
    let has_guarantee = |(role, quota): (&Role, &Quota)| {
        is_within(&offer.role, role) && quota.guarantees.get(kind).is_positive()
    };
    if quotas.iter().any(has_guarantee) {
        return Ok(());
    }
    // What is kept for a role is kept for those below it too.
    let is_top = |role: &Role| !quotas.keys().any(|other| role.is_below(other));
    let tops = quotas.iter().filter(|(role, _)| is_top(role));
    let needed: Quantity = tops
        .map(|(role, quota)| books.unmet(role, quota, kind))
        .sum();
    let available = books.available.get(kind);
    ensure(needed <= available, || {
        let id = &offer.id;
        format!(
            "offer {id} takes {kind}:{amount}, {available} are left and {needed} are guaranteed \
             to others"
        )
    })
}

#[cfg(test)]
mod tests {
    use tepui_model::{AgentId, Attributes, FrameworkId, ImageNames, OfferId};

    use super::*;
    use crate::plan;

    fn config(role: &str, guarantees: &str, limits: &str) -> QuotaConfig {
        plan::quota(role, guarantees, limits)
    }

    /// An agent of which a part is offered to that role, and a part used by it.
    fn agent(total: &Resources, role: &str, offered: &str, allocated: &str) -> get_agents::Agent {
        let wire = |text: &str| plan::resources(text).to_proto(Some(&plan::role(role)));
        get_agents::Agent {
            active: true,
            total_resources: total.to_proto(None),
            offered_resources: wire(offered),
            allocated_resources: wire(allocated),
            ..get_agents::Agent::default()
        }
    }

    fn judge(configs: &[QuotaConfig], agent: get_agents::Agent, role: &str, offered: &str) -> Held {
        let offer = Offer {
            id: OfferId::new("o").unwrap(),
            framework_id: FrameworkId::new("f").unwrap(),
            agent_id: AgentId::new("a").unwrap(),
            hostname: "host".to_owned(),
            port: 1,
            role: plan::role(role),
            resources: plan::resources(offered),
            attributes: Attributes::default(),
            executor_ids: Vec::new(),
            domain: None,
            unavailability: None,
            images: ImageNames::default(),
        };
        quotas_kept(configs, &[agent], &[&offer])
    }

    #[test]
    fn an_offer_above_a_limit_is_noticed() {
        let total = plan::resources("cpus:8;mem:100");
        let offered = |role| agent(&total, role, "cpus:2", "cpus:1");
        judge(
            &[config("web", "", "cpus:3")],
            offered("web"),
            "web",
            "cpus:2",
        )
        .unwrap();
        judge(
            &[config("web", "", "cpus:2")],
            offered("batch"),
            "batch",
            "cpus:2",
        )
        .unwrap();
        let limit = [config("web", "", "cpus:2")];
        assert!(judge(&limit, offered("web"), "web", "cpus:2").is_err());
        let below = judge(&limit, offered("web/shop"), "web/shop", "cpus:2");
        assert!(below.is_err(), "what is below counts above");
        judge(&limit, offered("web"), "web", "mem:5").unwrap();
    }

    #[test]
    fn a_reservation_counts_against_the_limit() {
        let mut total = plan::resources("cpus:8");
        total += &plan::reserved("cpus:2", "web");
        let offered = || agent(&total, "web", "cpus:2", "");
        judge(&[config("web", "", "cpus:4")], offered(), "web", "cpus:2").unwrap();
        let limit = [config("web", "", "cpus:3")];
        assert!(judge(&limit, offered(), "web", "cpus:2").is_err());
    }

    #[test]
    fn an_offer_of_what_is_guaranteed_to_others_is_noticed() {
        let total = plan::resources("cpus:8");
        let offered = |cpus| agent(&total, "batch", cpus, "");
        let guarantee = [config("web", "cpus:4", "")];
        judge(&guarantee, offered("cpus:4"), "batch", "cpus:4").unwrap();
        assert!(judge(&guarantee, offered("cpus:5"), "batch", "cpus:5").is_err());
        let inside = [
            config("web", "cpus:4", ""),
            config("web/shop", "cpus:3", ""),
        ];
        judge(&inside, offered("cpus:4"), "batch", "cpus:4").unwrap();
        judge(
            &guarantee,
            agent(&total, "web", "cpus:8", ""),
            "web",
            "cpus:8",
        )
        .unwrap();
        let idle = get_agents::Agent {
            active: false,
            ..offered("cpus:4")
        };
        assert!(
            judge(&guarantee, idle, "batch", "cpus:4").is_err(),
            "it is not offered"
        );
    }
}
