//! What operators set for roles: weights, priorities, quota.

use tepui_model::{AgentKey, Quantity, Quota, Role};

use super::Allocator;

impl Allocator {
    /// Sets the weight of a role; one that is not positive counts as the smallest there is
    /// (Mesos: WGT-01).
    pub fn set_weight(&mut self, role: &Role, weight: Quantity) {
        self.contest
            .set_weight(role, weight.max(Quantity::SMALLEST));
    }

    /// Sets the priority of a role, or takes it away. A role for which none is set has that of the
    /// role above, and 0 at the top. On each level of the tree, roles of a higher priority come
    /// before others, whatever their shares; a role's own frameworks compete with the roles below
    /// by its own priority.
    pub fn set_priority(&mut self, role: &Role, priority: Option<i32>) {
        self.contest.set_priority(role, priority);
    }

    /// Sets the quota of a role at any level of the tree; the default one removes it
    /// (Mesos: QUO-02).
    ///
    /// What is held beyond a new limit stays held: rescinding offers is the caller's.
    pub fn set_quota(&mut self, role: &Role, quota: Quota) {
        let guaranteed = self.contest.has_guarantees();
        self.contest.set_quota(role, quota);
        if guaranteed != self.contest.has_guarantees() {
            self.count_all_available();
        }
    }

    /// The first guarantee is set, and what is available is needed; or the last one went.
    fn count_all_available(&mut self) {
        let keys: Vec<u32> = self.agents.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.count_free(AgentKey(key));
        }
    }
}
