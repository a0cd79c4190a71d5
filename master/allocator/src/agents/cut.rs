//! Cuts an offer down to what quota leaves of it.

use tepui_model::{Kind, Quantity, Resources, Scalars, Traits, Value};

/// Whether quota is about resources with those traits.
fn is_open(traits: &Traits) -> bool {
    traits.reservations.is_empty() && !traits.revocable && !traits.shared
}

/// The offer with no more unreserved, not revocable scalars than `allowed`. What cannot be divided
/// stays whole or goes whole; reservations, revocable resources, ranges and sets stay as they are
/// (Mesos: ALL-05).
pub(crate) fn cut(offer: &Resources, allowed: &Scalars) -> Resources {
    let mut left = allowed.clone();
    let mut rest = offer.clone();
    for (traits, amounts, count) in offer.bundles().filter(|(traits, ..)| is_open(traits)) {
        let scalars = amounts.scalars();
        if traits.is_indivisible() {
            for _ in 0..count {
                if left.contains(scalars) {
                    left.sub(scalars);
                } else {
                    take_away(&mut rest, traits, scalars);
                }
            }
            continue;
        }
        let excess = scalars.saturating_sub(&left);
        left = left.saturating_sub(scalars);
        take_away(&mut rest, traits, &excess);
    }
    rest
}

/// Takes away scalars that are there.
fn take_away(from: &mut Resources, traits: &Traits, scalars: &Scalars) {
    if scalars.is_empty() {
        return;
    }
    let mut excess = Resources::new();
    if traits.is_plain() {
        excess = Resources::from(scalars.clone());
    } else {
        let mut insert = |(kind, quantity): (Kind, Quantity)| {
            excess.insert(traits, kind.name(), &Value::Scalar(quantity));
        };
        scalars.iter().for_each(&mut insert);
    }
    // Cannot fail: it is a part of what is there.
    let _ = from.subtract(&excess);
}

#[cfg(test)]
mod tests {
    use tepui_model::{
        Role,
        resources::{DiskKind, DiskSource, DiskTraits},
    };

    use super::*;

    fn parse(text: &str) -> Resources {
        Resources::parse(text, &Role::default()).unwrap()
    }

    #[test]
    fn only_unreserved_scalars_are_cut() {
        let offer = parse("cpus:4;mem:100;ports:[1-9];cpus(a):2;gpus:1");
        let allowed = parse("cpus:1;mem:200").scalars();
        assert_eq!(
            cut(&offer, &allowed),
            parse("cpus:1;mem:100;ports:[1-9];cpus(a):2")
        );
    }

    #[test]
    fn what_cannot_be_divided_stays_or_goes_whole() {
        let mount = Traits {
            disk: Some(DiskTraits {
                source: Some(DiskSource {
                    kind: DiskKind::Mount,
                    root: Some("/mnt".into()),
                    vendor: None,
                    id: None,
                    metadata: tepui_model::Labels::default(),
                    profile: None,
                }),
                ..Default::default()
            }),
            ..Traits::plain()
        };
        let disk = Value::Scalar(Quantity::from_units(100));
        let offer = Resources::from_item(&mount, "disk", &disk);
        let allowed = |text| parse(text).scalars();
        assert_eq!(cut(&offer, &allowed("disk:100")), offer);
        assert!(cut(&offer, &allowed("disk:99")).is_empty());
    }
}
