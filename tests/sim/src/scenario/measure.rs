//! What is noted while a run goes on. It is taken from where tasks really are, not from what the
//! master believes.

use tepui_master_core::{Notice, OfferEnd};
use tepui_model::{Kind, Reason, Resources};

use super::{
    figures::{OfferFigures, Sample},
    file::{Behaviour, Scenario, expand},
    frameworks::FrameworkNode,
    ideal::{self, Wish},
    world::World,
};

/// Thousandths of each resource, in the order of [`Measures::kinds`].
pub(super) type Amounts = Vec<i64>;

/// What a role has.
#[derive(Clone, Debug)]
pub(super) struct RoleBook {
    pub(super) name: String,
    pub(super) weight: f64,
    used: Amounts,
}

/// What a group of frameworks has done.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupBook {
    pub(super) launched: u64,
    pub(super) finished: u64,
    pub(super) lost: u64,
    /// Tasks that gave way to a higher priority.
    pub(super) preempted: u64,
    /// Tasks of an ACCEPT that came when another had the offer.
    pub(super) late: u64,
    pub(super) moved: u64,
    pub(super) running: u64,
    /// Gangs of which every task ran.
    pub(super) gangs: u64,
    /// The longest that a gang ran in part, in seconds.
    pub(super) longest_partly: f64,
    /// Seconds from submission to running.
    pub(super) waits: Vec<f32>,
}

impl GroupBook {
    /// A task has ended that was not to.
    pub(super) const fn lose(&mut self, reason: Option<Reason>) {
        match reason {
            Some(Reason::ContainerPreempted) => self.preempted += 1,
            Some(Reason::InvalidOffers) => self.late += 1,
            _ => self.lost += 1,
        }
    }

    /// A gang ran in part for so many seconds.
    pub(super) fn partly(&mut self, span: f64) {
        self.longest_partly = self.longest_partly.max(span);
    }
}

/// The notes of a run.
#[derive(Debug)]
pub(super) struct Measures {
    /// The scalar resources that agents have.
    pub(super) kinds: Vec<Kind>,
    pub(super) roles: Vec<RoleBook>,
    pub(super) groups: Vec<GroupBook>,
    pub(super) offers: OfferFigures,
    pub(super) samples: Vec<Sample>,
    /// Agents that are up.
    pub(super) agents: u64,
    total: Amounts,
    classes: Vec<Amounts>,
    shapes: Vec<Amounts>,
}

impl Measures {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let mut kinds: Vec<Kind> = Vec::new();
        for class in &scenario.agents {
            let missing = class.resources.scalars();
            let missing = missing.iter().map(|(kind, _)| kind);
            let missing: Vec<Kind> = missing.filter(|kind| !kinds.contains(kind)).collect();
            kinds.extend(missing);
        }
        kinds.sort();
        let amounts = |resources: &Resources| amounts(&kinds, resources);
        let shape = |task: &Option<Resources>| task.as_ref().map(&amounts).unwrap_or_default();
        let shapes = scenario.frameworks.iter().map(|group| shape(&group.task));
        let shapes = shapes.collect();
        let classes = scenario
            .agents
            .iter()
            .map(|class| amounts(&class.resources));
        Self {
            roles: roles(scenario, kinds.len()),
            groups: vec![GroupBook::default(); scenario.frameworks.len()],
            offers: OfferFigures::default(),
            samples: Vec::new(),
            agents: 0,
            total: vec![0; kinds.len()],
            classes: classes.collect(),
            shapes,
            kinds,
        }
    }

    /// The place of a role that the scenario names.
    pub(super) fn role(&self, name: &str) -> Option<usize> {
        self.roles
            .binary_search_by(|role| role.name.as_str().cmp(name))
            .ok()
    }

    pub(super) fn agent_came(&mut self, class: usize) {
        self.agents += 1;
        add(&mut self.total, &self.classes[class], 1);
    }

    pub(super) fn agent_went(&mut self, class: usize) {
        self.agents -= 1;
        add(&mut self.total, &self.classes[class], -1);
    }

    pub(super) fn task_came(&mut self, framework: &FrameworkNode) {
        self.groups[framework.group as usize].running += 1;
        let used = &mut self.roles[framework.role_at].used;
        add(used, &self.shapes[framework.group as usize], 1);
    }

    pub(super) fn task_went(&mut self, framework: &FrameworkNode) {
        self.groups[framework.group as usize].running -= 1;
        let used = &mut self.roles[framework.role_at].used;
        add(used, &self.shapes[framework.group as usize], -1);
    }

    pub(super) fn running(&self) -> u64 {
        self.groups.iter().map(|group| group.running).sum()
    }

    pub(super) fn finished(&self) -> u64 {
        self.groups.iter().map(|group| group.finished).sum()
    }

    pub(super) fn hear(&mut self, notice: &Notice) {
        match notice {
            Notice::OfferAdded { .. } => self.offers.made += 1,
            Notice::OfferRemoved { end, .. } => {
                *match end {
                    OfferEnd::Accepted => &mut self.offers.accepted,
                    OfferEnd::Declined => &mut self.offers.declined,
                    OfferEnd::Rescinded => &mut self.offers.rescinded,
                    OfferEnd::TimedOut => &mut self.offers.timed_out,
                } += 1;
            }
            _ => {}
        }
    }

    /// What of the cluster that is.
    fn parts(&self, amounts: &[i64]) -> Vec<f64> {
        let part = |(amount, total): (&i64, &i64)| *amount as f64 / (*total).max(1) as f64;
        amounts.iter().zip(&self.total).map(part).collect()
    }

    /// What each role has and would take.
    fn wishes(&self, scenario: &Scenario, frameworks: &[FrameworkNode]) -> Vec<Wish> {
        let wish = |role: &RoleBook| Wish {
            weight: role.weight,
            parts: self.parts(&role.used),
        };
        let mut wishes: Vec<Wish> = self.roles.iter().map(wish).collect();
        for framework in frameworks.iter().filter(|it| it.connection.is_some()) {
            let parts = self.parts(&self.shapes[framework.group as usize]);
            let is_greedy =
                scenario.frameworks[framework.group as usize].behaviour == Behaviour::Greedy;
            let times = if is_greedy {
                // As many tasks as fill the cluster.
                1.0 / parts.iter().copied().fold(1e-9, f64::max)
            } else {
                framework.pending as f64
            };
            let wanted = wishes[framework.role_at].parts.iter_mut();
            wanted
                .zip(parts)
                .for_each(|(sum, part)| *sum += part * times);
        }
        wishes
    }
}

impl World<'_> {
    /// Notes shares and use.
    pub(super) fn sample(&mut self) {
        let measures = &self.measures;
        let kinds = measures.kinds.len();
        let wishes = measures.wishes(self.scenario, &self.frameworks);
        let ideals = ideal::shares(&wishes, kinds);
        let share = |role: &RoleBook| measures.parts(&role.used).into_iter().fold(0.0, f64::max);
        let shares: Vec<f64> = measures.roles.iter().map(share).collect();
        let ratios = shares
            .iter()
            .zip(&ideals)
            .filter(|(_, ideal)| **ideal > 0.0);
        let jain = ideal::jain(ratios.map(|(share, ideal)| share / ideal));
        let mut used = vec![0; kinds];
        measures
            .roles
            .iter()
            .for_each(|role| add(&mut used, &role.used, 1));
        let mut offered = vec![0; kinds];
        for offer in self.master.offers() {
            add(&mut offered, &amounts(&measures.kinds, &offer.resources), 1);
        }
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        let sample = Sample {
            at: self.elapsed().as_secs_f64(),
            used: narrow(measures.parts(&used)),
            offered: narrow(measures.parts(&offered)),
            shares: narrow(shares),
            ideals: narrow(ideals),
            jain,
            running: measures.running(),
            pending: self
                .frameworks
                .iter()
                .map(|framework| framework.pending)
                .sum(),
        };
        self.measures.samples.push(sample);
    }
}

fn amounts(kinds: &[Kind], resources: &Resources) -> Amounts {
    let scalars = resources.scalars();
    kinds
        .iter()
        .map(|kind| scalars.get(kind).millis())
        .collect()
}

fn add(sum: &mut [i64], amounts: &[i64], times: i64) {
    for (sum, amount) in sum.iter_mut().zip(amounts) {
        *sum += amount * times;
    }
}

/// The roles of all frameworks, by name, with the weights that they start with.
fn roles(scenario: &Scenario, kinds: usize) -> Vec<RoleBook> {
    let mut books = std::collections::BTreeMap::new();
    let mut book = |name: String, weight: Option<f64>| {
        let book = books.entry(name).or_insert(1.0);
        *book = weight.unwrap_or(*book);
    };
    for group in &scenario.frameworks {
        (0..group.count).for_each(|number| book(expand(&group.role, number), None));
    }
    for role in &scenario.roles {
        let weight = role.weight.map(|weight| weight.as_f64());
        (0..role.count).for_each(|number| book(expand(&role.name, number), weight));
    }
    let book = |(name, weight)| RoleBook {
        name,
        weight,
        used: vec![0; kinds],
    };
    books.into_iter().map(book).collect()
}
