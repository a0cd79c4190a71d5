//! Resources as the endpoints without a version show them: one number, text of ranges, or text of
//! a set for each name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use tepui_proto::v1;

/// The sums by name. Four kinds are there even when there is none of them.
#[must_use]
pub fn summed(resources: &[v1::Resource]) -> Value {
    let mut sums = scalars(resources);
    for name in ["cpus", "gpus", "mem", "disk"] {
        sums.entry(name.to_owned()).or_default();
    }
    let mut map: Map<String, Value> = sums
        .into_iter()
        .map(|(name, sum)| (name, json!(sum)))
        .collect();
    let mut ranges: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    let mut sets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for resource in resources {
        let list = resource.ranges.iter().flat_map(|ranges| &ranges.range);
        for range in list {
            let all = ranges.entry(&resource.name).or_default();
            all.push((range.begin, range.end));
        }
        for item in resource.set.iter().flat_map(|set| &set.item) {
            sets.entry(&resource.name).or_default().insert(item);
        }
    }
    for (name, list) in ranges {
        map.insert(name.to_owned(), Value::from(text_of(list)));
    }
    for (name, items) in sets {
        let items: Vec<_> = items.into_iter().collect();
        map.insert(name.to_owned(), json!(format!("{{{}}}", items.join(", "))));
    }
    Value::Object(map)
}

/// The amounts by name, of ranges their lengths; what there is none of is left out.
#[must_use]
pub fn quantities<'a>(resources: impl IntoIterator<Item = &'a v1::Resource>) -> Value {
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for resource in resources {
        let scalar = resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
        let ranges = resource.ranges.iter().flat_map(|ranges| &ranges.range);
        let length = |range: &v1::value::Range| (range.end - range.begin + 1) as f64;
        let amount = scalar + ranges.map(length).sum::<f64>();
        *sums.entry(&resource.name).or_default() += amount;
    }
    let some = sums.into_iter().filter(|(_, sum)| *sum > 0.0);
    Value::Object(
        some.map(|(name, sum)| (name.to_owned(), json!(rounded(sum))))
            .collect(),
    )
}

fn scalars(resources: &[v1::Resource]) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for resource in resources {
        if let Some(scalar) = &resource.scalar {
            let sum = sums.entry(resource.name.clone()).or_default();
            *sum = rounded(*sum + scalar.value);
        }
    }
    sums
}

/// To thousandths, which is as exact as quantities are.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// As in `[1-3, 7-7]`; what touches is one.
fn text_of(mut list: Vec<(u64, u64)>) -> String {
    list.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (begin, end) in list {
        match joined.last_mut() {
            Some(last) if begin <= last.1.saturating_add(1) => last.1 = last.1.max(end),
            _ => joined.push((begin, end)),
        }
    }
    let texts: Vec<_> = joined
        .iter()
        .map(|(begin, end)| format!("{begin}-{end}"))
        .collect();
    format!("[{}]", texts.join(", "))
}

/// The role that a resource is reserved to, if it is.
#[must_use]
#[allow(deprecated)] // Agents may speak the older form.
pub fn reserved_to(resource: &v1::Resource) -> Option<&str> {
    let last = resource
        .reservations
        .last()
        .and_then(|it| it.role.as_deref());
    last.or(resource.role.as_deref())
        .filter(|role| *role != "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(begin: u64, end: u64) -> v1::Resource {
        let range = vec![v1::value::Range { begin, end }];
        v1::Resource {
            name: "ports".into(),
            r#type: v1::value::Type::Ranges.into(),
            ranges: Some(v1::value::Ranges { range }),
            ..Default::default()
        }
    }

    #[test]
    fn sums_are_exact_and_ranges_joined() {
        let cpus = |value| v1::Resource {
            name: "cpus".into(),
            scalar: Some(v1::value::Scalar { value }),
            ..Default::default()
        };
        let list = [cpus(0.1), cpus(0.2), ports(5, 7), ports(1, 4), ports(9, 9)];
        let expected = json!({"cpus": 0.3, "mem": 0.0, "disk": 0.0, "gpus": 0.0,
            "ports": "[1-7, 9-9]"});
        assert_eq!(summed(&list), expected);
        assert_eq!(quantities(&list), json!({"cpus": 0.3, "ports": 8.0}));
    }
}
