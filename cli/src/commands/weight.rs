//! `tepui weight`: how much more of the cluster one role may have than another.

use std::{process::ExitCode, str::FromStr};

use tepui_sdk::v1::WeightInfo;

use crate::{
    arguments::{Master, Read},
    client,
    failure::Failure,
    output::{self, Column},
};

const COLUMNS: [Column; 2] = [Column::text("ROLE"), Column::number("WEIGHT")];

/// What to do with weights.
#[derive(Debug, clap::Args)]
pub(crate) struct Weight {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the weights that were set; every other role has 1
    #[command(after_help = "Example: tepui weight list")]
    List(Read),
    /// Set the weights of roles
    #[command(after_help = "Example: tepui weight set prod=2 dev=0.5")]
    Set(Set),
}

#[derive(Debug, clap::Args)]
struct Set {
    #[command(flatten)]
    master: Master,
    /// The roles and their weights
    #[arg(required = true, value_name = "ROLE=WEIGHT")]
    weights: Vec<One>,
}

#[derive(Clone, Debug)]
struct One(WeightInfo);

impl FromStr for One {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not of the form role=weight, such as prod=2");
        let (role, weight) = text.split_once('=').ok_or_else(wrong)?;
        let weight: f64 = weight.parse().map_err(|_| wrong())?;
        if role.is_empty() || !weight.is_finite() || weight <= 0.0 {
            return Err(wrong());
        }
        Ok(Self(WeightInfo {
            weight,
            role: Some(role.to_owned()),
        }))
    }
}

/// Carries out a command on weights.
pub(crate) async fn run(weight: Weight) -> Result<ExitCode, Failure> {
    match weight.command {
        Command::List(read) => {
            let operator = client::connect(&read.master.master).await?;
            let found = operator.weights().await?;
            let row = |info: &WeightInfo| {
                let weight = output::number(info.weight);
                vec![info.role().to_owned(), weight]
            };
            let rows = found.weight_infos.iter().map(row);
            output::print(read.output, &found, &COLUMNS, rows)?;
        }
        Command::Set(set) => {
            let operator = client::connect(&set.master.master).await?;
            let weights = set.weights.into_iter().map(|one| one.0).collect();
            operator.update_weights(weights).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_a_role_and_a_number_above_zero() {
        let one: One = "a/b=2.5".parse().unwrap();
        assert_eq!((one.0.role(), one.0.weight), ("a/b", 2.5));
        for wrong in ["a", "=1", "a=", "a=x", "a=0", "a=-1", "a=NaN", "a=inf"] {
            assert!(wrong.parse::<One>().is_err(), "{wrong}");
        }
    }
}
