//! How asks fit into offers.

use tepui_model::Role;

use super::*;

const AGENT: AgentKey = AgentKey(0);

fn parse(text: &str) -> Resources {
    Resources::parse(text, &Role::default()).unwrap()
}

fn demand(asks: &[(&str, u32)]) -> Demand {
    let ask = |(text, count): &(&str, u32)| Ask::new(parse(text), *count);
    Demand::new(asks.iter().map(ask).collect())
}

#[test]
fn as_many_asks_as_fit_are_covered_in_their_order() {
    let demand = demand(&[("cpus:2;mem:100", 2), ("cpus:1", 9), ("mem:5000", 1)]);
    let (sum, parts) = demand
        .fit(AGENT, &parse("cpus:7;mem:1000;ports:[1-9]"))
        .unwrap();
    assert_eq!(sum, parse("cpus:7;mem:200"));
    assert_eq!(parts, [(0, 2), (1, 3)]);
    assert_eq!(demand.fit(AGENT, &parse("mem:4999")), None);
}

#[test]
fn what_is_reserved_is_taken_first_and_ports_by_their_numbers() {
    let demand = demand(&[("cpus:3;ports:[5-6]", 1)]);
    let (sum, _) = demand
        .fit(AGENT, &parse("cpus:4;cpus(a):2;ports:[1-9]"))
        .unwrap();
    assert_eq!(sum, parse("cpus:1;cpus(a):2;ports:[5-6]"));
    assert_eq!(demand.fit(AGENT, &parse("cpus:4;ports:[1-5]")), None);
}

#[test]
fn a_declined_offer_opens_its_asks_and_an_accepted_one_does_not() {
    let agent = AGENT;
    let mut demand = demand(&[("cpus:1", 3)]);
    let open = |demand: &Demand| demand.open().map(|ask| ask.count).sum::<u32>();
    let (sum, parts) = demand.fit(AGENT, &parse("cpus:2")).unwrap();
    demand.show(agent, &sum, parts);
    assert_eq!(open(&demand), 1);
    assert!(demand.give_back(agent, &sum));
    assert_eq!(open(&demand), 3);
    let (sum, parts) = demand.fit(AGENT, &parse("cpus:2")).unwrap();
    demand.show(agent, &sum, parts.clone());
    demand.accept(agent, &sum);
    assert!(!demand.give_back(agent, &sum), "it is used up");
    assert_eq!(open(&demand), 1);
    assert!(!demand.lose(agent));
}

#[test]
fn the_nearest_miss_is_of_the_ask_that_lacks_the_smallest_part() {
    let demand = demand(&[("cpus:4;mem:10", 1), ("cpus:10;mem:1000", 1)]);
    let (ask, missing) = demand
        .nearest_miss(AGENT, &parse("cpus:1;mem:900"))
        .unwrap();
    assert_eq!(ask.resources, parse("cpus:4;mem:10"));
    assert_eq!(missing, parse("cpus:3").scalars());
}

#[test]
fn an_ask_for_one_agent_fits_there_only_and_ends_with_it() {
    let mut asks = vec![Ask::new(parse("cpus:1"), 2), Ask::new(parse("mem:5"), 1)];
    asks[0].agent = Some(AGENT);
    let mut demand = Demand::new(asks);
    let offer = parse("cpus:4;mem:10");
    let elsewhere = AgentKey(1);
    let (sum, _) = demand.fit(elsewhere, &offer).unwrap();
    assert_eq!(sum, parse("mem:5"));
    assert_eq!(
        demand.nearest_miss(elsewhere, &parse("cpus:9")).unwrap().1,
        parse("mem:5").scalars()
    );
    let (sum, parts) = demand.fit(AGENT, &offer).unwrap();
    assert_eq!(sum, parse("cpus:2;mem:5"));
    demand.show(AGENT, &sum, parts);
    assert!(demand.lose(AGENT));
    let (sum, _) = demand.fit(AGENT, &offer).unwrap();
    assert_eq!(sum, parse("mem:5"), "another agent may have the key now");
}
