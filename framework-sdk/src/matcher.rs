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

    /// Places `task` on the first offer that has room for it, of an agent that has its image if
    /// there is one: where, and what was placed.
    pub fn place(&mut self, task: &Task) -> Option<(&Offer, Placed)> {
        self.place_where_least(task, |_| ())
    }

    /// Places `task` on the offer with the least `rank` among those that have room for it. When
    /// several have, on one of those whose agents lack the fewest of its images, so that it waits
    /// the least; on the first of these.
    pub fn place_where_least<R: Ord>(
        &mut self,
        task: &Task,
        rank: impl Fn(&Offer) -> R,
    ) -> Option<(&Offer, Placed)> {
        let fits = |(index, candidate): (usize, &Candidate)| {
            let offer = &candidate.offer;
            let placed = task.place(offer, &candidate.free).ok()?;
            Some(((rank(offer), lacking(offer, task), index), placed))
        };
        let ((_, _, index), placed) = self
            .candidates
            .iter()
            .enumerate()
            .filter_map(fits)
            .min_by(|(a, _), (b, _)| a.cmp(b))?;
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

/// How many of a task's images the agent must fetch first.
fn lacking(offer: &Offer, task: &Task) -> usize {
    let images = task.images();
    images.filter(|image| !offer.images.has(image)).count()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use tepui_model::ImageNames;

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

    /// An offer of some processors by an agent that has these images.
    fn with_images(id: usize, cpus: u32, images: &[&str]) -> Offer {
        let mut offer = offer(&format!("cpus:{cpus};mem:10000"), "");
        offer.id = OfferId::new(format!("o{id}")).unwrap();
        offer.images = ImageNames::new(images);
        offer
    }

    #[test]
    fn of_offers_that_fit_one_whose_agent_has_the_image_wins() {
        let offers = vec![
            with_images(0, 8, &[]),
            with_images(1, 1, &["app:latest"]),
            with_images(2, 8, &["app:latest", "data:1"]),
        ];
        let mut matcher = OfferMatcher::new(offers);
        let both = task("a", 1.0)
            .image("app")
            .image_volume("d", "data:1", true);
        assert_eq!(place(&mut matcher, both).as_deref(), Some("o2"));
        let app = |id| task(id, 1.0).image("app");
        assert_eq!(place(&mut matcher, app("b")).as_deref(), Some("o1"));
        // What has the image has no room any more, and then another one that has it counts.
        assert_eq!(place(&mut matcher, app("c")).as_deref(), Some("o2"));
        assert_eq!(place(&mut matcher, task("d", 1.0)).as_deref(), Some("o0"));
        // A framework's own order counts more.
        let app = app("e").build().unwrap();
        let placed = matcher.place_where_least(&app, |offer| offer.id.as_str() != "o0");
        assert_eq!(placed.unwrap().0.id.as_str(), "o0");
    }

    proptest! {
        /// Against all offers looked at one after the other.
        #[test]
        fn no_offer_that_fits_lacks_fewer_images_nor_comes_before(
            offers in vec((1_u32..4, 0_u8..8), 1..6),
            wanted in 0_u8..8,
        ) {
            const NAMES: [&str; 3] = ["a:1", "b:1", "c:1"];
            let chosen = |bits: u8| {
                let names = NAMES.iter().enumerate();
                names.filter(move |(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| *name)
            };
            let task = task("t", 2.0);
            let task = chosen(wanted).fold(task, |task, name| task.image_volume(name, name, true));
            let offer = |(id, (cpus, has)): (usize, &(u32, u8))| {
                with_images(id, *cpus, &chosen(*has).collect::<Vec<_>>())
            };
            let mut matcher = OfferMatcher::new(offers.iter().enumerate().map(offer).collect());
            let best = offers
                .iter()
                .enumerate()
                .filter(|(_, (cpus, _))| *cpus >= 2)
                .min_by_key(|(id, (_, has))| ((wanted & !has).count_ones(), *id));
            let expected = best.map(|(id, _)| format!("o{id}"));
            prop_assert_eq!(place(&mut matcher, task), expected);
        }
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
