//! Metrics of quotas (Mesos: QUO-05): the only ones whose names hold a role and a resource.

use std::{collections::BTreeMap, fmt::Write as _};

use tepui_master_core::QuotaFigures;

const PREFIX: &str = "allocator/mesos/quota/roles/";
const MIDDLE: &str = "/resources/";

/// What is guaranteed, the limit, and what is offered or taken, of each resource that a quota is
/// about.
pub(super) fn named(quotas: &[QuotaFigures]) -> impl Iterator<Item = (String, f64)> + '_ {
    quotas.iter().flat_map(|quota| {
        let QuotaFigures { role, kind, .. } = quota;
        let metric = move |what: &str, value: f64| {
            let name = format!("{PREFIX}{role}{MIDDLE}{}/{what}", kind.name());
            (name, value)
        };
        let limit = quota.limit.map(|limit| metric("limit", limit.as_f64()));
        let guarantee = quota.guarantee.as_f64();
        let always = [
            metric("guarantee", guarantee),
            metric("offered_or_allocated", quota.consumed.as_f64()),
        ];
        always.into_iter().chain(limit)
    })
}

/// The same for Prometheus: one name for each of the three, with the role and the resource as
/// labels; names that differ in a slash only would be one otherwise. And what is no such metric.
pub(super) fn prometheus(metrics: &[(String, f64)]) -> (String, Vec<&(String, f64)>) {
    let mut families: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut others = Vec::new();
    for metric in metrics {
        let Some((role, resource, what)) = parts(&metric.0) else {
            others.push(metric);
            continue;
        };
        let labels = format!(
            "role=\"{}\",resource=\"{}\"",
            quoted(role),
            quoted(resource)
        );
        let line = format!(
            "tepui_allocator_mesos_quota_{what}{{{labels}}} {}\n",
            metric.1
        );
        families.entry(what).or_default().push(line);
    }
    let mut text = String::new();
    for (what, lines) in families {
        let _ = writeln!(text, "# TYPE tepui_allocator_mesos_quota_{what} gauge");
        text.extend(lines);
    }
    (text, others)
}

/// The role, the resource, and what of it.
fn parts(name: &str) -> Option<(&str, &str, &str)> {
    let (path, what) = name.strip_prefix(PREFIX)?.rsplit_once('/')?;
    let (role, resource) = path.rsplit_once(MIDDLE)?;
    Some((role, resource, what))
}

/// As the value of a label is written.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('"', "\\\"");
    text.replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use tepui_model::{Kind, Quantity, Role};

    use super::*;

    #[test]
    fn quotas_have_mesos_names_and_labels_for_prometheus() {
        let quota = |role: &str, limit| QuotaFigures {
            role: Role::new(role).unwrap(),
            kind: Kind::Cpus,
            guarantee: Quantity::from_units(2),
            limit,
            consumed: Quantity::from_millis(1500),
        };
        let quotas = [
            quota("a/resources/b", Some(Quantity::from_units(3))),
            quota("q\"\\", None),
        ];
        let metrics: Vec<_> = named(&quotas).collect();
        let names: Vec<&str> = metrics.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names[..3],
            [
                "allocator/mesos/quota/roles/a/resources/b/resources/cpus/guarantee",
                "allocator/mesos/quota/roles/a/resources/b/resources/cpus/offered_or_allocated",
                "allocator/mesos/quota/roles/a/resources/b/resources/cpus/limit",
            ]
        );
        assert_eq!(names.len(), 5, "without a limit there is none to tell");
        let other = ("master/elected".to_owned(), 1.0);
        let all = [metrics, vec![other.clone()]].concat();
        let (text, others) = prometheus(&all);
        assert_eq!(others, [&other]);
        let expected = r#"# TYPE tepui_allocator_mesos_quota_guarantee gauge
tepui_allocator_mesos_quota_guarantee{role="a/resources/b",resource="cpus"} 2
tepui_allocator_mesos_quota_guarantee{role="q\"\\",resource="cpus"} 2
# TYPE tepui_allocator_mesos_quota_limit gauge
tepui_allocator_mesos_quota_limit{role="a/resources/b",resource="cpus"} 3
# TYPE tepui_allocator_mesos_quota_offered_or_allocated gauge
tepui_allocator_mesos_quota_offered_or_allocated{role="a/resources/b",resource="cpus"} 1.5
tepui_allocator_mesos_quota_offered_or_allocated{role="q\"\\",resource="cpus"} 1.5
"#;
        assert_eq!(text, expected);
    }
}
