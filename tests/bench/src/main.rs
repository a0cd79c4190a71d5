//! The benchmarks: each prints one line a figure, for people and for scripts alike.
//!
//! To add one, write its file and give it a line in [`BENCHMARKS`].

mod allocator;
mod cluster;
mod containers;
mod exec;
mod json;
mod report;
mod unpack;

use std::{fmt::Display, process::Command};

use clap::Parser;

use crate::report::Report;

/// A benchmark by its name.
struct Benchmark {
    name: &'static str,
    about: &'static str,
    run: fn(&Settings, &mut Report) -> Result<(), String>,
}

const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        name: "latency",
        about: "from ACCEPT to TASK_RUNNING through the real API",
        run: cluster::latency::run,
    },
    Benchmark {
        name: "run",
        about: "`tepui run -- true`, the whole process",
        run: cluster::command::run,
    },
    Benchmark {
        name: "tasks",
        about: "100 short tasks through the real API on one agent",
        run: cluster::tasks::run,
    },
    Benchmark {
        name: "many",
        about: "1,000 tasks at once through the real API on one agent",
        run: cluster::many::run,
    },
    Benchmark {
        name: "containers",
        about: "a container's create, start and reap, beside runc where it is installed",
        run: containers::run,
    },
    Benchmark {
        name: "exec",
        about: "a program in a container that runs, until it has written; beside runc exec",
        run: exec::run,
    },
    Benchmark {
        name: "unpack",
        about: "a layer of an image: checked and unpacked, beside tar, which checks nothing",
        run: unpack::run,
    },
    Benchmark {
        name: "declineoffers",
        about: "allocate() when every offer is declined for good",
        run: allocator::declineoffers::run,
    },
    Benchmark {
        name: "multiframework",
        about: "cycles until 19,500 tasks run that nobody announced",
        run: allocator::multiframework::run,
    },
    Benchmark {
        name: "quota",
        about: "allocate() under 3,000 roles with a guarantee",
        run: allocator::quota::run,
    },
    Benchmark {
        name: "addagents",
        about: "agents come up one by one under as many roles with a guarantee",
        run: allocator::addagents::run,
    },
    Benchmark {
        name: "reservations",
        about: "reserve and unreserve on an agent with 800 reservations",
        run: allocator::reservations::run,
    },
    Benchmark {
        name: "revive",
        about: "one framework asks again among 50,000 agents",
        run: allocator::revive::run,
    },
    Benchmark {
        name: "suppressed",
        about: "allocate() for one framework beside 1,000 that want nothing",
        run: allocator::suppressed::run,
    },
    Benchmark {
        name: "incremental",
        about: "allocate() when one agent in a hundred changed",
        run: allocator::incremental::run,
    },
    Benchmark {
        name: "json",
        about: "messages as JSON, written and read, beside serde_json on the same text",
        run: json::run,
    },
    Benchmark {
        name: "roads",
        about: "calls per second, and how soon events come, over HTTP and gRPC",
        run: cluster::roads::run,
    },
    Benchmark {
        name: "watched",
        about: "offers while 1,000 operators watch, beside offers while nobody does",
        run: cluster::watched::run,
    },
    Benchmark {
        name: "large",
        about: "GET_STATE of 40,000 agents, and offers that are made meanwhile",
        run: cluster::large::run,
    },
    Benchmark {
        name: "scale",
        about: "tasks accepted per second, memory and restart of a master with many agents",
        run: cluster::scale::run,
    },
];

/// Runs benchmarks and prints one line a figure: `bench NAME key=value ...`.
#[derive(Debug, Parser)]
#[command(name = "tepui-bench", version)]
struct Settings {
    /// The benchmarks to run; all of them if none is named
    names: Vec<String>,
    /// Print the names of the benchmarks instead
    #[arg(long)]
    list: bool,
    /// The least number of samples of a figure
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(5..))]
    samples: u32,
    /// Run sizes that take longer, too
    #[arg(long)]
    large: bool,
    /// Divide the agents and tasks of `scale` and `large` by this
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    divide: u32,
}

fn main() -> std::process::ExitCode {
    let settings = Settings::parse();
    let unknown = |name: &&String| !BENCHMARKS.iter().any(|benchmark| benchmark.name == **name);
    if let Some(name) = settings.names.iter().find(unknown) {
        eprintln!("there is no benchmark '{name}'; --list prints those that there are");
        return 2.into();
    }
    let chosen = |benchmark: &&Benchmark| {
        settings.names.is_empty() || settings.names.iter().any(|name| name == benchmark.name)
    };
    let chosen: Vec<_> = BENCHMARKS.iter().filter(chosen).collect();
    let outcome = match chosen.as_slice() {
        [benchmark] if !settings.list => {
            let report = &mut Report::new(benchmark.name);
            (benchmark.run)(&settings, report)
                .map_err(|error| format!("{}: {error}", benchmark.name))
        }
        chosen => chosen.iter().try_for_each(|benchmark| match settings.list {
            true => {
                println!("{}: {}", benchmark.name, benchmark.about);
                Ok(())
            }
            false => run_apart(&settings, benchmark.name),
        }),
    };
    match outcome {
        Ok(()) => 0.into(),
        Err(error) => {
            eprintln!("{error}");
            1.into()
        }
    }
}

/// Runs one benchmark in a process of its own, so that its memory is.
fn run_apart(settings: &Settings, name: &str) -> Result<(), String> {
    let failed = |error: &dyn Display| format!("{name}: {error}");
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let mut command = Command::new(program);
    command.args([name, "--samples", &settings.samples.to_string()]);
    command.args(["--divide", &settings.divide.to_string()]);
    if settings.large {
        command.arg("--large");
    }
    let status = command.status().map_err(|error| failed(&error))?;
    match status.success() {
        true => Ok(()),
        false => Err(failed(&status)),
    }
}
