//! Who the framework is, and which masters it may subscribe with.

use std::time::Duration;

use tepui_model::{AgentId, FrameworkId, Role, TaskId};
use tepui_proto::v1::{
    self,
    framework_info::capability::Type as Capability,
    offer_filters::{MinAllocatableResources, ResourceQuantities},
    scheduler::{
        AttributeConstraint, OfferConstraints,
        offer_constraints::{RoleConstraints, role_constraints::Group},
    },
};

use crate::{Error, Masters, limits};

/// What a framework says of itself when it subscribes.
///
/// The defaults suit a framework that means to survive: checkpointed tasks, partition awareness,
/// TASK_KILLING, and roles by list. `failover_timeout` is zero as in Mesos (FWK-03): set it, and
/// keep the id, if the tasks are to outlive the framework's process.
#[derive(Debug, Clone)]
pub struct Profile(v1::FrameworkInfo, OfferConstraints);

/// What every framework of this SDK can deal with.
const CAPABILITIES: [Capability; 4] = [
    Capability::TaskKillingState,
    Capability::PartitionAware,
    Capability::MultiRole,
    Capability::ReservationRefinement,
];

impl Profile {
    /// A framework of this name, in the default role.
    pub fn new(name: impl Into<String>) -> Self {
        let capability = |kind: Capability| v1::framework_info::Capability {
            r#type: Some(kind.into()),
        };
        let info = v1::FrameworkInfo {
            name: name.into(),
            user: current_user(),
            checkpoint: Some(true),
            roles: vec![Role::default().to_string()],
            capabilities: CAPABILITIES.into_iter().map(capability).collect(),
            ..Default::default()
        };
        Self(info, OfferConstraints::default())
    }

    /// Subscribes to this role alone.
    pub fn role(self, role: &Role) -> Self {
        self.roles(std::slice::from_ref(role))
    }

    /// Subscribes to these roles.
    pub fn roles(mut self, roles: &[Role]) -> Self {
        self.0.roles = roles.iter().map(Role::to_string).collect();
        self
    }

    /// The id of an earlier subscription, whose tasks are to be taken up again.
    pub fn id(mut self, id: Option<FrameworkId>) -> Self {
        self.0.id = id.as_ref().map(Into::into);
        self
    }

    /// Is offered only agents that meet all conditions of one of `groups`, in `role`, which must be
    /// one of its roles (Mesos: OFF-14). The master refuses a subscription whose groups make no
    /// sense.
    ///
    /// ```
    /// use tepui_sdk::{Constraint, Profile, model::Role};
    ///
    /// // In rack r1, or on any of the spare hosts that have an SSD.
    /// let spare = Constraint::matching("hostname", "spare-[0-9]+");
    /// let groups = [
    ///     vec![Constraint::is("rack", "r1").into()],
    ///     vec![spare, Constraint::exists("ssd").into()],
    /// ];
    /// let profile = Profile::new("web").only_on(&Role::default(), groups);
    /// # let _ = profile;
    /// ```
    pub fn only_on(
        mut self,
        role: &Role,
        groups: impl IntoIterator<Item = Vec<AttributeConstraint>>,
    ) -> Self {
        let group = |attribute_constraints| Group {
            attribute_constraints,
        };
        let groups = groups.into_iter().map(group).collect();
        let constraints = RoleConstraints { groups };
        let roles = &mut self.1.role_constraints;
        roles.insert(role.to_string(), constraints);
        self
    }

    /// Is made no offer in `role` that does not hold all of one of `sets`, in place of the
    /// master's own minimum; without any set, every offer is worth it (Mesos: OFF-16). Of ranges
    /// and sets the items count.
    ///
    /// ```
    /// use tepui_sdk::{Profile, model::Role};
    ///
    /// let sets = [vec![("cpus", 2.0), ("mem", 1024.0)], vec![("gpus", 1.0)]];
    /// let profile = Profile::new("web").at_least(&Role::default(), sets);
    /// # let _ = profile;
    /// ```
    pub fn at_least<'a>(
        mut self,
        role: &Role,
        sets: impl IntoIterator<Item = Vec<(&'a str, f64)>>,
    ) -> Self {
        let item = |(name, value): (&str, f64)| (name.to_owned(), v1::value::Scalar { value });
        let set = |items: Vec<(&str, f64)>| ResourceQuantities {
            quantities: items.into_iter().map(item).collect(),
        };
        let quantities = sets.into_iter().map(set).collect();
        let filters = v1::OfferFilters {
            min_allocatable_resources: Some(MinAllocatableResources { quantities }),
        };
        self.0.offer_filters.insert(role.to_string(), filters);
        self
    }

    /// How long the tasks outlive the framework's connection.
    pub fn failover_timeout(mut self, timeout: Duration) -> Self {
        self.0.failover_timeout = Some(timeout.as_secs_f64());
        self
    }

    /// The user that tasks run as, unless they name another.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.0.user = user.into();
        self
    }

    /// Where the framework itself answers: shown to operators, and how tools find its own API.
    pub fn webui_url(mut self, url: impl Into<String>) -> Self {
        self.0.webui_url = Some(url.into());
        self
    }

    /// How many of its tasks may be under preemption at a time; no bound unless set.
    pub fn preemption_budget(mut self, tasks: u32) -> Self {
        self.0.tepui_preemption_budget = Some(tasks);
        self
    }

    /// May be offered what other such frameworks are offered at the same time; whoever accepts
    /// first has it. For the others the offer ends with a rescind; an accept that comes too late
    /// drops its tasks, as with any offer that stands no longer. Who does not ask for this is
    /// offered only what is its alone.
    ///
    /// ```
    /// use tepui_sdk::Profile;
    ///
    /// let profile = Profile::new("web").optimistic_offers();
    /// # let _ = profile;
    /// ```
    pub fn optimistic_offers(mut self) -> Self {
        self.0.tepui_optimistic_offers = Some(true);
        self
    }

    /// Is offered what agents with GPUs have, which others may not be (Mesos: GPU_RESOURCES).
    pub fn gpus(mut self) -> Self {
        self.0.capabilities.push(v1::framework_info::Capability {
            r#type: Some(v1::framework_info::capability::Type::GpuResources.into()),
        });
        self
    }

    /// The message as it is; for what has no method here.
    pub fn wire(&mut self) -> &mut v1::FrameworkInfo {
        &mut self.0
    }

    pub(crate) fn into_wire(self) -> (v1::FrameworkInfo, Option<OfferConstraints>) {
        let Self(info, constraints) = self;
        let stated = !constraints.role_constraints.is_empty();
        (info, stated.then_some(constraints))
    }
}

/// Tasks run as whoever runs the framework, as with Mesos' drivers.
fn current_user() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
        .unwrap_or_else(|| "root".to_owned())
}

/// A task that the framework believes to be alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTask {
    /// Which one.
    pub task_id: TaskId,
    /// Where it was launched, if that is known.
    pub agent_id: Option<AgentId>,
}

/// All that a session needs to begin.
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) masters: Masters,
    pub(crate) profile: Profile,
    pub(crate) tasks: Vec<KnownTask>,
    pub(crate) reconcile_interval: Duration,
}

impl Options {
    /// Subscribes `profile` with the first of `masters` (`HOST:PORT[,HOST:PORT]`) that answers.
    ///
    /// # Errors
    /// When `masters` is no list of addresses.
    pub fn new(masters: &str, profile: Profile) -> Result<Self, Error> {
        Ok(Self {
            masters: masters.parse()?,
            profile,
            tasks: Vec::new(),
            reconcile_interval: limits::RECONCILE_INTERVAL,
        })
    }

    /// Tasks of an earlier life, to be asked about until somebody answers.
    pub fn known_tasks(mut self, tasks: Vec<KnownTask>) -> Self {
        self.tasks = tasks;
        self
    }

    /// The period of reconciliation while all is well; 10 minutes unless set.
    pub fn reconcile_interval(mut self, interval: Duration) -> Self {
        self.reconcile_interval = interval;
        self
    }
}
