//! The figures of a run as tables.

use tepui_sim::scenario::{Cost, Figures, Group};

use crate::{
    failure::Failure,
    output::{self, Column, Format},
};

/// Roles that a table shows; `-o wide` shows all.
const ROLES: usize = 12;

const GROUPS: [Column; 10] = [
    Column::text("FRAMEWORKS"),
    Column::number("COUNT"),
    Column::number("LAUNCHED"),
    Column::number("RUNNING"),
    Column::number("FINISHED"),
    Column::number("LOST"),
    Column::number("PENDING"),
    Column::number("WAIT P50"),
    Column::number("P90"),
    Column::number("P99"),
];

const SHARES: [Column; 5] = [
    Column::text("ROLE"),
    Column::number("WEIGHT"),
    Column::number("SHARE"),
    Column::number("IDEAL"),
    Column::number("AT THE END"),
];

const USE: [Column; 4] = [
    Column::text("RESOURCE"),
    Column::number("USED"),
    Column::number("PEAK"),
    Column::number("OFFERED"),
];

const OFFERS: [Column; 5] = [
    Column::number("OFFERS"),
    Column::number("ACCEPTED"),
    Column::number("DECLINED"),
    Column::number("RESCINDED"),
    Column::number("TIMED OUT"),
];

const CYCLES: [Column; 5] = [
    Column::number("ALLOCATIONS"),
    Column::number("MEDIAN"),
    Column::number("P99"),
    Column::number("MAX"),
    Column::number("TOTAL"),
];

const COST: [Column; 5] = [
    Column::number("EVENTS"),
    Column::number("CORE"),
    Column::number("EVENTS/S"),
    Column::number("WALL"),
    Column::number("MEMORY"),
];

const VERDICTS: [Column; 4] = [
    Column::text("EXPECTED"),
    Column::text("OF"),
    Column::text("FOUND"),
    Column::text("MET"),
];

/// Prints the figures.
pub(super) fn print(format: Format, figures: &Figures) -> Result<(), Failure> {
    if format == Format::Json {
        return output::print_json(figures);
    }
    println!("{}, seed {}\n", figures.title, figures.seed);
    let several = figures.groups.len() > 1;
    let groups = figures.groups.iter().chain(several.then_some(&figures.all));
    output::print(format, figures, &GROUPS, groups.map(group))?;
    print_roles(format, figures)?;
    println!(
        "\nJain index of share over ideal, mean: {}\n",
        output::number(figures.jain)
    );
    let kinds = figures.utilisation.iter().map(|kind| {
        let cells = [kind.mean, kind.peak, kind.offered].map(percent);
        [vec![kind.resource.clone()], cells.to_vec()].concat()
    });
    output::print(format, figures, &USE, kinds)?;
    println!();
    let offers = figures.offers;
    let offers = [
        offers.made,
        offers.accepted,
        offers.declined,
        offers.rescinded,
        offers.timed_out,
    ];
    output::print(format, figures, &OFFERS, [texts(offers)])?;
    print_cost(format, figures)?;
    if figures.verdicts.is_empty() {
        return Ok(());
    }
    println!();
    let verdicts = figures.verdicts.iter().map(|verdict| {
        let met = if verdict.is_met { "yes" } else { "NO" };
        let cells = [&verdict.expected, &verdict.figure, &verdict.found];
        cells.into_iter().cloned().chain([met.to_owned()]).collect()
    });
    output::print(format, figures, &VERDICTS, verdicts)
}

fn texts<const N: usize>(numbers: [u64; N]) -> Vec<String> {
    numbers.iter().map(ToString::to_string).collect()
}

fn group(group: &Group) -> Vec<String> {
    let counts = [
        u64::from(group.frameworks),
        group.launched,
        group.running,
        group.finished,
        group.lost,
        group.pending,
    ];
    let waits = match group.waits {
        Some(waits) => [waits.p50, waits.p90, waits.p99].map(seconds),
        None => ["-"; 3].map(str::to_owned),
    };
    [vec![group.name.clone()], texts(counts), waits.to_vec()].concat()
}

/// The roles with the largest shares, and how many others there are.
fn print_roles(format: Format, figures: &Figures) -> Result<(), Failure> {
    let most = if format == Format::Wide {
        usize::MAX
    } else {
        ROLES
    };
    let mut roles: Vec<_> = figures.roles.iter().collect();
    if roles.len() > most {
        roles.sort_by(|left, right| right.share.total_cmp(&left.share));
    }
    println!();
    let rows = roles.iter().take(most).map(|role| {
        let shares = [role.share, role.ideal, role.last_share].map(percent);
        let named = vec![role.name.clone(), output::number(role.weight)];
        [named, shares.to_vec()].concat()
    });
    output::print(format, figures, &SHARES, rows)?;
    if roles.len() > most {
        println!("and {} more: -o wide", roles.len() - most);
    }
    Ok(())
}

fn print_cost(format: Format, figures: &Figures) -> Result<(), Failure> {
    let Cost {
        wall,
        core,
        events,
        cycles,
        memory,
        ..
    } = figures.cost;
    let cost = &figures.cost;
    let spans = [
        cost.cycle_median,
        cost.cycle_p99,
        cost.cycle_max,
        cost.cycle_total,
    ];
    println!();
    let row = [vec![cycles.to_string()], spans.map(seconds).to_vec()].concat();
    output::print(format, figures, &CYCLES, [row])?;
    println!();
    let rate = events as f64 / core.max(1e-9);
    let memory = memory.map_or_else(|| "-".to_owned(), |megabytes| format!("{megabytes} MB"));
    let row = vec![
        events.to_string(),
        seconds(core),
        format!("{rate:.0}"),
        seconds(wall),
        memory,
    ];
    output::print(format, figures, &COST, [row])
}

fn percent(part: f64) -> String {
    format!("{:.1}%", part * 100.0)
}

/// Seconds in the unit that suits them.
fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.0}us", s * 1e6),
        s if s < 1.0 => format!("{:.1}ms", s * 1e3),
        s => format!("{s:.1}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_shown_in_the_unit_that_suits_them() {
        let shown = [0.000_012, 0.0034, 12.34].map(seconds);
        assert_eq!(shown, ["12us", "3.4ms", "12.3s"]);
    }
}
