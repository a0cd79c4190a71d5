//! GET_OPERATIONS.

use tepui_proto::v1::master::response::GetOperations;

use crate::{Master, operations::Operation};

impl Master {
    /// The operations that have not ended, or whose end is not acknowledged.
    #[must_use]
    pub fn get_operations(&self) -> GetOperations {
        let operations = self
            .agents
            .iter()
            .flat_map(|agent| agent.operations.values());
        GetOperations {
            operations: operations.map(Operation::to_wire).collect(),
        }
    }
}
