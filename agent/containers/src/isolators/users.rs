//! `namespaces/user`: users of its own, if it asks or the operator has it so.
//!
//! All of it is in [`users`](crate::users), since it is needed before the other isolators.

use super::{Isolate, Machine, Preparation};
use crate::{Isolator, LaunchError};

pub(super) struct Users;

impl Isolate for Users {
    fn missing(&self, machine: &Machine) -> Option<String> {
        let lacking = machine.lacks_namespace(Isolator::Users, "user");
        lacking.or_else(|| machine.lacks_users.clone())
    }

    fn prepare(&self, _container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        Ok(())
    }
}
