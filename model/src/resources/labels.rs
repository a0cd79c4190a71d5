//! Labels: pairs of texts that tell equal things apart.

use std::fmt;

use tepui_proto::v1;

/// Labels in an order of their own, because Mesos compares them without regard to order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Vec<(String, Option<String>)>);

impl Labels {
    /// No label.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether there is no label.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> + '_ {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_deref()))
    }
}

impl From<&v1::Labels> for Labels {
    fn from(wire: &v1::Labels) -> Self {
        let pair = |label: &v1::Label| (label.key.clone(), label.value.clone());
        let mut labels: Vec<_> = wire.labels.iter().map(pair).collect();
        labels.sort_unstable();
        Self(labels)
    }
}

impl From<&Labels> for v1::Labels {
    fn from(labels: &Labels) -> Self {
        let label = |(key, value): &(String, _)| v1::Label {
            key: key.clone(),
            value: Option::clone(value),
        };
        Self {
            labels: labels.0.iter().map(label).collect(),
        }
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("{")?;
        for (index, (key, value)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(formatter, "{comma}{key}")?;
            if let Some(value) = value {
                write!(formatter, ":{value}")?;
            }
        }
        formatter.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_equal_in_any_order() {
        let label = |key: &str, value: Option<&str>| v1::Label {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        };
        let one = v1::Labels {
            labels: vec![label("a", Some("1")), label("b", None)],
        };
        let two = v1::Labels {
            labels: vec![label("b", None), label("a", Some("1"))],
        };
        assert_eq!(Labels::from(&one), Labels::from(&two));
        assert_eq!(v1::Labels::from(&Labels::from(&two)), one);
        assert_eq!(Labels::from(&one).to_string(), "{a:1,b}");
    }
}
