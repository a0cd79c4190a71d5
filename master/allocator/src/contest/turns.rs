//! Turns drawn by lot, for those who want chance instead of fairness (Mesos: ALL-02, `random`).
//!
//! Each competitor is a Poisson process whose rate is its weight: its turn is the time of its next
//! event. As exponential spans have no memory, whoever is next is drawn with a chance in proportion
//! to its weight, again and again, although only the one that was served draws anew.

use tepui_model::Quantity;

use crate::mix::mix;

/// How long until the next turn of a competitor, of which this is the turn number `count`.
pub(crate) fn draw(seed: u64, name: u64, count: u64, weight: Quantity) -> f64 {
    let number = mix(seed ^ mix(name ^ mix(count)));
    // 53 bits, and a half, so that the logarithm is of a number between 0 and 1.
    let chance = ((number >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -chance.ln() / weight.as_f64()
}

/// What names a client in a draw.
pub(crate) const fn client_name(framework: u32, role_age: u32) -> u64 {
    (framework as u64) << 32 | role_age as u64
}

/// What names a role in a draw.
pub(crate) const fn role_name(age: u32) -> u64 {
    1 << 62 | age as u64
}

/// What names a role's own frameworks in a draw.
pub(crate) const fn group_name(age: u32) -> u64 {
    1 << 63 | age as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_next_is_drawn_by_weight() {
        let weights = [1, 2, 5].map(Quantity::from_units);
        let mut turns = [0.0; 3];
        let mut served = [0_u64; 3];
        let next = |name: usize, count| draw(7, name as u64, count, weights[name]);
        (0..3).for_each(|name| turns[name] = next(name, 0));
        for _ in 0..80_000 {
            let first = (0..3)
                .min_by(|a, b| turns[*a].total_cmp(&turns[*b]))
                .unwrap();
            served[first] += 1;
            turns[first] += next(first, served[first]);
        }
        let about = |count: u64, wanted: u64| count.abs_diff(wanted) < wanted / 20;
        assert!(
            about(served[0], 10_000) && about(served[1], 20_000),
            "{served:?}"
        );
    }
}
