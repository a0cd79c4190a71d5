//! How tasks are kept apart.

use tepui_proto::v1;

use super::TaskBuilder;

impl TaskBuilder {
    /// The task has users of its own, none of which is one of the machine's: its root is nobody
    /// outside.
    pub fn own_users(mut self) -> Self {
        let container = self.info.container.get_or_insert_default();
        container.r#type = v1::container_info::Type::Mesos.into();
        let linux = container.linux_info.get_or_insert_default();
        linux.tepui_user_namespace = Some(true);
        self
    }
}
