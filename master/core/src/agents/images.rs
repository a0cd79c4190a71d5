//! The images that agents have. Agents of one cluster mostly have the same ones, so each name is
//! kept once.

use std::{collections::BTreeMap, sync::Arc};

use tepui_model::ImageNames;

use crate::{Master, events::ConnectionId, master::Peer};

/// Every image that some agent has, and on how many lists it is.
#[derive(Debug, Default)]
pub(crate) struct KnownImages(BTreeMap<Arc<str>, usize>);

impl KnownImages {
    /// Takes in an agent's list: the same, of the names that are kept.
    pub(super) fn add(&mut self, images: &ImageNames) -> ImageNames {
        images.iter().map(|name| self.add_name(name)).collect()
    }

    fn add_name(&mut self, name: &Arc<str>) -> Arc<str> {
        if let Some((kept, _)) = self.0.get_key_value(name) {
            let kept = Arc::clone(kept);
            *self.0.entry(Arc::clone(&kept)).or_default() += 1;
            return kept;
        }
        self.0.insert(Arc::clone(name), 1);
        Arc::clone(name)
    }

    /// Gives up the list of an agent that has another one now, or is no more.
    pub(super) fn remove(&mut self, images: &ImageNames) {
        for name in images.iter() {
            let Some(lists) = self.0.get_mut(name) else {
                continue;
            };
            *lists -= 1;
            if *lists == 0 {
                self.0.remove(name);
            }
        }
    }

    /// How many names are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Master {
    /// An agent has other images than before. Offers that are out stay as they are.
    pub(crate) fn agent_images(&mut self, connection: ConnectionId, images: &ImageNames) {
        self.heard_of_agent(connection);
        if let Some(Peer::Agent(key)) = self.connections.get(&connection) {
            self.agents.set_images(*key, images);
        }
    }
}

#[cfg(test)]
mod tests;
