//! Takes what an ask needs out of an offer.

use tepui_model::{Quantity, Resources, Traits, Value};

/// Takes `wanted` out of `from` and returns what was taken, or takes nothing if it is not there.
///
/// Plain quantities and items may have any reservation: what is reserved is taken first, as nobody
/// else can use it.
pub(crate) fn take(from: &mut Resources, wanted: &Resources) -> Option<Resources> {
    let mut left = from.clone();
    let mut taken = Resources::new();
    for (traits, amounts, count) in wanted.bundles() {
        for (name, value) in amounts.iter() {
            for _ in 0..count {
                let item = if traits.is_plain() {
                    find(&left, name, &value)?
                } else {
                    Resources::from_item(traits, name, &value)
                };
                left.subtract(&item).ok()?;
                taken += item;
            }
        }
    }
    *from = left;
    Some(taken)
}

/// Whether resources with those traits may stand in for plain ones.
fn is_ordinary(traits: &Traits) -> bool {
    !traits.revocable && !traits.shared && traits.disk.is_none() && traits.provider.is_none()
}

/// As much of a plain item as is asked for, whoever it is reserved to.
fn find(from: &Resources, name: &str, wanted: &Value) -> Option<Resources> {
    let mut found = Resources::new();
    let mut missing = wanted.clone();
    let bundles = from.bundles().filter(|(traits, ..)| is_ordinary(traits));
    let (plain, reserved): (Vec<_>, Vec<_>) = bundles.partition(|(traits, ..)| traits.is_plain());
    for (traits, amounts, _) in reserved.into_iter().chain(plain) {
        for (_, have) in amounts.iter().filter(|(have, _)| *have == name) {
            let part = common(&have, &missing);
            found.insert(traits, name, &part);
            missing = without(&missing, &part);
        }
    }
    missing.is_empty().then_some(found)
}

/// What is in both.
fn common(have: &Value, wanted: &Value) -> Value {
    match (have, wanted) {
        (Value::Scalar(have), Value::Scalar(wanted)) => Value::Scalar(*have.min(wanted)),
        (Value::Ranges(have), Value::Ranges(wanted)) => Value::Ranges(have.intersect(wanted)),
        (Value::Set(have), Value::Set(wanted)) => {
            let (mut common, mut rest) = (have.clone(), have.clone());
            rest.sub(wanted);
            common.sub(&rest);
            Value::Set(common)
        }
        _ => Value::Scalar(Quantity::ZERO),
    }
}

/// What is left of `wanted`, of which `part` is a part.
fn without(wanted: &Value, part: &Value) -> Value {
    match (wanted, part) {
        (Value::Scalar(wanted), Value::Scalar(part)) => Value::Scalar(wanted.saturating_sub(*part)),
        (Value::Ranges(wanted), Value::Ranges(part)) => {
            let mut left = wanted.clone();
            left.sub(part);
            Value::Ranges(left)
        }
        (Value::Set(wanted), Value::Set(part)) => {
            let mut left = wanted.clone();
            left.sub(part);
            Value::Set(left)
        }
        _ => wanted.clone(),
    }
}
