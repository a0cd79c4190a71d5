//! Spark as it is, on a cluster: its executors are tasks. Heavy: `make test-spark` runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::{
    fs::{self, File},
    process::Command,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tepui_cluster_tests::{
    Cluster, can_isolate, eventually,
    jvm::{Spark, Told, library},
};

/// How long Spark may take from one line to the next, on a machine that is busy.
const SPARK_PATIENCE: Duration = Duration::from_secs(300);

/// What `range(100000)` sums up to.
const SUM: &str = "4999950000";

fn is_wanted() -> bool {
    let is_wanted = std::env::var_os("TEPUI_TEST_SPARK").is_some();
    if !is_wanted {
        println!("not done: Spark takes a minute of processor time: make test-spark");
    }
    is_wanted
}

/// `spark-submit`, of one executor with one cpu, as a user would type it.
fn submit(spark: &Spark, cluster: &Cluster) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/jvm/frames.py");
    let mut submit = Command::new(spark.program("spark-submit"));
    submit.args(["--master", &format!("mesos://{}", cluster.master.address())]);
    let home = spark.home().display().to_string();
    for (name, value) in [
        ("spark.mesos.executor.home", home.as_str()),
        ("spark.executor.memory", "512m"),
        ("spark.executor.cores", "1"),
        ("spark.cores.max", "1"),
        ("spark.sql.shuffle.partitions", "2"),
        ("spark.driver.host", "127.0.0.1"),
        ("spark.driver.bindAddress", "127.0.0.1"),
        ("spark.ui.enabled", "false"),
    ] {
        submit.args(["--conf", &format!("{name}={value}")]);
    }
    submit.arg(script).arg(cluster.folder().join("go"));
    submit.env("MESOS_NATIVE_JAVA_LIBRARY", library());
    submit.env("PYSPARK_PYTHON", spark.program("python"));
    submit.env("SPARK_LOCAL_IP", "127.0.0.1");
    submit.env("SPARK_LOCAL_DIRS", cluster.folder());
    submit.current_dir(cluster.folder());
    submit
}

/// The process of an executor of that application, by its command line.
fn executor(application: &str) -> Option<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.into_iter().find_map(|process| {
        let line = fs::read_to_string(process.path().join("cmdline")).ok()?;
        let is_java = line.split('\0').next()?.ends_with("/java");
        let is_wanted = is_java && line.contains("ExecutorBackend") && line.contains(application);
        let id = process.file_name().to_str()?.parse().ok()?;
        is_wanted.then(|| Pid::from_raw(id))
    })
}

#[test]
fn spark_runs_its_example_and_a_job_of_data_frames_and_replaces_an_executor_that_died() {
    if !is_wanted() || !can_isolate() {
        return;
    }
    let Some(spark) = Spark::find() else { return };
    let mut cluster = Cluster::start(0);
    cluster.add_agent_of("cpus:1;mem:1100;disk:4096", &[]);
    cluster.await_agents(1);
    let log = cluster.folder().join("spark.log");
    let mut submit = submit(&spark, &cluster);
    let mut job = Told::start(submit.stderr(File::create(&log).unwrap()));

    let pi = job.hear_within("Pi is roughly", SPARK_PATIENCE);
    assert!(pi[3].starts_with("3.1"), "{pi:?}");
    let first = job.hear_within("first", SPARK_PATIENCE);
    assert_eq!(first[1], SUM);
    println!("{}", cluster.tepui(&["ps"]).ok());

    let task = cluster.await_running(1)[0]["task_id"].clone();
    let process = executor(&first[2]).expect("the executor is a process");
    kill(process, Signal::SIGKILL).unwrap();
    let next = eventually("another executor runs", || {
        let tasks = cluster.tasks();
        let mut running = tasks.iter().filter(|it| it["state"] == "TASK_RUNNING");
        running.find(|it| it["task_id"] != task).cloned()
    });
    println!("{}", cluster.tepui(&["ps", "--all"]).ok());
    assert_ne!(next["task_id"], task);
    File::create(cluster.folder().join("go")).unwrap();
    let second = job.hear_within("second", SPARK_PATIENCE);
    assert_eq!(second[1], SUM);
    assert_eq!(job.end(), Some(0));

    // Both frameworks of the job ended themselves, with all that they had.
    eventually("nothing runs any more", || {
        cluster.tasks().is_empty().then_some(())
    });
    let log = fs::read_to_string(log).unwrap();
    let told = |it: &&str| it.contains("Mesos task") || it.contains("Registered executor");
    log.lines().filter(told).for_each(|line| println!("{line}"));
}
