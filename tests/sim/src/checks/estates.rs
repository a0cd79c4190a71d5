//! At rest master and agent agree on what an agent has: what is reserved on it, and which volumes
//! there are.

use tepui_model::Resources;
use tepui_proto::v1;

use super::{Held, Violation, ensure};

/// What the master shows of a machine is what its agent has.
pub(crate) fn agreed_on(machine: usize, shown: &[v1::Resource], own: &Resources) -> Held {
    let shown = Resources::from_proto(shown).map_err(|error| Violation(error.to_string()))?;
    let (shown, _) = shown;
    ensure(shown == *own, || {
        format!("the master believes machine {machine} to have {shown}, it has {own}")
    })
}

/// A machine has the folders of its volumes and no others, and none is being removed.
pub(crate) fn volumes_kept(machine: usize, volumes: usize, found: (usize, usize)) -> Held {
    ensure(found == (volumes, 0), || {
        let (folders, trash) = found;
        format!(
            "machine {machine} has {volumes} volumes, {folders} folders of volumes, and {trash} \
             that are being removed"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    #[test]
    fn a_reservation_that_only_one_knows_is_noticed() {
        let plain = plan::resources("disk:100");
        let reserved = plan::reserved("disk:100", "web");
        agreed_on(0, &reserved.to_proto(None), &reserved).unwrap();
        assert!(agreed_on(0, &plain.to_proto(None), &reserved).is_err());
        assert!(agreed_on(0, &reserved.to_proto(None), &plain).is_err());
    }

    #[test]
    fn a_volume_that_is_lost_or_never_goes_is_noticed() {
        volumes_kept(0, 2, (2, 0)).unwrap();
        assert!(volumes_kept(0, 2, (1, 0)).is_err());
        assert!(volumes_kept(0, 0, (1, 0)).is_err());
        assert!(volumes_kept(0, 0, (0, 1)).is_err());
    }
}
