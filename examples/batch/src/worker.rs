//! What a task does: it maps files or lines, or fetches and reduces what the stage before wrote.
//!
//! The framework runs it in its tasks as `"$TEPUI_EXECUTABLE" batch-worker`. It works in its
//! sandbox and in bounded memory, and leaves there its output, or a [`Report`] of why there is
//! none.

mod combine;
mod command;
mod error;
mod fetch;
mod map;
mod output;
mod reduce;
mod sort;

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use self::output::Outputs;
pub use self::{
    error::{Failure, LostOutput},
    fetch::{Fetch, SandboxFetch},
};
use crate::{
    part::Volume,
    plan::{PLAN_VARIABLE, Plan, REPORT_FILE, Report, Source},
};

/// The status with which a task ends that could not fetch its input.
pub const LOST_STATUS: u8 = 3;

/// Carries out the plan of [`PLAN_VARIABLE`], or of the file that is the only argument, in the
/// present folder.
///
/// `args` are those after the subcommand. Status 0 says that the output is there, [`LOST_STATUS`]
/// that input could not be fetched, 1 that something else failed; a report says what.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let sandbox = Path::new(".");
    let plan = match read_plan(args) {
        Ok(plan) => plan,
        Err(failure) => return failed(sandbox, "a task without a plan", &failure),
    };
    let task = plan.task();
    match SandboxFetch::new().and_then(|fetch| run(&plan, sandbox, &fetch)) {
        Ok(Volume { records, bytes }) => {
            eprintln!("{task}: wrote {records} records of {bytes} bytes");
            ExitCode::SUCCESS
        }
        Err(failure) => failed(sandbox, &task.to_string(), &failure),
    }
}

/// Carries out a plan in a sandbox, and says how much it wrote.
///
/// # Errors
/// [`Failure`]: what of the job's input, commands or records it was, or which outputs of the stage
/// before are lost.
pub fn run(plan: &Plan, sandbox: &Path, fetch: &dyn Fetch) -> Result<Volume, Failure> {
    let mut outputs = Outputs::create(&plan.sink, sandbox)?;
    match &plan.source {
        Source::Files(paths) => map::files(paths, &plan.work, &mut outputs)?,
        Source::Lines(lines) => map::lines(lines, &plan.work, &mut outputs)?,
        Source::Shuffle(shuffle) => {
            let fetched = reduce::fetch(plan, shuffle, sandbox, fetch)?;
            reduce::run(fetched, &plan.work, &sandbox.join("runs"), &mut outputs)?;
        }
    }
    outputs.finish()
}

fn read_plan(args: impl IntoIterator<Item = OsString>) -> Result<Plan, Failure> {
    let mut args = args.into_iter();
    let text = match (args.next(), args.next()) {
        (Some(file), None) => {
            let path = PathBuf::from(file);
            fs::read_to_string(&path).map_err(Failure::io("read", &path))?
        }
        (None, None) => env::var(PLAN_VARIABLE).map_err(|_| Failure::NoPlan)?,
        _ => return Err(Failure::NoPlan),
    };
    Ok(Plan::decode(&text)?)
}

/// Leaves the report behind, and chooses the status.
fn failed(sandbox: &Path, task: &str, failure: &Failure) -> ExitCode {
    eprintln!("{task}: {failure}");
    let lost = failure.lost();
    let report = Report {
        error: failure.to_string(),
        lost,
    };
    let text = serde_json::to_vec(&report).unwrap_or_default();
    if let Err(error) = fs::write(sandbox.join(REPORT_FILE), text) {
        // The status alone must do.
        eprintln!("{task}: cannot write {REPORT_FILE}: {error}");
    }
    ExitCode::from(if report.lost.is_empty() {
        1
    } else {
        LOST_STATUS
    })
}

#[cfg(test)]
mod tests;
