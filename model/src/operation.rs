//! What a framework does with the offers it accepts.

use tepui_proto::v1::{self, offer};

/// One operation of an ACCEPT call (Mesos: OFF-05).
#[derive(Clone, Debug, PartialEq)]
pub enum OfferOperation {
    /// Launch these tasks. They are checked one by one, because each gets an answer of its own.
    Launch(Vec<v1::TaskInfo>),
    /// An operation that breaks a rule as a whole; each of its tasks gets `TASK_ERROR`.
    Invalid {
        /// The rule, in Mesos' words.
        reason: &'static str,
        /// The tasks it would have launched.
        tasks: Vec<v1::TaskInfo>,
    },
    /// An operation that is dropped, because nothing carries it out.
    Unsupported {
        /// Mesos' name of the operation.
        name: &'static str,
        /// The tasks it would have launched.
        tasks: Vec<v1::TaskInfo>,
    },
}

impl OfferOperation {
    /// The tasks of the operation.
    #[must_use]
    pub fn tasks(&self) -> &[v1::TaskInfo] {
        match self {
            Self::Launch(tasks) | Self::Invalid { tasks, .. } | Self::Unsupported { tasks, .. } => {
                tasks
            }
        }
    }
}

impl From<v1::offer::Operation> for OfferOperation {
    fn from(wire: v1::offer::Operation) -> Self {
        let kind = wire.r#type();
        let launch_group = wire.launch_group.map(|group| group.task_group.tasks);
        match (kind, wire.id) {
            (offer::operation::Type::Launch, id) => {
                let tasks = wire
                    .launch
                    .map(|launch| launch.task_infos)
                    .unwrap_or_default();
                match id {
                    None => Self::Launch(tasks),
                    Some(_) => Self::Invalid {
                        reason: "The `id` field cannot be set on LAUNCH operations",
                        tasks,
                    },
                }
            }
            (offer::operation::Type::LaunchGroup, Some(_)) => Self::Invalid {
                reason: "The `id` field cannot be set on LAUNCH_GROUP operations",
                tasks: launch_group.unwrap_or_default(),
            },
            _ => Self::Unsupported {
                name: kind.as_str_name(),
                tasks: launch_group.unwrap_or_default(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(id: Option<&str>) -> v1::offer::Operation {
        let task_infos = vec![v1::TaskInfo {
            name: "a".to_owned(),
            ..Default::default()
        }];
        v1::offer::Operation {
            r#type: Some(offer::operation::Type::Launch.into()),
            id: id.map(|id| v1::OperationId {
                value: id.to_owned(),
            }),
            launch: Some(offer::operation::Launch { task_infos }),
            ..Default::default()
        }
    }

    #[test]
    fn a_launch_keeps_its_tasks_and_must_not_have_an_id() {
        let OfferOperation::Launch(tasks) = launch(None).into() else {
            panic!("no launch")
        };
        assert_eq!(tasks[0].name, "a");
        let invalid = OfferOperation::from(launch(Some("1")));
        assert!(matches!(invalid, OfferOperation::Invalid { .. }));
        assert_eq!(invalid.tasks().len(), 1);
    }

    #[test]
    fn what_is_not_carried_out_is_named_and_keeps_its_tasks() {
        let group = offer::operation::LaunchGroup {
            task_group: v1::TaskGroupInfo {
                tasks: vec![v1::TaskInfo::default()],
            },
            ..Default::default()
        };
        let wire = v1::offer::Operation {
            r#type: Some(offer::operation::Type::LaunchGroup.into()),
            launch_group: Some(group),
            ..Default::default()
        };
        let OfferOperation::Unsupported { name, tasks } = wire.into() else {
            panic!("supported")
        };
        assert_eq!((name, tasks.len()), ("LAUNCH_GROUP", 1));
        let unknown = OfferOperation::from(v1::offer::Operation::default());
        assert_eq!(
            unknown,
            OfferOperation::Unsupported {
                name: "UNKNOWN",
                tasks: Vec::new()
            }
        );
    }
}
