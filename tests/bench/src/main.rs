//! The benchmarks: each prints one line a figure, for people and for scripts alike.
//!
//! To add one, write its file and give it a line in [`BENCHMARKS`].

mod allocator;
mod cluster;
mod containers;
mod report;

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
        name: "declineoffers",
        about: "allocate() when every offer is declined for good",
        run: allocator::declineoffers::run,
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
}

fn main() -> std::process::ExitCode {
    let settings = Settings::parse();
    let chosen = |benchmark: &&Benchmark| {
        settings.names.is_empty() || settings.names.iter().any(|name| name == benchmark.name)
    };
    let unknown = |name: &&String| !BENCHMARKS.iter().any(|benchmark| benchmark.name == **name);
    if let Some(name) = settings.names.iter().find(unknown) {
        eprintln!("there is no benchmark '{name}'; --list prints those that there are");
        return 2.into();
    }
    for benchmark in BENCHMARKS.iter().filter(chosen) {
        if settings.list {
            println!("{}: {}", benchmark.name, benchmark.about);
            continue;
        }
        if let Err(error) = (benchmark.run)(&settings, &mut Report::new(benchmark.name)) {
            eprintln!("{}: {error}", benchmark.name);
            return 1.into();
        }
    }
    0.into()
}
