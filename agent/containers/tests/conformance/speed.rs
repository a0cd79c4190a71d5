//! How long a container takes, beside other runtimes on the same root: figures, and no check.

use std::time::{Duration, Instant};

use crate::{
    machine::{Machine, exited},
    root,
    runc::{Bundle, Runc},
    setup::{self, Setup},
    table, tepui,
};

/// The containers that each runtime makes, after two that are not counted.
const ROUNDS: usize = 15;

/// Set where the figures are wanted: `make test-cgroup2` does.
const ASKED_FOR: &str = "TEPUI_CONTAINER_FIGURES";

#[tokio::test]
async fn a_container_from_its_creation_to_its_end_beside_other_runtimes() {
    if std::env::var_os(ASKED_FOR).is_none() {
        return eprintln!(
            "not run: figures are for a machine that does nothing else: {ASKED_FOR}=1"
        );
    }
    let Some(machine) = Machine::new().filter(|_| root::has_busybox()) else {
        return;
    };
    let profiles = setup::write_profiles();
    let find = |program| Runc::find(program, machine.folder.path(), profiles.path());
    let others: Vec<_> = ["crun", "runc"].into_iter().filter_map(find).collect();
    // Ours has its filter of system calls besides, which their bundles do not ask for.
    let spec = tepui::spec(&machine, &Setup::new("speed"), "speed", &["/bin/true"]);
    let bundles: Vec<Bundle> = others
        .iter()
        .map(|it| it.bundle(&Setup::new("speed"), &["/bin/true"]))
        .filter(runs_here)
        .collect();
    let mut ours = Vec::new();
    let mut theirs = vec![Vec::new(); bundles.len()];
    // In turns, so that what else the machine does meets all alike.
    for _ in 0..ROUNDS + 2 {
        let began = Instant::now();
        machine.runtime.launch(spec.clone()).await.unwrap();
        assert_eq!(machine.runtime.wait(&spec.id).await, exited(0));
        machine.runtime.remove(&spec.id).await.unwrap();
        ours.push(began.elapsed());
        for (bundle, took) in bundles.iter().zip(&mut theirs) {
            let began = Instant::now();
            assert!(bundle.run_once().status.success());
            took.push(began.elapsed());
        }
    }
    let ours = median(ours);
    let mut text = format!("create, start and reap a container: tepui {ours:.1?}");
    for (bundle, took) in bundles.iter().zip(theirs) {
        let took = median(took);
        let ratio = took.as_secs_f64() / ours.as_secs_f64();
        text += &format!(", {} {took:.1?} ({ratio:.1} times)", bundle.program());
    }
    table::say(&(text + "\n"));
}

/// One that does not take this machine's cgroups says so.
fn runs_here(bundle: &Bundle) -> bool {
    let output = bundle.run();
    let runs = output.status.success();
    if !runs {
        let said = String::from_utf8_lossy(&output.stderr);
        table::say(&format!("{} does not run here: {said}", bundle.program()));
    }
    runs
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.drain(..2);
    all.sort_unstable();
    all[all.len() / 2]
}
