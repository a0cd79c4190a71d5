//! Which plots a run has.

use super::{
    axis::{Axis, Unit},
    plot::{Band, Mark, Plot, Series},
};
use crate::scenario::{Figures, Group, Sample, limits::MAX_LINES};

/// Pieces of time in which runs of the allocator are put together.
const PIECES: usize = 240;

/// Points of a distribution.
const QUANTILES: usize = 200;

/// Bars for each power of ten.
const BARS_PER_DECADE: f64 = 8.0;

/// All plots of a run, in pairs: they stand side by side.
pub(super) fn all(figures: &Figures) -> Vec<Plot> {
    let mut plots = vec![
        shares(figures),
        fairness(figures),
        utilisation(figures),
        tasks(figures),
    ];
    if !figures.all.sorted_waits.is_empty() {
        plots.extend([histogram(figures), distribution(figures)]);
    }
    if !figures.cost.series.is_empty() {
        plots.extend([cost(figures), cost_histogram(figures)]);
    }
    plots
}

fn over_time(figures: &Figures, value: impl Fn(&Sample) -> f64) -> Vec<(f64, f64)> {
    figures
        .samples
        .iter()
        .map(|sample| (sample.at, value(sample)))
        .collect()
}

fn highest(series: &[Series]) -> f64 {
    let points = series.iter().flat_map(|series| &series.points);
    points.map(|(_, y)| *y).fold(0.0, f64::max)
}

/// Line by line while they are few; of many, those with most, and a band for the rest.
fn shares(figures: &Figures) -> Plot {
    let mut order: Vec<usize> = (0..figures.roles.len()).collect();
    order.sort_by(|left, right| {
        figures.roles[*right]
            .share
            .total_cmp(&figures.roles[*left].share)
    });
    let rest = order.split_off(order.len().min(MAX_LINES));
    order.sort_unstable();
    let mut series = Vec::new();
    for (colour, at) in order.iter().copied().enumerate() {
        series.push(Series {
            name: String::new(),
            colour,
            mark: Mark::Dashed,
            points: over_time(figures, |sample| sample.ideals[at].into()),
        });
        let role = &figures.roles[at];
        series.push(Series {
            name: format!("{} (weight {})", role.name, role.weight),
            colour,
            mark: Mark::Line,
            points: over_time(figures, |sample| sample.shares[at].into()),
        });
    }
    let bands = if rest.is_empty() {
        Vec::new()
    } else {
        vec![band(figures, &rest)]
    };
    let most = bands
        .iter()
        .flat_map(|band| &band.points)
        .map(|(_, _, high)| *high);
    let most = most.fold(highest(&series), f64::max);
    Plot {
        title: "Dominant share by role".to_owned(),
        note: "Of what tasks really take. Dashed: the ideal, if everything could be divided at \
               will between those who want something."
            .to_owned(),
        x: Axis::time(figures.duration),
        y: Axis::linear(Unit::Part, most),
        bands,
        series,
    }
}

fn band(figures: &Figures, roles: &[usize]) -> Band {
    let point = |sample: &Sample| {
        let shares = || roles.iter().map(|at| f64::from(sample.shares[*at]));
        (
            sample.at,
            shares().fold(f64::INFINITY, f64::min),
            shares().fold(0.0, f64::max),
        )
    };
    Band {
        name: format!("{} other roles, from the least to the most", roles.len()),
        points: figures.samples.iter().map(point).collect(),
    }
}

fn fairness(figures: &Figures) -> Plot {
    let points = figures.samples.iter();
    let points = points.filter_map(|sample| Some((sample.at, sample.jain?)));
    Plot {
        title: "Fairness".to_owned(),
        note: "Jain's index of share over ideal: 1 if every role has the same part of what it \
               ought to have."
            .to_owned(),
        x: Axis::time(figures.duration),
        y: Axis::linear(Unit::Count, 1.0),
        bands: Vec::new(),
        series: vec![Series {
            name: String::new(),
            colour: 2,
            mark: Mark::Area,
            points: points.collect(),
        }],
    }
}

fn utilisation(figures: &Figures) -> Plot {
    let mut series = Vec::new();
    for (at, kind) in figures.utilisation.iter().enumerate() {
        series.push(Series {
            name: format!("{} in tasks", kind.resource),
            colour: at,
            mark: Mark::Line,
            points: over_time(figures, |sample| sample.used[at].into()),
        });
        series.push(Series {
            name: format!("{} in offers", kind.resource),
            colour: at,
            mark: Mark::Dashed,
            points: over_time(figures, |sample| sample.offered[at].into()),
        });
    }
    Plot {
        title: "Use of the cluster".to_owned(),
        note: "What tasks take, and what lies in offers that wait for an answer.".to_owned(),
        x: Axis::time(figures.duration),
        y: Axis::linear(Unit::Part, 1.0),
        bands: Vec::new(),
        series,
    }
}

fn tasks(figures: &Figures) -> Plot {
    let line = |name: &str, colour, value: fn(&Sample) -> u64| Series {
        name: name.to_owned(),
        colour,
        mark: Mark::Area,
        points: over_time(figures, |sample| value(sample) as f64),
    };
    let series = vec![
        line("running", 0, |sample| sample.running),
        line("waiting", 1, |sample| sample.pending),
    ];
    Plot {
        title: "Tasks".to_owned(),
        note: "Running, and submitted but not launched yet.".to_owned(),
        x: Axis::time(figures.duration),
        y: Axis::linear(Unit::Count, highest(&series)),
        bands: Vec::new(),
        series,
    }
}

fn waits_axis(figures: &Figures) -> Axis {
    let waits = &figures.all.sorted_waits;
    let end = |wait: Option<&f32>| f64::from(wait.copied().unwrap_or(1.0));
    Axis::log(
        Unit::Seconds,
        end(waits.first()).max(1e-3),
        end(waits.last()),
    )
}

fn histogram(figures: &Figures) -> Plot {
    let waits = figures.all.sorted_waits.iter();
    bars(
        "How many tasks waited how long",
        "From submission to TASK_RUNNING at the framework; each bar is a third wider than the last.",
        4,
        waits_axis(figures),
        waits.map(|wait| f64::from(*wait)),
    )
}

/// How many of the values lie where, on a logarithmic axis.
fn bars(
    title: &str,
    note: &str,
    colour: usize,
    x: Axis,
    values: impl Iterator<Item = f64>,
) -> Plot {
    let decades = (x.most / x.least).log10().round();
    let bars = (decades * BARS_PER_DECADE) as usize;
    let edge = |bar: usize| x.least * 10_f64.powf(bar as f64 / BARS_PER_DECADE);
    let mut counts = vec![0.0; bars];
    for value in values {
        let bar = (x.place(value) * bars as f64) as usize;
        if let Some(count) = counts.get_mut(bar.min(bars.saturating_sub(1))) {
            *count += 1.0;
        }
    }
    let mut points: Vec<_> = counts
        .into_iter()
        .enumerate()
        .map(|(bar, count)| (edge(bar), count))
        .collect();
    points.push((x.most, 0.0));
    let series = vec![Series {
        name: String::new(),
        colour,
        mark: Mark::Bars,
        points,
    }];
    Plot {
        title: title.to_owned(),
        note: note.to_owned(),
        y: Axis::linear(Unit::Count, highest(&series)),
        x,
        bands: Vec::new(),
        series,
    }
}

fn distribution(figures: &Figures) -> Plot {
    let groups = figures
        .groups
        .iter()
        .filter(|group| !group.sorted_waits.is_empty());
    let line = |(colour, group): (usize, &Group)| {
        let waits = &group.sorted_waits;
        let point = |quantile: usize| {
            let part = quantile as f64 / QUANTILES as f64;
            let at = (part * (waits.len() - 1) as f64) as usize;
            (f64::from(waits[at]), part)
        };
        Series {
            name: group.name.clone(),
            colour,
            mark: Mark::Line,
            points: (0..=QUANTILES).map(point).collect(),
        }
    };
    Plot {
        title: "Waiting by group".to_owned(),
        note: "Which part of the tasks waited at most so long.".to_owned(),
        x: waits_axis(figures),
        y: Axis::linear(Unit::Part, 1.0),
        bands: Vec::new(),
        series: groups.take(MAX_LINES).enumerate().map(line).collect(),
    }
}

fn spans(figures: &Figures) -> impl Iterator<Item = f64> + '_ {
    figures.cost.series.iter().map(|(_, span)| *span)
}

fn cost_axis(figures: &Figures) -> Axis {
    let least = spans(figures).fold(f64::INFINITY, f64::min);
    Axis::log(
        Unit::Seconds,
        least.max(1e-6),
        spans(figures).fold(0.0, f64::max),
    )
}

fn cost_histogram(figures: &Figures) -> Plot {
    bars(
        "How many allocations took how long",
        "Real time, on this machine; each bar is a third wider than the last.",
        5,
        cost_axis(figures),
        spans(figures),
    )
}

/// Runs of the allocator by the piece of time in which they were.
fn cost(figures: &Figures) -> Plot {
    let mut pieces = vec![Vec::new(); PIECES];
    for (at, span) in &figures.cost.series {
        let piece = (at / figures.duration * PIECES as f64) as usize;
        pieces[piece.min(PIECES - 1)].push(*span);
    }
    let (mut median, mut longest) = (Vec::new(), Vec::new());
    for (piece, mut spans) in pieces.into_iter().enumerate() {
        spans.sort_by(f64::total_cmp);
        let at = (piece as f64 + 0.5) / PIECES as f64 * figures.duration;
        median.extend(spans.get(spans.len() / 2).map(|span| (at, *span)));
        longest.extend(spans.last().map(|span| (at, *span)));
    }
    Plot {
        title: "Real time of one allocation".to_owned(),
        note: "The allocator's run and the making of its offers, on this machine.".to_owned(),
        x: Axis::time(figures.duration),
        y: cost_axis(figures),
        bands: Vec::new(),
        series: vec![
            Series {
                name: "longest".to_owned(),
                colour: 1,
                mark: Mark::Dots,
                points: longest,
            },
            Series {
                name: "median".to_owned(),
                colour: 0,
                mark: Mark::Line,
                points: median,
            },
        ],
    }
}
