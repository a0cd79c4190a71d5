//! From the notes of a run to its figures.

use core::{mem, time::Duration};

use super::{
    figures::{Figures, Group, RoleFigures, Sample, Utilisation, Waits},
    world::World,
};

impl Figures {
    /// The figures of a run that is over.
    pub(super) fn of(mut world: World<'_>, wall: Duration) -> Self {
        let scenario = world.scenario;
        let groups: Vec<Group> = (0..scenario.frameworks.len())
            .map(|at| group(&mut world, at))
            .collect();
        let measures = &world.measures;
        let samples = &measures.samples;
        let index: Vec<f64> = samples.iter().filter_map(|sample| sample.jain).collect();
        let mut figures = Self {
            title: scenario.title.clone(),
            seed: scenario.seed,
            duration: scenario.duration.as_secs_f64(),
            agents: world.agents.len() as u32,
            all: sum(&groups),
            roles: (0..measures.roles.len())
                .map(|at| role(&world, at))
                .collect(),
            jain: mean(index.iter().copied()),
            utilisation: (0..measures.kinds.len())
                .map(|at| utilisation(&world, at))
                .collect(),
            offers: measures.offers,
            cost: world.master.cost(wall),
            groups,
            samples: Vec::new(),
            verdicts: Vec::new(),
        };
        figures.verdicts = scenario.expect.judge(&figures);
        figures.samples = mem::take(&mut world.measures.samples);
        figures
    }
}

fn group(world: &mut World<'_>, at: usize) -> Group {
    let book = mem::take(&mut world.measures.groups[at]);
    let members = world.frameworks.iter().filter(|it| it.group as usize == at);
    let partly = members.clone().filter_map(|it| it.partly(world.now));
    let longest_partly = partly.fold(book.longest_partly, f64::max);
    let mut sorted_waits = book.waits;
    sorted_waits.sort_by(f32::total_cmp);
    Group {
        name: world.scenario.frameworks[at].name.clone(),
        frameworks: members.clone().count() as u32,
        launched: book.launched,
        finished: book.finished,
        lost: book.lost,
        preempted: book.preempted,
        late: book.late,
        moved: book.moved,
        running: book.running,
        pending: members.map(|framework| framework.pending).sum(),
        gangs: book.gangs,
        longest_partly,
        waits: Waits::of(&sorted_waits),
        sorted_waits,
    }
}

fn sum(groups: &[Group]) -> Group {
    let mut all = Group {
        name: "all".to_owned(),
        ..Group::default()
    };
    for group in groups {
        all.frameworks += group.frameworks;
        all.launched += group.launched;
        all.finished += group.finished;
        all.lost += group.lost;
        all.preempted += group.preempted;
        all.late += group.late;
        all.moved += group.moved;
        all.running += group.running;
        all.pending += group.pending;
        all.gangs += group.gangs;
        all.longest_partly = all.longest_partly.max(group.longest_partly);
        all.sorted_waits.extend(&group.sorted_waits);
    }
    all.sorted_waits.sort_by(f32::total_cmp);
    all.waits = Waits::of(&all.sorted_waits);
    all
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

fn role(world: &World<'_>, at: usize) -> RoleFigures {
    let book = &world.measures.roles[at];
    let samples = &world.measures.samples;
    let over_time = |value: fn(&Sample) -> &Vec<f32>| {
        mean(samples.iter().map(|sample| f64::from(value(sample)[at])))
    };
    RoleFigures {
        name: book.name.clone(),
        weight: book.weight,
        share: over_time(|sample| &sample.shares),
        ideal: over_time(|sample| &sample.ideals),
        last_share: samples
            .last()
            .map_or(0.0, |sample| sample.shares[at].into()),
    }
}

fn utilisation(world: &World<'_>, at: usize) -> Utilisation {
    let samples = &world.measures.samples;
    let used = || samples.iter().map(|sample| f64::from(sample.used[at]));
    Utilisation {
        resource: world.measures.kinds[at].name().to_owned(),
        mean: mean(used()),
        peak: used().fold(0.0, f64::max),
        offered: mean(samples.iter().map(|sample| f64::from(sample.offered[at]))),
    }
}
