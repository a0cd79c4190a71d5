//! The images that the agent has, as far as the master hears of them.

use tepui_model::ImageNames;

use super::Agent;
use crate::{AgentReport, Effect, Effects};

/// The agent's images, and what the master knows of them.
#[derive(Debug, Default)]
pub(crate) struct Images {
    pub(crate) present: ImageNames,
    /// What was said last on the present link.
    pub(crate) told: ImageNames,
}

impl Agent {
    pub(super) fn images_changed(&mut self, names: ImageNames, fx: &mut Effects) {
        self.images.present = names;
        self.tell_images(fx);
    }

    /// Says which images there are, unless the master knows or does not know the agent yet.
    pub(super) fn tell_images(&mut self, fx: &mut Effects) {
        let Some(link) = self.registered_link() else {
            return;
        };
        if self.images.told != self.images.present {
            self.images.told = self.images.present.clone();
            let report = AgentReport::Images(self.images.told.clone());
            fx.push(Effect::Send { link, report });
        }
    }
}
