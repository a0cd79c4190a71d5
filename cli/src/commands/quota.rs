//! `tepui quota`: what roles are promised, and what they may have.

use std::{collections::BTreeMap, process::ExitCode, str::FromStr};

use tepui_sdk::v1::{
    self,
    quota::{QuotaConfig, QuotaStatus},
    value::Scalar,
};

use super::ps::scalar;
use crate::{
    arguments::{Master, Read},
    client,
    failure::Failure,
    output::{self, Column},
};

const COLUMNS: [Column; 4] = [
    Column::text("ROLE"),
    Column::text("GUARANTEE"),
    Column::text("LIMIT"),
    Column::text("ALLOCATED"),
];

/// What to do with quotas.
#[derive(Debug, clap::Args)]
pub(crate) struct Quota {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the roles that have a quota
    #[command(after_help = "Example: tepui quota list -o json")]
    List(Read),
    /// Show the quota of one role
    #[command(after_help = "Example: tepui quota get prod")]
    Get(Get),
    /// Set the quota of a role, in place of the one it has
    #[command(
        after_help = "Example: tepui quota set prod --guarantee 'cpus:8;mem:16384' --limit cpus:32"
    )]
    Set(Set),
    /// Take the quotas of roles away
    #[command(after_help = "Example: tepui quota remove prod")]
    Remove(Remove),
}

#[derive(Debug, clap::Args)]
struct Get {
    #[command(flatten)]
    read: Read,
    /// The role
    role: String,
}

#[derive(Debug, clap::Args)]
struct Set {
    #[command(flatten)]
    master: Master,
    /// The role
    role: String,
    /// What is kept free for it [default: nothing]
    #[arg(
        long,
        value_name = "QUANTITIES",
        default_value = "",
        hide_default_value = true
    )]
    guarantee: Quantities,
    /// What it may have at most; 0 is a limit [default: everything]
    #[arg(
        long,
        value_name = "QUANTITIES",
        default_value = "",
        hide_default_value = true
    )]
    limit: Quantities,
    /// Even if the role has more already, or the cluster less
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
struct Remove {
    #[command(flatten)]
    master: Master,
    /// The roles
    #[arg(required = true)]
    roles: Vec<String>,
}

/// Quantities by name, as in `cpus:2;mem:512`.
#[derive(Clone, Debug, Default, PartialEq)]
struct Quantities(BTreeMap<String, Scalar>);

impl FromStr for Quantities {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut quantities = BTreeMap::new();
        for item in text.split(';').map(str::trim).filter(|it| !it.is_empty()) {
            let wrong = || format!("'{item}' is not of the form name:number, such as cpus:2");
            let (name, number) = item.split_once(':').ok_or_else(wrong)?;
            let value: f64 = number.trim().parse().map_err(|_| wrong())?;
            let name = name.trim().to_owned();
            if name.is_empty() || !value.is_finite() || value < 0.0 {
                return Err(wrong());
            }
            if quantities.insert(name.clone(), Scalar { value }).is_some() {
                return Err(format!("'{name}' is there twice"));
            }
        }
        Ok(Self(quantities))
    }
}

/// Carries out a command on quotas.
pub(crate) async fn run(quota: Quota) -> Result<ExitCode, Failure> {
    match quota.command {
        Command::List(read) => show(read, None).await?,
        Command::Get(get) => show(get.read, Some(get.role)).await?,
        Command::Set(set) => {
            let config = QuotaConfig {
                role: set.role,
                guarantees: set.guarantee.0,
                limits: set.limit.0,
            };
            let operator = client::connect(&set.master.master).await?;
            operator.update_quota(vec![config], set.force).await?;
        }
        Command::Remove(remove) => {
            let none = |role| QuotaConfig {
                role,
                ..QuotaConfig::default()
            };
            let configs = remove.roles.into_iter().map(none).collect();
            let operator = client::connect(&remove.master.master).await?;
            operator.update_quota(configs, true).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(read: Read, role: Option<String>) -> Result<(), Failure> {
    let operator = client::connect(&read.master.master).await?;
    let mut found = operator.quota().await?;
    if let Some(role) = role {
        only(&mut found, &role);
        if found.configs.is_empty() {
            return Err(Failure::Failed(format!(
                "role '{role}' has no quota; `tepui quota set {role} --limit cpus:4` gives it one"
            )));
        }
    }
    let roles = operator.roles().await?.roles;
    let row = |config: &QuotaConfig| {
        vec![
            config.role.clone(),
            text(&config.guarantees),
            text(&config.limits),
            allocated(&roles, config),
        ]
    };
    output::print(read.output, &found, &COLUMNS, found.configs.iter().map(row))
}

#[expect(deprecated, reason = "the old form is shown along with the new one")]
fn only(found: &mut QuotaStatus, role: &str) {
    found.configs.retain(|config| config.role == role);
    found.infos.retain(|info| info.role() == role);
}

fn text(quantities: &BTreeMap<String, Scalar>) -> String {
    let item = |(name, scalar): (&String, &Scalar)| {
        let value = output::number(scalar.value);
        format!("{name}:{value}")
    };
    let items: Vec<String> = quantities.iter().map(item).collect();
    items.join(";")
}

/// What the role and those below it hold of what the quota speaks of.
fn allocated(roles: &[v1::Role], config: &QuotaConfig) -> String {
    let below = format!("{}/", config.role);
    let inside = |role: &&v1::Role| role.name == config.role || role.name.starts_with(&below);
    let names = config.guarantees.keys().chain(config.limits.keys());
    let sum = |name: &String| {
        let held = roles.iter().filter(inside);
        let value = held.map(|role| scalar(&role.resources, name)).sum();
        (name.clone(), Scalar { value })
    };
    text(&names.map(sum).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_names_and_numbers() {
        let quantities: Quantities = " cpus:2 ; mem:0.5;".parse().unwrap();
        assert_eq!(text(&quantities.0), "cpus:2;mem:0.5");
        assert_eq!("".parse(), Ok(Quantities::default()));
        for wrong in [
            "cpus", "cpus:", ":1", "cpus:x", "cpus:-1", "cpus:NaN", "cpus:inf",
        ] {
            let refusal = wrong.parse::<Quantities>().unwrap_err();
            assert!(refusal.contains("not of the form"), "{wrong}: {refusal}");
        }
        let twice = "cpus:1;cpus:2".parse::<Quantities>();
        assert_eq!(twice, Err("'cpus' is there twice".to_owned()));
    }

    #[test]
    fn what_roles_below_hold_counts() {
        let role = |name: &str| v1::Role {
            name: name.to_owned(),
            resources: vec![v1::Resource {
                name: "cpus".to_owned(),
                scalar: Some(Scalar { value: 1.5 }),
                ..v1::Resource::default()
            }],
            ..v1::Role::default()
        };
        let config = QuotaConfig {
            role: "a".to_owned(),
            limits: "cpus:4".parse::<Quantities>().unwrap().0,
            ..QuotaConfig::default()
        };
        let roles = [role("a"), role("a/b"), role("ab")];
        assert_eq!(allocated(&roles, &config), "cpus:3");
    }
}
