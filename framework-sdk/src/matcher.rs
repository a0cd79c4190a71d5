//! Finding room for tasks in offers.

use std::collections::BTreeMap;

use tepui_model::{Offer, OfferId, Resources};
use tepui_proto::v1;

use crate::{Misfit, Placed, Task};

/// Places tasks on the offers of one event, and remembers what is left of each.
///
/// ```no_run
/// # async fn f(driver: tepui_sdk::Driver, offers: Vec<tepui_sdk::model::Offer>,
/// #            wanted: Vec<tepui_sdk::Task>) {
/// let mut matcher = tepui_sdk::OfferMatcher::new(offers);
/// for task in &wanted {
///     matcher.place(task);
/// }
/// driver.apply(matcher.finish(), Default::default()).await;
/// # }
/// ```
#[derive(Debug)]
pub struct OfferMatcher {
    candidates: Vec<Candidate>,
}

#[derive(Debug)]
struct Candidate {
    offer: Offer,
    free: Resources,
    tasks: Vec<v1::TaskInfo>,
}

/// What came of a matching: hand it to [`Driver::apply`](crate::Driver::apply).
#[derive(Debug, Default)]
pub struct Matches {
    /// Offers to accept, and what to launch there.
    pub launches: Vec<Launch>,
    /// Offers on which nothing was placed.
    pub unused: Vec<OfferId>,
}

/// Tasks for one offer.
#[derive(Debug)]
pub struct Launch {
    /// Which offer.
    pub offer_id: OfferId,
    /// What to launch on it.
    pub tasks: Vec<v1::TaskInfo>,
}

impl OfferMatcher {
    /// Nothing is placed yet.
    pub fn new(offers: Vec<Offer>) -> Self {
        let candidate = |offer: Offer| Candidate {
            free: offer.resources.clone(),
            offer,
            tasks: Vec::new(),
        };
        Self {
            candidates: offers.into_iter().map(candidate).collect(),
        }
    }

    /// Places `task` on the first offer that has room for it: where, and what was placed.
    pub fn place(&mut self, task: &Task) -> Option<(&Offer, Placed)> {
        self.place_where_least(task, |_| ())
    }

    /// Places `task` on the offer with the least `rank` among those that have room for it; on the
    /// first of them when several have.
    pub fn place_where_least<R: Ord>(
        &mut self,
        task: &Task,
        rank: impl Fn(&Offer) -> R,
    ) -> Option<(&Offer, Placed)> {
        let fits = |(index, candidate): (usize, &Candidate)| {
            let placed = task.place(&candidate.offer, &candidate.free).ok()?;
            Some((rank(&candidate.offer), index, placed))
        };
        let (_, index, placed) = self
            .candidates
            .iter()
            .enumerate()
            .filter_map(fits)
            .min_by(|(a, i, _), (b, j, _)| (a, i).cmp(&(b, j)))?;
        let candidate = &mut self.candidates[index];
        // `place` took it from what is free, so it is there.
        candidate.free.subtract(&placed.resources).ok()?;
        candidate.tasks.push(placed.info.clone());
        Some((&candidate.offer, placed))
    }

    /// Why no offer has room for `task`: each reason and how many offers it rules out.
    pub fn why_not(&self, task: &Task) -> BTreeMap<Misfit, usize> {
        let mut reasons = BTreeMap::new();
        for candidate in &self.candidates {
            if let Err(misfit) = task.place(&candidate.offer, &candidate.free) {
                *reasons.entry(misfit).or_default() += 1;
            }
        }
        reasons
    }

    /// The launches, and the offers to decline.
    pub fn finish(self) -> Matches {
        let mut matches = Matches::default();
        for Candidate { offer, tasks, .. } in self.candidates {
            if tasks.is_empty() {
                matches.unused.push(offer.id);
            } else {
                matches.launches.push(Launch {
                    offer_id: offer.id,
                    tasks,
                });
            }
        }
        matches
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Constraint, TaskBuilder, tests::offer};

    fn offers() -> Vec<Offer> {
        let mut first = offer("cpus:1;mem:128;ports:[31000-31001]", "rack:a");
        let mut second = offer("cpus:2;mem:512;ports:[31000-31009]", "rack:b");
        first.id = OfferId::new("first").unwrap();
        second.id = OfferId::new("second").unwrap();
        vec![first, second]
    }

    fn task(id: &str, cpus: f64) -> TaskBuilder {
        TaskBuilder::new(id).cpus(cpus).memory(100.0).shell("true")
    }

    fn place(matcher: &mut OfferMatcher, task: TaskBuilder) -> Option<String> {
        matcher
            .place(&task.build().unwrap())
            .map(|(offer, _)| offer.id.to_string())
    }

    #[test]
    fn tasks_fill_the_first_offer_that_has_room() {
        let mut matcher = OfferMatcher::new(offers());
        assert_eq!(
            place(&mut matcher, task("a", 0.5)).as_deref(),
            Some("first")
        );
        assert_eq!(
            place(&mut matcher, task("b", 0.5)).as_deref(),
            Some("second")
        );
        assert_eq!(place(&mut matcher, task("c", 2.0)), None);
        let matches = matcher.finish();
        assert_eq!(matches.launches.len(), 2);
        assert!(matches.unused.is_empty());
    }

    #[test]
    fn an_offer_without_a_task_is_unused() {
        let mut matcher = OfferMatcher::new(offers());
        let constraint = Constraint::is("rack", "b");
        let placed = place(&mut matcher, task("a", 0.5).constraint(constraint));
        assert_eq!(placed.as_deref(), Some("second"));
        let matches = matcher.finish();
        assert_eq!(matches.launches[0].offer_id.as_str(), "second");
        assert_eq!(matches.unused[0].as_str(), "first");
    }

    #[test]
    fn the_offer_of_the_least_rank_wins() {
        let mut matcher = OfferMatcher::new(offers());
        let task = task("a", 0.1).build().unwrap();
        let placed = matcher.place_where_least(&task, |offer| offer.id.as_str() != "second");
        assert_eq!(placed.unwrap().0.id.as_str(), "second");
    }

    #[test]
    fn the_reasons_why_nothing_fits_are_counted() {
        let matcher = OfferMatcher::new(offers());
        let task = task("a", 1.5)
            .ports(20)
            .constraint(Constraint::is("rack", "b"));
        let reasons = matcher.why_not(&task.build().unwrap());
        let texts: Vec<String> = reasons
            .iter()
            .map(|(why, n)| format!("{n} {why}"))
            .collect();
        assert_eq!(texts, ["1 not rack == b", "1 too few ports"]);
    }
}
