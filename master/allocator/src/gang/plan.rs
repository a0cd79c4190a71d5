//! Where the parts of a gang go.

use tepui_model::{AgentKey, Resources, Scalars};

use crate::demand::{Ask, fit::take};

/// What may be given of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) agent: AgentKey,
    pub(crate) free: Resources,
}

/// What a gang takes of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) agent: AgentKey,
    pub(crate) resources: Resources,
    /// Which asks it is for, and how many times.
    pub(crate) parts: Vec<(usize, u32)>,
}

/// Places for as many copies of the asks as possible, and how many found none.
///
/// The largest asks come first, those that only one agent will do for before all others, and each
/// goes where the least is free: what is large stays whole for what is large. That may fail where
/// another placement would fit; to find the best one can take longer than anybody waits.
pub(crate) fn plan(asks: &[Ask], mut rooms: Vec<Room>) -> (Vec<Place>, u32) {
    let mut whole = Scalars::new();
    rooms
        .iter()
        .for_each(|room| whole.add(&room.free.scalars()));
    rooms.sort_by_cached_key(|room| (room.free.scalars().dominant_share(&whole), room.agent));
    plan_in_order(asks, rooms)
}

/// As [`plan`], but the first rooms are filled first.
pub(crate) fn plan_in_order(asks: &[Ask], mut rooms: Vec<Room>) -> (Vec<Place>, u32) {
    let mut whole = Scalars::new();
    rooms
        .iter()
        .for_each(|room| whole.add(&room.free.scalars()));
    let share = |resources: &Resources| resources.scalars().dominant_share(&whole);
    let mut order: Vec<usize> = (0..asks.len()).collect();
    order.sort_by_cached_key(|at| {
        let ask = &asks[*at];
        (
            ask.agent.is_none(),
            core::cmp::Reverse(share(&ask.resources)),
            *at,
        )
    });
    let mut places: Vec<Place> = Vec::new();
    let mut missing = 0;
    for at in order {
        missing += settle(&asks[at], at, &mut rooms, &mut places);
    }
    (places, missing)
}

/// Finds places for all copies of an ask. Returns how many found none.
fn settle(ask: &Ask, at: usize, rooms: &mut [Room], places: &mut Vec<Place>) -> u32 {
    let mut left = ask.count;
    for room in rooms.iter_mut().filter(|room| ask.may_be_on(room.agent)) {
        let mut count = 0;
        let mut sum = Resources::new();
        while count < left
            && let Some(taken) = take(&mut room.free, &ask.resources)
        {
            sum += taken;
            count += 1;
        }
        if count > 0 {
            left -= count;
            note(places, room.agent, &sum, (at, count));
        }
        if left == 0 {
            break;
        }
    }
    left
}

fn note(places: &mut Vec<Place>, agent: AgentKey, taken: &Resources, part: (usize, u32)) {
    match places.iter_mut().find(|place| place.agent == agent) {
        Some(place) => {
            place.resources += taken;
            place.parts.push(part);
        }
        None => places.push(Place {
            agent,
            resources: taken.clone(),
            parts: vec![part],
        }),
    }
}

#[cfg(test)]
mod tests {
    use tepui_model::Role;

    use super::*;

    fn parse(text: &str) -> Resources {
        Resources::parse(text, &Role::default()).unwrap()
    }

    fn rooms(free: &[&str]) -> Vec<Room> {
        let rooms = (0..).zip(free).map(|(key, free)| Room {
            agent: AgentKey(key),
            free: parse(free),
        });
        rooms.collect()
    }

    fn placed(asks: &[(&str, u32)], free: &[&str]) -> (Vec<(u32, String)>, u32) {
        let asks: Vec<Ask> = asks
            .iter()
            .map(|(text, count)| Ask::new(parse(text), *count))
            .collect();
        let (places, missing) = plan(&asks, rooms(free));
        let place = |place: Place| (place.agent.0, place.resources.to_string());
        let mut places: Vec<_> = places.into_iter().map(place).collect();
        places.sort();
        (places, missing)
    }

    #[test]
    fn the_large_ones_come_first_and_go_where_they_fit_most_closely() {
        let (places, missing) = placed(&[("cpus:3", 2), ("cpus:4", 1)], &["cpus:6", "cpus:4"]);
        assert_eq!(missing, 0);
        assert_eq!(places, [(0, "cpus:6".to_owned()), (1, "cpus:4".to_owned())]);
    }

    #[test]
    fn what_finds_no_place_is_counted() {
        let (places, missing) = placed(&[("cpus:2", 5)], &["cpus:5", "cpus:1", "cpus:3"]);
        assert_eq!(missing, 2);
        assert_eq!(places, [(0, "cpus:4".to_owned()), (2, "cpus:2".to_owned())]);
    }

    #[test]
    fn an_ask_for_one_agent_is_placed_there_before_others_take_it() {
        let mut pinned = Ask::new(parse("cpus:1"), 1);
        pinned.agent = Some(AgentKey(0));
        let asks = [Ask::new(parse("cpus:2"), 1), pinned];
        let (places, missing) = plan(&asks, rooms(&["cpus:2", "cpus:2"]));
        assert_eq!(missing, 0);
        let agents: Vec<u32> = places.iter().map(|place| place.agent.0).collect();
        assert_eq!(agents, [0, 1]);
        assert_eq!(plan(&asks[1..], rooms(&["cpus:0.5", "cpus:9"])).1, 1);
    }
}
