//! What must never be.

use tepui_model::{AgentKey, FrameworkKey, Role};

/// A broken promise of the allocator, or of the core that calls it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A key is not a dense index; the call was passed over.
    #[error("the key {0} is too large for a dense key")]
    WildKey(u32),
    /// Resources were given back that were not held; the call was passed over.
    #[error("{framework} in role {role} gave back '{resources}' on {agent}, which it did not hold")]
    NotHeld {
        /// Who gave them back.
        framework: FrameworkKey,
        /// In which role.
        role: Role,
        /// Where.
        agent: AgentKey,
        /// What.
        resources: String,
    },
    /// What is free and what is held are not together what there is.
    #[error("on {agent}: free '{free}' and held '{held}' are not together '{total}'")]
    NotConserved {
        /// Where.
        agent: AgentKey,
        /// What is free.
        free: String,
        /// What is held.
        held: String,
        /// What there is.
        total: String,
    },
    /// Sums or orders that are kept up to date differ from those worked out anew.
    #[error("{0} is out of date")]
    OutOfDate(String),
}
