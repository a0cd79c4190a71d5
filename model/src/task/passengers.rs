//! What travels with a status of a task, and takes no room where there is nothing.

use std::ops::{Deref, DerefMut};

use tepui_proto::v1;

/// What travels with a status and is not looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatusPassengers {
    /// Labels.
    pub labels: Option<v1::Labels>,
    /// What the containerizer says.
    pub container_status: Option<v1::ContainerStatus>,
    /// What a check found.
    pub check_status: Option<v1::CheckStatusInfo>,
    /// The limit that was crossed.
    pub limitation: Option<v1::TaskResourceLimitation>,
}

/// Nobody, to be borrowed.
static NOBODY: StatusPassengers = StatusPassengers {
    labels: None,
    container_status: None,
    check_status: None,
    limitation: None,
};

/// [`StatusPassengers`], kept apart: a master keeps the statuses of all tasks, and most have none.
#[derive(Clone, Debug, Default)]
pub struct Passengers(Option<Box<StatusPassengers>>);

impl Passengers {
    /// None.
    pub const NONE: Self = Self(None);
}

impl From<StatusPassengers> for Passengers {
    fn from(passengers: StatusPassengers) -> Self {
        Self((passengers != NOBODY).then(|| Box::new(passengers)))
    }
}

impl From<Passengers> for StatusPassengers {
    fn from(passengers: Passengers) -> Self {
        passengers.0.map_or_else(Self::default, |boxed| *boxed)
    }
}

impl Deref for Passengers {
    type Target = StatusPassengers;

    fn deref(&self) -> &StatusPassengers {
        self.0.as_deref().unwrap_or(&NOBODY)
    }
}

impl DerefMut for Passengers {
    fn deref_mut(&mut self) -> &mut StatusPassengers {
        self.0.get_or_insert_default()
    }
}

impl PartialEq for Passengers {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_one_word() {
        assert_eq!(size_of::<Passengers>(), size_of::<usize>());
        assert!(Passengers::from(StatusPassengers::default()).0.is_none());
        let mut passengers = Passengers::NONE;
        passengers.labels = None;
        assert_eq!(passengers, Passengers::NONE);
    }
}
