//! Making room: images that nobody uses go, the one that was longest not used first.

use std::collections::BTreeSet;

use super::{State, Store};
use crate::{Digest, Error};

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Images.
    pub images: usize,
    /// Layers.
    pub layers: usize,
    /// Bytes of these layers.
    pub bytes: u64,
}

impl State {
    /// The layers that containers have, or are about to.
    fn used(&self) -> BTreeSet<Digest> {
        let containers = self.containers.values().flatten();
        containers.chain(self.pins.keys()).cloned().collect()
    }

    pub(super) fn bytes<'a>(&self, layers: impl IntoIterator<Item = &'a Digest>) -> u64 {
        let sizes = layers
            .into_iter()
            .filter_map(|layer| self.layers.get(layer));
        sizes.map(|layer| layer.bytes).sum()
    }

    /// The image that nobody uses for the longest time.
    fn idlest(&self, used: &BTreeSet<Digest>, kept: &BTreeSet<String>) -> Option<String> {
        let idle = self.images.values().filter(|image| {
            !kept.contains(&image.name) && !image.layers.iter().all(|layer| used.contains(layer))
        });
        idle.min_by_key(|image| image.used)
            .map(|image| image.name.clone())
    }

    /// Layers that no image has and nobody uses.
    fn stray(&self, used: &BTreeSet<Digest>) -> Vec<Digest> {
        let known: BTreeSet<_> = self
            .images
            .values()
            .flat_map(|image| &image.layers)
            .collect();
        let stray = self.layers.keys();
        stray
            .filter(|it| !known.contains(it) && !used.contains(it))
            .cloned()
            .collect()
    }
}

impl Store {
    /// How many bytes may be added at most.
    pub(super) fn room(&self) -> u64 {
        let state = self.state();
        let used = state.used();
        self.0.size_limit.saturating_sub(state.bytes(&used))
    }

    /// Removes images that nobody uses until the store holds no more than it may.
    ///
    /// # Errors
    /// The store cannot be worked on, or what is in use is too large.
    pub(crate) fn fit(&self, kept: &str) -> Result<Pruned, Error> {
        let mut pruned = Pruned::default();
        let kept = BTreeSet::from([kept.to_owned()]);
        loop {
            let mut state = self.state();
            let total = state.bytes(state.layers.keys());
            let limit = self.0.size_limit;
            if total <= limit {
                return Ok(pruned);
            }
            let used = state.used();
            let stray = state.stray(&used);
            if !stray.is_empty() {
                self.drop_layers(state, &stray, &mut pruned)?;
                continue;
            }
            let Some(name) = state.idlest(&used, &kept) else {
                return Err(Error::TooLarge(format!(
                    "the agent's images would take {total} bytes and may take {limit}, and tasks \
                     use all of them: see --image-store-size"
                )));
            };
            self.forget(&mut state, &name)?;
            pruned.images += 1;
        }
    }

    /// Removes images that nobody uses, the longest unused first, until the disk is no longer full.
    pub(crate) fn relieve(&self, mut is_full: impl FnMut() -> bool) -> Result<Pruned, Error> {
        let mut pruned = Pruned::default();
        while is_full() {
            let mut state = self.state();
            let used = state.used();
            let stray = state.stray(&used);
            if !stray.is_empty() {
                self.drop_layers(state, &stray, &mut pruned)?;
                continue;
            }
            let Some(name) = state.idlest(&used, &BTreeSet::new()) else {
                break;
            };
            self.forget(&mut state, &name)?;
            pruned.images += 1;
        }
        Ok(pruned)
    }

    /// Removes all images that nobody uses, but those that are kept.
    pub(crate) fn prune(&self, kept: &BTreeSet<String>) -> Result<Pruned, Error> {
        let mut pruned = Pruned::default();
        let mut state = self.state();
        let used = state.used();
        while let Some(name) = state.idlest(&used, kept) {
            self.forget(&mut state, &name)?;
            pruned.images += 1;
        }
        let stray = state.stray(&used);
        self.drop_layers(state, &stray, &mut pruned)?;
        Ok(pruned)
    }

    /// Forgets an image that cannot stay.
    pub(crate) fn forget_image(&self, name: &str) -> Result<(), Error> {
        self.forget(&mut self.state(), name)
    }

    /// Forgets an image. Its layers stay until they are collected.
    pub(super) fn forget(&self, state: &mut State, name: &str) -> Result<(), Error> {
        super::files::remove(&self.image_path(name))?;
        state.images.remove(name);
        self.0.changed.notify_one();
        Ok(())
    }

    /// Removes layers. Nobody finds them any more while their files go.
    fn drop_layers(
        &self,
        mut state: std::sync::MutexGuard<'_, State>,
        layers: &[Digest],
        pruned: &mut Pruned,
    ) -> Result<(), Error> {
        pruned.bytes += state.bytes(layers);
        pruned.layers += layers.len();
        let paths = layers.iter().map(|layer| {
            state.layers.remove(layer);
            self.path("layers", layer.hex())
        });
        let paths: Vec<_> = paths.collect();
        let mut aside = Vec::new();
        // While nobody else can look: the same layer may be made anew a moment later.
        state.next += 1;
        let unfinished = self.path("unfinished", &state.next.to_string());
        let unfinished = super::Unfinished::make(unfinished)?;
        for (number, path) in paths.iter().enumerate() {
            let to = unfinished.path().join(number.to_string());
            std::fs::rename(path, &to).map_err(Error::store("remove", path))?;
            aside.push(to);
        }
        drop(state);
        drop(unfinished);
        Ok(())
    }
}
