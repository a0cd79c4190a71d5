//! Which processors a container has to itself, and which all others share.
//!
//! As Kubernetes' static policy for processors does it: whole packages first, then whole cores, and
//! single threads of cores only where nothing else fits, from cores and packages that others have
//! parts of already. One processor at least is left to share.

use std::{collections::BTreeSet, fs, path::Path};

/// Processors, by the kernel's numbers.
pub(crate) type Processors = BTreeSet<u32>;

/// A processor as the kernel counts them: a thread of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Processor {
    pub(crate) number: u32,
    /// The first of the threads of its core.
    pub(crate) core: u32,
    /// The first of the processors of its package.
    pub(crate) package: u32,
}

/// The processors of this machine. Empty where the kernel does not show them.
pub(crate) fn of_this_machine() -> Vec<Processor> {
    let root = Path::new("/sys/devices/system/cpu");
    let online = fs::read_to_string(root.join("online")).unwrap_or_default();
    let first = |number: u32, file: &str| {
        let path = root.join(format!("cpu{number}/topology/{file}"));
        let siblings = parse(&fs::read_to_string(path).unwrap_or_default());
        siblings.first().copied().unwrap_or(number)
    };
    let processor = |number| Processor {
        number,
        core: first(number, "thread_siblings_list"),
        package: first(number, "core_siblings_list"),
    };
    parse(&online).into_iter().map(processor).collect()
}

/// So many of the free processors for one container alone, as near to each other as may be. `None`
/// if there are not enough to leave one to the others.
pub(crate) fn choose(all: &[Processor], free: &Processors, count: usize) -> Option<Processors> {
    let mut chosen = Choice::new(all, free, count)?;
    chosen.take_whole(|processor| processor.package);
    chosen.take_whole(|processor| processor.core);
    chosen.take_threads();
    Some(chosen.taken)
}

struct Choice<'a> {
    all: &'a [Processor],
    free: Vec<Processor>,
    taken: Processors,
    missing: usize,
}

impl<'a> Choice<'a> {
    fn new(all: &'a [Processor], free: &Processors, count: usize) -> Option<Self> {
        let is_free = |processor: &&Processor| free.contains(&processor.number);
        let free: Vec<_> = all.iter().filter(is_free).copied().collect();
        (count > 0 && count < free.len()).then(|| Self {
            all,
            free,
            taken: Processors::new(),
            missing: count,
        })
    }

    /// Takes packages or cores that nobody has a part of, as many as are wanted whole. Of cores,
    /// those first whose package has the fewest free processors: others stay whole for longer.
    fn take_whole(&mut self, unit: impl Fn(&Processor) -> u32) {
        let mut units: Vec<u32> = self.free.iter().map(&unit).collect();
        units.dedup();
        units.sort_unstable();
        units.dedup();
        let crowded = |name: &u32| {
            let package = self.all.iter().find(|one| unit(one) == *name);
            let package = package.map_or(0, |one| one.package);
            let free = self.free.iter().filter(|one| one.package == package);
            (free.count(), *name)
        };
        units.sort_by_key(crowded);
        for name in units {
            let of_it = |one: &&Processor| unit(one) == name;
            let size = self.all.iter().filter(of_it).count();
            let free: Vec<u32> = self.free.iter().filter(of_it).map(|it| it.number).collect();
            if free.len() == size && size <= self.missing {
                free.into_iter().for_each(|number| self.take(number));
            }
        }
    }

    fn take_threads(&mut self) {
        while self.missing > 0 {
            let free = |same: &dyn Fn(&Processor) -> bool| {
                self.free.iter().filter(|one| same(one)).count()
            };
            let crowded = |one: &&Processor| {
                let core = free(&|other| other.core == one.core);
                let package = free(&|other| other.package == one.package);
                (core, package, one.number)
            };
            let Some(number) = self.free.iter().min_by_key(crowded).map(|it| it.number) else {
                return;
            };
            self.take(number);
        }
    }

    fn take(&mut self, number: u32) {
        self.free.retain(|one| one.number != number);
        self.taken.insert(number);
        self.missing = self.missing.saturating_sub(1);
    }
}

/// Reads a list as the kernel writes it: `0-3,7`. What is none is left out.
pub(crate) fn parse(list: &str) -> Processors {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        (last < MAX_PROCESSORS).then_some(first..=last)
    };
    let parts = list.trim().split(',');
    parts.filter_map(range).flatten().collect()
}

/// More than any kernel takes.
const MAX_PROCESSORS: u32 = 65_536;

/// Writes a list as the kernel reads it.
pub(crate) fn list(processors: &Processors) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in processors.iter().copied() {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let shown = ranges.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Packages of cores of threads, numbered as Linux does: first threads first.
    fn machine(packages: u32, cores: u32, threads: u32) -> Vec<Processor> {
        let all = packages * cores;
        let processor = |number: u32| Processor {
            number,
            core: number % all,
            package: (number % all) / cores * cores,
        };
        (0..all * threads).map(processor).collect()
    }

    fn numbers(all: &[Processor]) -> Processors {
        all.iter().map(|it| it.number).collect()
    }

    #[test]
    fn lists_read_back_as_the_kernel_has_them() {
        assert_eq!(list(&parse("0-3,7\n")), "0-3,7");
        assert_eq!(list(&parse("5,4,9")), "4-5,9");
        assert_eq!(parse(""), Processors::new());
        assert_eq!(parse("0-4000000000,x,3-"), Processors::new());
    }

    #[test]
    fn whole_packages_and_cores_come_before_threads_of_others() {
        // Two packages of four cores of two threads: core 1 is processors 1 and 9.
        let all = machine(2, 4, 2);
        let choose = |free: &str, count| choose(&all, &parse(free), count).map(|it| list(&it));
        assert_eq!(choose("0-15", 8).unwrap(), "0-3,8-11", "a package");
        assert_eq!(choose("0-15", 2).unwrap(), "0,8", "a core");
        assert_eq!(
            choose("1-15", 2).unwrap(),
            "1,9",
            "a core beside a used one"
        );
        assert_eq!(choose("1-15", 1).unwrap(), "8", "what is left of a core");
        assert_eq!(choose("4-7,8,12-15", 4).unwrap(), "4-5,12-13");
        assert_eq!(choose("3,5", 1).unwrap(), "3");
        assert_eq!(choose("3,5", 2), None, "one is left to share");
        assert_eq!(choose("0-15", 0), None);
        assert_eq!(choose("", 1), None);
    }

    proptest! {
        #[test]
        fn what_is_chosen_was_free_is_as_much_as_asked_for_and_leaves_one(
            shape in (1..3u32, 1..6u32, 1..3u32),
            wanted in proptest::collection::vec((1..7usize, any::<bool>()), 1..20),
        ) {
            let all = machine(shape.0, shape.1, shape.2);
            let mut free = numbers(&all);
            let mut held: Vec<Processors> = Vec::new();
            for (count, give_back) in wanted {
                if give_back && let Some(back) = held.pop() {
                    free.extend(back);
                }
                match choose(&all, &free, count) {
                    Some(chosen) => {
                        prop_assert_eq!(chosen.len(), count);
                        prop_assert!(chosen.is_subset(&free), "nobody else has them");
                        free.retain(|one| !chosen.contains(one));
                        held.push(chosen);
                    }
                    None => prop_assert!(count >= free.len()),
                }
                prop_assert!(!free.is_empty(), "something is left to share");
                let together: usize = held.iter().map(BTreeSet::len).sum();
                prop_assert_eq!(together + free.len(), all.len());
            }
        }
    }
}
