//! Sets of whole numbers kept as ranges, such as port numbers.

use std::fmt;

use tepui_proto::v1::value;

use super::ResourceError;
use crate::limits::MAX_RANGES;

/// The numbers from `begin` to `end`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The first number.
    pub begin: u64,
    /// The last number; never below `begin`.
    pub end: u64,
}

impl Range {
    /// How many numbers there are; saturates for the whole of `u64`.
    #[must_use]
    pub const fn len(self) -> u64 {
        (self.end - self.begin).saturating_add(1)
    }

    /// Never: a range has its first number at least.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// Up to so many ranges are added or removed one by one, in place.
const FEW: usize = 4;

/// A set of numbers as sorted, disjoint ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ranges(Vec<Range>);

impl Ranges {
    /// No number.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The numbers from `begin` to `end`, both included; none if `end` is below `begin`.
    #[must_use]
    pub fn from_range(begin: u64, end: u64) -> Self {
        if end < begin {
            Self::new()
        } else {
            Self(vec![Range { begin, end }])
        }
    }

    /// One number.
    #[must_use]
    pub fn single(number: u64) -> Self {
        Self::from_range(number, number)
    }

    /// Pairs as they come from outside: begin must not be after end and no number may come twice
    /// (Mesos: SPC-10).
    pub fn from_pairs(pairs: impl IntoIterator<Item = (u64, u64)>) -> Result<Self, ResourceError> {
        let mut ranges = Vec::new();
        for (begin, end) in pairs {
            if end < begin {
                return Err(ResourceError::BackwardRange { begin, end });
            }
            if ranges.len() == MAX_RANGES {
                return Err(ResourceError::TooMany {
                    what: "ranges",
                    most: MAX_RANGES,
                });
            }
            ranges.push(Range { begin, end });
        }
        ranges.sort_unstable();
        let overlap = ranges.windows(2).find(|pair| pair[1].begin <= pair[0].end);
        match overlap {
            Some(pair) => Err(ResourceError::OverlappingRanges { at: pair[1].begin }),
            None => {
                coalesce(&mut ranges);
                Ok(Self(ranges))
            }
        }
    }

    /// The ranges, sorted.
    #[must_use]
    pub fn as_slice(&self) -> &[Range] {
        &self.0
    }

    /// Every number, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(|range| range.begin..=range.end)
    }

    /// Whether there is no number.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many numbers there are; saturates.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, range| sum.saturating_add(range.len()))
    }

    /// Whether the number is in the set.
    #[must_use]
    pub fn has(&self, number: u64) -> bool {
        let after = self.0.partition_point(|range| range.begin <= number);
        after > 0 && number <= self.0[after - 1].end
    }

    /// Whether every number of `other` is in the set.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let mut left = self.0.iter().peekable();
        other.0.iter().all(|want| {
            while left.peek().is_some_and(|have| have.end < want.begin) {
                left.next();
            }
            left.peek()
                .is_some_and(|have| have.begin <= want.begin && want.end <= have.end)
        })
    }

    /// Whether any number is in both sets.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        other.0.iter().any(|wanted| {
            let at = self.0.partition_point(|held| held.end < wanted.begin);
            self.0.get(at).is_some_and(|held| held.begin <= wanted.end)
        })
    }

    /// Adds every number of `other`.
    pub fn add(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
        } else if other.0.len() <= FEW {
            other.0.iter().for_each(|range| self.join(*range));
        } else {
            self.0.extend_from_slice(&other.0);
            // Two sorted runs: the stable sort merges them in one pass.
            self.0.sort();
            coalesce(&mut self.0);
        }
    }

    /// Removes every number of `other`; those that are not there are passed over.
    pub fn sub(&mut self, other: &Self) {
        if self == other {
            self.0.clear();
        } else if other.0.len() <= FEW {
            other.0.iter().for_each(|range| self.cut(*range));
        } else {
            self.0 = difference(&self.0, &other.0);
        }
    }

    /// Adds one range in place.
    fn join(&mut self, mut new: Range) {
        let from = self
            .0
            .partition_point(|held| held.end.saturating_add(1) < new.begin);
        let to = self
            .0
            .partition_point(|held| held.begin <= new.end.saturating_add(1));
        if let [first, ..] = self.0[from..to] {
            new.begin = new.begin.min(first.begin);
            new.end = new.end.max(self.0[to - 1].end);
        }
        self.0.splice(from..to, [new]);
    }

    /// Removes one range in place.
    fn cut(&mut self, hole: Range) {
        let from = self.0.partition_point(|held| held.end < hole.begin);
        let to = self.0.partition_point(|held| held.begin <= hole.end);
        let [first, ..] = self.0[from..to] else {
            return;
        };
        let last = self.0[to - 1];
        let before = (first.begin < hole.begin).then(|| Range {
            begin: first.begin,
            end: hole.begin - 1,
        });
        let after = (hole.end < last.end).then(|| Range {
            begin: hole.end + 1,
            end: last.end,
        });
        self.0.splice(from..to, before.into_iter().chain(after));
    }

    /// The numbers in both sets.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.0.as_slice(), other.0.as_slice());
        let mut common = Vec::new();
        while let ([one, ..], [two, ..]) = (left, right) {
            let (begin, end) = (one.begin.max(two.begin), one.end.min(two.end));
            if begin <= end {
                common.push(Range { begin, end });
            }
            if one.end < two.end {
                left = &left[1..];
            } else {
                right = &right[1..];
            }
        }
        Self(common)
    }

    /// The lowest `count` numbers, or all of them if there are not so many.
    #[must_use]
    pub fn take_first(&self, count: u64) -> Self {
        let mut wanted = count;
        let mut taken = Vec::new();
        for range in &self.0 {
            if wanted == 0 {
                break;
            }
            let end = range.end.min(range.begin.saturating_add(wanted - 1));
            let piece = Range {
                begin: range.begin,
                end,
            };
            wanted -= piece.len().min(wanted);
            taken.push(piece);
        }
        Self(taken)
    }
}

/// Joins ranges that overlap or touch. They come sorted by their beginning.
fn coalesce(ranges: &mut Vec<Range>) {
    ranges.dedup_by(|next, last| {
        let joins = next.begin <= last.end.saturating_add(1);
        if joins {
            last.end = last.end.max(next.end);
        }
        joins
    });
}

/// What the holes leave of the ranges, in one walk along both.
fn difference(ranges: &[Range], holes: &[Range]) -> Vec<Range> {
    let mut left = Vec::with_capacity(ranges.len() + holes.len());
    let mut holes = holes.iter().peekable();
    for range in ranges {
        // The first number of the range that no hole has passed yet; none once it is used up.
        let mut begin = Some(range.begin);
        while let (Some(from), Some(hole)) = (begin, holes.peek())
            && hole.begin <= range.end
        {
            if from < hole.begin {
                left.push(Range {
                    begin: from,
                    end: hole.begin - 1,
                });
            }
            if hole.end >= range.end {
                // The hole may go on into the next range.
                begin = None;
            } else {
                begin = Some(from.max(hole.end + 1));
                holes.next();
            }
        }
        left.extend(begin.map(|begin| Range {
            begin,
            end: range.end,
        }));
    }
    left
}

impl fmt::Display for Ranges {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[")?;
        for (index, Range { begin, end }) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(formatter, "{comma}{begin}-{end}")?;
        }
        formatter.write_str("]")
    }
}

impl From<&Ranges> for value::Ranges {
    fn from(ranges: &Ranges) -> Self {
        let range = ranges
            .0
            .iter()
            .map(|&Range { begin, end }| value::Range { begin, end });
        Self {
            range: range.collect(),
        }
    }
}

impl TryFrom<&value::Ranges> for Ranges {
    type Error = ResourceError;

    fn try_from(wire: &value::Ranges) -> Result<Self, ResourceError> {
        Self::from_pairs(wire.range.iter().map(|range| (range.begin, range.end)))
    }
}

#[cfg(test)]
mod tests;
