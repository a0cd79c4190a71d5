//! Resources that change their nature: reserved, made into volumes, and back.

use super::{Insufficient, Resources, Traits, Value};

/// What is taken, and what it becomes. The quantities stay the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// What is taken.
    pub consumed: Resources,
    /// What it becomes.
    pub converted: Resources,
}

impl Conversion {
    /// The way back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self {
            consumed: self.converted.clone(),
            converted: self.consumed.clone(),
        }
    }

    /// Whether nothing comes to be or goes lost.
    #[must_use]
    pub fn conserves(&self) -> bool {
        self.consumed.to_plain_quantities() == self.converted.to_plain_quantities()
    }
}

impl Resources {
    /// Converts what is here, or changes nothing if something is missing, or if others hold the
    /// shared volume that would go (Mesos: VOL-04).
    pub fn apply(&mut self, conversion: &Conversion) -> Result<(), Insufficient> {
        let consumed = &conversion.consumed;
        self.subtract(consumed)?;
        let kept = consumed
            .shared()
            .pieces()
            .find(|volume| self.contains(volume));
        if let Some(volume) = kept {
            *self += consumed;
            return Err(Insufficient::SharedCopies(volume.to_string()));
        }
        *self += &conversion.converted;
        Ok(())
    }

    /// Converts one after the other, or changes nothing.
    pub fn apply_all(&mut self, conversions: &[Conversion]) -> Result<(), Insufficient> {
        if let [only] = conversions {
            return self.apply(only);
        }
        let mut changed = self.clone();
        for conversion in conversions {
            changed.apply(conversion)?;
        }
        *self = changed;
        Ok(())
    }

    /// The same amounts with other traits.
    #[must_use]
    pub fn with_traits(&self, mut change: impl FnMut(&Traits) -> Traits) -> Self {
        let mut changed = Self::new();
        for (traits, amounts, count) in self.bundles() {
            let traits = change(traits);
            for (name, value) in amounts.iter() {
                for _ in 0..count {
                    changed.insert(&traits, name, &value);
                }
            }
        }
        changed
    }

    /// What several tasks may use at once.
    #[must_use]
    pub fn shared(&self) -> Self {
        self.filter(|traits| traits.shared)
    }

    /// What one task uses alone.
    #[must_use]
    pub fn exclusive(&self) -> Self {
        self.filter(|traits| !traits.shared)
    }

    /// Whether all of `other` can be used at once of what is here: a shared volume that is here
    /// serves any number of tasks (Mesos: VOL-04).
    #[must_use]
    pub fn serves(&self, other: &Self) -> bool {
        let shared = other.shared();
        if shared.is_empty() {
            return self.contains(other);
        }
        self.contains(&other.exclusive()) && shared.pieces().all(|volume| self.contains(&volume))
    }

    /// The persistent volumes.
    #[must_use]
    pub fn volumes(&self) -> Self {
        self.filter(|traits| traits.persistence().is_some())
    }

    /// What may be taken back at any time.
    #[must_use]
    pub fn revocable(&self) -> Self {
        self.filter(|traits| traits.revocable)
    }

    /// What an agent must remember, because its configuration does not say it: what was reserved
    /// while it ran, and volumes.
    #[must_use]
    pub fn checkpointed(&self) -> Self {
        self.filter(|traits| traits.persistence().is_some() || traits.is_dynamically_reserved())
    }

    /// The resources by their traits; what is held several times comes several times.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Self> + '_ {
        self.bundles().flat_map(|(traits, amounts, count)| {
            let mut piece = Self::new();
            for (name, value) in amounts.iter() {
                piece.insert(traits, name, &value);
            }
            (0..count).map(move |_| piece.clone())
        })
    }

    /// The one item there is, when there is exactly one.
    pub(crate) fn only_item(&self) -> Option<(&Traits, String, Value)> {
        let mut bundles = self.bundles();
        let (traits, amounts, 1) = bundles.next()? else {
            return None;
        };
        let mut items = amounts.iter();
        let (name, value) = items.next()?;
        let alone = items.next().is_none() && bundles.next().is_none();
        alone.then(|| (traits, name.to_owned(), value))
    }
}
