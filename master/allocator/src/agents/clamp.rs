//! What is free when more is in use than there is.

use tepui_model::{Kind, Resources, Set, Value};

/// Takes away as much of `other` as is there, and says whether all of it was.
///
/// An agent that comes back with less than its tasks use, or tasks that are learnt of while their
/// resources are offered to somebody else, leave nothing of those resources free.
pub(crate) fn subtract_what_is_there(from: &mut Resources, other: &Resources) -> bool {
    if from.subtract(other).is_ok() {
        return true;
    }
    for (traits, amounts, count) in other.bundles() {
        for (name, wanted) in amounts.iter() {
            let held = from.filter(|have| have == traits);
            let there = match &wanted {
                // What is indivisible is there whole or not at all.
                _ if traits.is_indivisible() => wanted.clone(),
                Value::Scalar(most) => Value::Scalar(held.scalar(&Kind::new(name)).min(*most)),
                Value::Ranges(most) => Value::Ranges(held.ranges(name).intersect(most)),
                Value::Set(most) => Value::Set(common(held.set(name), most)),
            };
            let item = Resources::from_item(traits, name, &there);
            for _ in 0..count {
                // Fails only for an indivisible item that is not there.
                let _ = from.subtract(&item);
            }
        }
    }
    false
}

/// The items of both sets.
fn common(mut held: Set, other: &Set) -> Set {
    let mut rest = held.clone();
    rest.sub(other);
    held.sub(&rest);
    held
}

#[cfg(test)]
mod tests {
    use tepui_model::Role;

    use super::*;

    #[test]
    fn what_is_missing_is_passed_over() {
        let parse = |text| Resources::parse(text, &Role::default()).unwrap();
        let mut free = parse("cpus:4;mem:100;ports:[1-9];disks:{a,b};cpus(web):1");
        let wanted = parse("cpus:5;mem:10;ports:[8-20];disks:{b,c};gpus:1");
        assert!(!subtract_what_is_there(&mut free, &wanted));
        assert_eq!(free, parse("mem:90;ports:[1-7];disks:{a};cpus(web):1"));
        assert!(!subtract_what_is_there(
            &mut free,
            &parse("cpus(web):1;mem(web):5")
        ));
        assert!(subtract_what_is_there(&mut free, &parse("ports:[1-3]")));
        assert_eq!(free, parse("mem:90;ports:[4-7];disks:{a}"));
    }
}
