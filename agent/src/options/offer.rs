//! What can be set about what an agent offers, and what others know about it.

use tepui_agent_core::Reconfiguration;
use tepui_model::{Attributes, FaultDomain, Resources, Role, Traits};

use super::refuse;
use crate::Error;

/// What can be set about what an agent offers, and what others know about it.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct OfferOptions {
    /// What this agent offers, as in `cpus:4;mem:8192;disk:10240;ports:[31000-32000]`, or as a JSON
    /// list of resources; what is not mentioned is found out
    #[arg(
        long,
        env = "TEPUI_RESOURCES",
        value_name = "RESOURCES",
        default_value = "",
        hide_default_value = true
    )]
    pub resources: String,

    /// The role that what is offered is reserved to, unless `resources` says another
    #[arg(
        long,
        env = "TEPUI_DEFAULT_ROLE",
        value_name = "ROLE",
        default_value = "*"
    )]
    pub default_role: String,

    /// What this agent offers beyond that to frameworks that take revocable resources, as in
    /// `cpus:2`: an estimate of what its tasks ask for and leave unused
    #[arg(
        long,
        env = "TEPUI_OVERSUBSCRIBED_RESOURCES",
        value_name = "RESOURCES",
        default_value = "",
        hide_default_value = true
    )]
    pub oversubscribed_resources: String,

    /// What frameworks may know about this agent, as in `rack:r1;zone:a`
    #[arg(
        long,
        env = "TEPUI_ATTRIBUTES",
        value_name = "ATTRIBUTES",
        default_value = "",
        hide_default_value = true
    )]
    pub attributes: String,

    /// The fault domain of this agent, as in `eu-north/a`; the master must have one too
    #[arg(long, env = "TEPUI_DOMAIN", value_name = "REGION/ZONE")]
    pub domain: Option<FaultDomain>,

    /// What may be different when the agent starts again: nothing (`equal`), more of what it had
    /// (`additive`), or `any`thing that covers its tasks
    #[arg(
        long,
        env = "TEPUI_RECONFIGURATION_POLICY",
        value_name = "POLICY",
        default_value_t = Reconfiguration::Equal
    )]
    pub reconfiguration_policy: Reconfiguration,
}

impl Default for OfferOptions {
    fn default() -> Self {
        Self {
            resources: String::new(),
            default_role: "*".to_owned(),
            oversubscribed_resources: String::new(),
            attributes: String::new(),
            domain: None,
            reconfiguration_policy: Reconfiguration::Equal,
        }
    }
}

impl OfferOptions {
    /// Checks the values against what makes sense.
    pub(super) fn validate(&self) -> Result<(), Error> {
        self.parse_attributes()?;
        self.parse_default_role()?;
        self.parse_oversubscribed()?;
        Ok(())
    }

    pub(crate) fn parse_attributes(&self) -> Result<Attributes, Error> {
        let text = &self.attributes;
        Attributes::parse(text)
            .map_err(|error| refuse("attributes", &format!("'{text}' cannot be read: {error}")))
    }

    pub(crate) fn parse_default_role(&self) -> Result<Role, Error> {
        Role::new(&self.default_role).map_err(|error| refuse("default-role", &error.to_string()))
    }

    /// What may be taken back at any time (Mesos: REV-01).
    pub(crate) fn parse_oversubscribed(&self) -> Result<Resources, Error> {
        let text = &self.oversubscribed_resources;
        let refuse = |problem: &str| {
            let problem = format!("'{text}' {problem}");
            refuse("oversubscribed-resources", &problem)
        };
        let resources = Resources::parse(text, &Role::default())
            .map_err(|error| refuse(&format!("cannot be read: {error}")))?;
        if !resources.is_plain() {
            return Err(refuse(
                "must name no role: what is reserved cannot be taken back",
            ));
        }
        Ok(resources.with_traits(|traits| Traits {
            revocable: true,
            ..traits.clone()
        }))
    }

    /// Every flag and its value.
    pub(super) fn flags(&self) -> [(&'static str, String); 6] {
        let domain = self.domain.as_ref().map(ToString::to_string);
        [
            ("resources", self.resources.clone()),
            ("default-role", self.default_role.clone()),
            (
                "oversubscribed-resources",
                self.oversubscribed_resources.clone(),
            ),
            ("attributes", self.attributes.clone()),
            ("domain", domain.unwrap_or_default()),
            (
                "reconfiguration-policy",
                self.reconfiguration_policy.to_string(),
            ),
        ]
    }
}
