//! What can be set about the allocator.

mod minimum;

use core::time::Duration;
use std::{fmt, str::FromStr, sync::Arc};

use tepui_model::{Filters, InvalidQuantity, Kind, Quantity, Resources, Time};

use crate::limits::MAX_MINIMUM_ITEMS;

/// The settings of an [`crate::Allocator`].
#[derive(Clone, Debug)]
pub struct Options {
    /// What an offer must hold to be made (Mesos: OFF-17).
    pub min_allocatable: Minimum,
    /// The shortest life of a filter (Mesos: OFF-07, where it is the allocation interval).
    pub filter_floor: Duration,
    /// Decides, with the number of the run, in which order agents are given out. Mesos shuffles
    /// them so that no framework always meets the same agents first.
    pub seed: u64,
    /// Scalars that do not count for fairness (Mesos: ALL-03,
    /// `--fair_sharing_excluded_resource_names`).
    pub fairness_excludes: Vec<Kind>,
    /// Agents with GPUs are kept for frameworks that know them (Mesos: ALL-08,
    /// `--filter_gpu_resources`).
    pub withhold_gpus: bool,
    /// How roles are ordered (Mesos: ALL-02, `--role_sorter`).
    pub role_sorter: Sorter,
    /// How the frameworks of a role are ordered (Mesos: ALL-02, `--framework_sorter`).
    pub framework_sorter: Sorter,
    /// Which agents are given out first.
    pub placement: Placement,
    /// How long one gang may collect what it needs.
    pub gang_hold_timeout: Duration,
}

/// In which order competitors are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sorter {
    /// By dominant share.
    #[default]
    Drf,
    /// By lot, with chances in proportion to the weights.
    Random,
}

/// In which order agents are given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// From another agent on in every run, so that no agent is always first.
    #[default]
    Spread,
    /// The fullest first, so that whole agents stay free.
    BinPack,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            min_allocatable: Minimum::default(),
            filter_floor: Duration::from_secs(1),
            seed: 0,
            fairness_excludes: Vec::new(),
            withhold_gpus: true,
            role_sorter: Sorter::default(),
            framework_sorter: Sorter::default(),
            placement: Placement::default(),
            gang_hold_timeout: Duration::from_secs(60),
        }
    }
}

impl Options {
    /// The filter of a declined offer. A framework that declines without a filter may be offered
    /// the same again, but only after those who have not seen it.
    #[must_use]
    pub fn declined(&self, now: Time, filters: &Filters) -> Filter {
        self.unused(now, filters).unwrap_or(Filter { until: now })
    }

    /// The filter of what an accepted offer left unused: it ends after the span asked for or the
    /// floor, whichever is longer (Mesos: OFF-07).
    #[must_use]
    pub fn unused(&self, now: Time, filters: &Filters) -> Option<Filter> {
        let until = |span: Duration| now + span.max(self.filter_floor);
        filters.refuse.map(|span| Filter { until: until(span) })
    }
}

/// A framework refused what it was offered.
///
/// It is not offered those resources of the agent, or a part of them, before `until`. After that,
/// or at once if `until` has passed already, it stands behind those who have not seen them yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// When the filter ends.
    pub until: Time,
}

/// What an offer must hold at least: all quantities of one of the sets; anything, if there is no
/// set.
///
/// ```
/// # use tepui_allocator::Minimum;
/// let minimum: Minimum = "cpus:0.01|mem:32;ports:2".parse()?;
/// assert_eq!(minimum.to_string(), "cpus:0.01|mem:32;ports:2");
/// # Ok::<(), tepui_allocator::InvalidMinimum>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimum {
    sets: Vec<Vec<(Arc<str>, Quantity)>>,
}

/// Why a text is no minimum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMinimum {
    /// An item is not of the form `name:number`.
    #[error("'{0}' is not of the form name:number, such as cpus:0.01")]
    Item(String),
    /// A number is no quantity.
    #[error("the number after '{name}': {reason}")]
    Number {
        /// The name before it.
        name: String,
        /// What is wrong with it.
        reason: InvalidQuantity,
    },
    /// A number is negative.
    #[error("the number after '{0}' must not be negative")]
    Negative(String),
    /// More items than anybody needs.
    #[error("more than {MAX_MINIMUM_ITEMS} items")]
    TooMany,
    /// A set without quantities, where anything would do.
    #[error("Resource quantities must contain at least one quantity")]
    EmptySet,
    /// A quantity that is none.
    #[error("Invalid resource quantity for '{name}': {reason}")]
    Quantity {
        /// Of which resource.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Minimum {
    /// Anything will do.
    pub const NONE: Self = Self { sets: Vec::new() };

    /// Whether scalars are all that it asks for, as far as its names are known.
    pub(crate) fn is_of_scalars(&self) -> bool {
        let known = |name: &str| Kind::WELL_KNOWN.iter().any(|kind| kind.name() == name);
        let scalars = |set: &Vec<_>| {
            !set.is_empty()
                && set
                    .iter()
                    .all(|(name, _): &(Arc<str>, Quantity)| known(name))
        };
        !self.sets.is_empty() && self.sets.iter().all(scalars)
    }

    /// Whether the resources reach the minimum. Of ranges and sets the items count.
    #[must_use]
    pub fn is_met_by(&self, resources: &Resources) -> bool {
        let enough = |(name, least): &(Arc<str>, Quantity)| amount(resources, name) >= *least;
        self.sets.is_empty() || self.sets.iter().any(|set| set.iter().all(enough))
    }
}

/// How much there is under a name: a scalar, or else the number of items.
fn amount(resources: &Resources, name: &str) -> Quantity {
    let scalar = resources.scalar(&Kind::new(name));
    if scalar.is_positive() {
        return scalar;
    }
    let items = resources.ranges(name).len() + resources.set(name).iter().count() as u64;
    Quantity::from_units(i64::try_from(items).unwrap_or(i64::MAX))
}

impl Default for Minimum {
    /// `cpus:0.01|mem:32` (Mesos: OFF-17).
    fn default() -> Self {
        let cpus = vec![(Arc::from("cpus"), Quantity::from_millis(10))];
        let memory = vec![(Arc::from("mem"), Quantity::from_units(32))];
        Self {
            sets: vec![cpus, memory],
        }
    }
}

impl FromStr for Minimum {
    type Err = InvalidMinimum;

    /// Sets separated by `|`, in each quantities separated by `;`. An empty text is no minimum.
    fn from_str(text: &str) -> Result<Self, InvalidMinimum> {
        if text.trim().is_empty() {
            return Ok(Self::NONE);
        }
        if text.split(['|', ';']).count() > MAX_MINIMUM_ITEMS {
            return Err(InvalidMinimum::TooMany);
        }
        let set = |set: &str| {
            set.split(';')
                .map(parse_item)
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            sets: text.split('|').map(set).collect::<Result<_, _>>()?,
        })
    }
}

fn parse_item(item: &str) -> Result<(Arc<str>, Quantity), InvalidMinimum> {
    let malformed = || InvalidMinimum::Item(item.trim().to_owned());
    let (name, number) = item.split_once(':').ok_or_else(malformed)?;
    let name = name.trim();
    if name.is_empty() {
        return Err(malformed());
    }
    let invalid = |reason| InvalidMinimum::Number {
        name: name.to_owned(),
        reason,
    };
    let quantity: Quantity = number.parse().map_err(invalid)?;
    if quantity < Quantity::ZERO {
        return Err(InvalidMinimum::Negative(name.to_owned()));
    }
    Ok((Arc::from(name), quantity))
}

impl fmt::Display for Minimum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = |(name, least): &(Arc<str>, Quantity)| format!("{name}:{least}");
        let set = |set: &Vec<_>| set.iter().map(item).collect::<Vec<_>>().join(";");
        formatter.pad(&self.sets.iter().map(set).collect::<Vec<_>>().join("|"))
    }
}

#[cfg(test)]
mod tests {
    use tepui_model::Role;

    use super::*;

    fn met(minimum: &str, resources: &str) -> bool {
        let minimum: Minimum = minimum.parse().unwrap();
        minimum.is_met_by(&Resources::parse(resources, &Role::default()).unwrap())
    }

    #[test]
    fn the_default_is_a_hundredth_of_a_cpu_or_32_megabytes() {
        let default = Minimum::default();
        assert_eq!("cpus:0.01|mem:32".parse(), Ok(default.clone()));
        assert_eq!(default.to_string(), "cpus:0.01|mem:32");
        for enough in ["cpus:0.01", "mem:32", "cpus:4;mem:8"] {
            assert!(met("cpus:0.01|mem:32", enough), "{enough}");
        }
        for little in ["cpus:0.009", "mem:31.999", "disk:1000000", "ports:[1-9]"] {
            assert!(!met("cpus:0.01|mem:32", little), "{little}");
        }
    }

    #[test]
    fn a_set_wants_all_of_its_quantities_and_counts_ports() {
        assert!(met("cpus:1;ports:2", "cpus:1;ports:[5-6]"));
        assert!(!met("cpus:1;ports:2", "cpus:1;ports:[5-5]"));
        assert!(!met("cpus:1;ports:2", "cpus:0.9;ports:[5-6]"));
        assert!(met("", "disk:1"));
    }

    #[test]
    fn a_malformed_minimum_is_refused_by_name() {
        let error = |text: &str| text.parse::<Minimum>().unwrap_err().to_string();
        assert_eq!(
            error("cpus"),
            "'cpus' is not of the form name:number, such as cpus:0.01"
        );
        assert_eq!(
            error("cpus:1|"),
            "'' is not of the form name:number, such as cpus:0.01"
        );
        assert_eq!(
            error("cpus:x"),
            "the number after 'cpus': 'x' is not a number"
        );
        assert_eq!(
            error("mem:-1"),
            "the number after 'mem' must not be negative"
        );
        assert_eq!(
            error(&"a:1;".repeat(MAX_MINIMUM_ITEMS)),
            "more than 64 items"
        );
    }

    #[test]
    fn a_filter_lives_for_the_span_or_the_floor_whichever_is_longer() {
        let options = Options {
            filter_floor: Duration::from_secs(1),
            ..Options::default()
        };
        let now = Time::from_micros(1_000);
        let until = |filters: &Filters| options.declined(now, filters).until;
        assert_eq!(until(&Filters::default()), now + Duration::from_secs(5));
        assert_eq!(
            until(&Filters::refuse(Duration::from_millis(1))),
            now + Duration::from_secs(1)
        );
        assert_eq!(until(&Filters::NONE), now, "no filter");
        assert_eq!(options.unused(now, &Filters::NONE), None);
    }
}
