//! The rules for operations on resources: what holds for all, and for reservations.

use std::collections::BTreeSet;

use super::{InvalidOperation, ResourceOperation, disks, error::ResourceRule, volumes};
use crate::{
    AgentCapabilities, AgentCapability, Capabilities, Reservation, Resources, Role,
    resources::{ReservationKind, Traits},
};

/// Who operates on what.
#[derive(Clone, Copy, Debug)]
pub struct OperationRules<'a> {
    /// Who acts, if that is known.
    pub principal: Option<&'a str>,
    /// The role that the resources are offered for; none for an operator.
    pub allocation_role: Option<&'a Role>,
    /// What the framework understands; none for an operator.
    pub framework: Option<Capabilities>,
    /// What the agent can do.
    pub agent: AgentCapabilities,
    /// What is reserved and made into volumes on the agent.
    pub checkpointed: &'a Resources,
    /// What tasks on the agent use.
    pub used: &'a Resources,
    /// What tasks that are on their way to the agent will use.
    pub pending: &'a Resources,
}

impl ResourceOperation {
    /// Checks everything but whether the resources are there (Mesos: OFF-05, OFF-06, RES-02 to
    /// RES-08, VOL-01 to VOL-06).
    pub fn validate(&self, rules: &OperationRules<'_>) -> Result<(), InvalidOperation> {
        match self {
            Self::Reserve { source, resources } => reserve(source.as_ref(), resources, rules),
            Self::Unreserve { resources } => unreserve(resources),
            Self::Create { volumes } => volumes::create(volumes, rules),
            Self::Destroy { volumes } => volumes::destroy(volumes, rules),
            Self::GrowVolume { volume, addition } => volumes::grow(volume, addition, rules),
            Self::ShrinkVolume { volume, subtract } => volumes::shrink(volume, *subtract, rules),
            Self::CreateDisk {
                source,
                target_type,
                target_profile,
            } => disks::create(source, *target_type, target_profile.is_some()),
            Self::DestroyDisk { source } => disks::destroy(source),
        }?;
        self.conversions().map(drop)
    }
}

fn reserve(
    source: Option<&Resources>,
    resources: &Resources,
    rules: &OperationRules<'_>,
) -> Result<(), InvalidOperation> {
    check_resources(resources, "resources")?;
    if let Some(source) = source {
        if rules.framework.is_some() {
            return Err(InvalidOperation::SourceOfFramework);
        }
        check_resources(source, "source")?;
    }
    for piece in resources.pieces() {
        reserve_piece(&piece, rules)?;
    }
    // What is taken back on the way from the source must have been reserved while the agent ran.
    for piece in source.into_iter().flat_map(Resources::pieces) {
        refuse_volume(&piece)?;
        let first = first_reservation(&piece);
        let fixed = first.is_some_and(|first| first.kind == ReservationKind::Static);
        if fixed && first != first_reservation(resources) {
            return Err(InvalidOperation::NotDynamicallyReserved(piece.to_string()));
        }
    }
    Ok(())
}

fn first_reservation(resources: &Resources) -> Option<&Reservation> {
    let (traits, ..) = resources.bundles().next()?;
    traits.reservations.first()
}

fn reserve_piece(piece: &Resources, rules: &OperationRules<'_>) -> Result<(), InvalidOperation> {
    let Some((traits, ..)) = piece.bundles().next() else {
        return Ok(());
    };
    let last = traits.reservations.last();
    let Some(last) = last.filter(|_| traits.is_dynamically_reserved()) else {
        return Err(InvalidOperation::NotDynamicallyReserved(piece.to_string()));
    };
    check_agent(piece, ("Resource", "reserved"), rules)?;
    if let Some(actor) = rules.principal {
        let actor = actor.to_owned();
        match last.principal.as_deref() {
            None => return Err(InvalidOperation::ReserveWithoutPrincipal(actor)),
            Some(named) if named != actor => {
                let named = named.to_owned();
                return Err(InvalidOperation::ReservePrincipal { actor, named });
            }
            Some(_) => {}
        }
    }
    match rules.allocation_role {
        Some(allocated) if *allocated != last.role => Err(InvalidOperation::ReserveRole {
            reserved: last.role.clone(),
            allocated: allocated.clone(),
        }),
        _ => refuse_volume(piece),
    }
}

fn refuse_volume(piece: &Resources) -> Result<(), InvalidOperation> {
    if piece.volumes().is_empty() {
        Ok(())
    } else {
        Err(InvalidOperation::ReserveVolume(piece.to_string()))
    }
}

fn unreserve(resources: &Resources) -> Result<(), InvalidOperation> {
    check_resources(resources, "resources")?;
    for piece in resources.pieces() {
        let dynamic = |traits: &Traits| traits.is_dynamically_reserved();
        if piece.filter(dynamic).is_empty() {
            return Err(InvalidOperation::NotDynamicallyReserved(piece.to_string()));
        }
        if !piece.volumes().is_empty() {
            return Err(InvalidOperation::UnreserveVolume(piece.to_string()));
        }
    }
    Ok(())
}

/// Whether the agent understands the reservations of a piece (Mesos: AGT-08).
pub(super) fn check_agent(
    piece: &Resources,
    (what, done): (&'static str, &'static str),
    rules: &OperationRules<'_>,
) -> Result<(), InvalidOperation> {
    let resource = piece.to_string();
    for (traits, ..) in piece.bundles() {
        let role = traits.reservation_role();
        let nested = role.filter(|role| role.parent().is_some());
        if let Some(role) = nested
            && !rules.agent.has(AgentCapability::HierarchicalRole)
        {
            let role = role.clone();
            return Err(InvalidOperation::HierarchicalRole {
                what,
                resource,
                role,
                done,
            });
        }
        if traits.is_refined() && !rules.agent.has(AgentCapability::ReservationRefinement) {
            return Err(InvalidOperation::Refinement {
                what,
                resource,
                done,
            });
        }
    }
    Ok(())
}

/// The rules for all resources of an operation (Mesos: SPC-05, SPC-08).
pub(super) fn check_resources(
    resources: &Resources,
    field: &'static str,
) -> Result<(), InvalidOperation> {
    let refuse = |rule| Err(InvalidOperation::Resources { field, rule });
    if resources.is_empty() {
        return refuse(ResourceRule::Empty);
    }
    if !resources.gpus().is_whole() {
        return refuse(ResourceRule::FractionOfGpu);
    }
    for (traits, ..) in resources.bundles() {
        if let Err(rule) = volumes::check_disk(traits) {
            return refuse(ResourceRule::Disk(rule));
        }
        if traits.revocable && traits.is_dynamically_reserved() {
            return refuse(ResourceRule::Revocable(resources.to_string()));
        }
    }
    match check_providers(resources) {
        Ok(()) => Ok(()),
        Err(rule) => refuse(rule),
    }
}

fn check_providers(resources: &Resources) -> Result<(), ResourceRule> {
    let providers = resources.bundles().map(|(traits, ..)| &traits.provider);
    let providers: BTreeSet<_> = providers.collect();
    if providers.len() < 2 {
        return Ok(());
    }
    if providers.contains(&None) {
        return Err(ResourceRule::SomeOfProvider);
    }
    let named: Vec<&str> = providers.into_iter().flatten().map(AsRef::as_ref).collect();
    Err(ResourceRule::SeveralProviders(named.join(", ")))
}
