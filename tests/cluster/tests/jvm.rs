//! A scheduler and an executor on Mesos' own Java classes, over `libmesos.so`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::process::Command;

use tempfile::TempDir;
use tepui_cluster_tests::{
    Cluster, can_isolate, eventually,
    jvm::{Spark, Told, library},
};

/// What each test needs of Java.
struct Java {
    folder: TempDir,
    classes: String,
}

impl Java {
    fn find() -> Option<Self> {
        Self::with(&["Calls.java", "Echo.java"])
    }

    fn with(sources: &[&str]) -> Option<Self> {
        let spark = Spark::find()?;
        let folder = TempDir::new().unwrap();
        let classes = spark.compile(sources, folder.path())?;
        Some(Self { folder, classes })
    }

    /// The command of a program, as light as Java goes.
    fn command(&self) -> Vec<String> {
        let flags = "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx64m -cp";
        let flags = flags.split(' ').map(str::to_owned);
        flags.chain([self.classes.clone()]).collect()
    }

    fn scheduler(&self, master: &str, implicit: bool, id: Option<&str>) -> Told {
        let implicit = if implicit { "true" } else { "false" };
        let arguments = [Some("Calls"), Some(master), Some(implicit), id];
        self.start(&arguments.into_iter().flatten().collect::<Vec<_>>())
    }

    fn start(&self, arguments: &[&str]) -> Told {
        let command = self.command();
        let mut scheduler = Command::new(&command[0]);
        scheduler.args(&command[1..]).args(arguments);
        scheduler.env("MESOS_NATIVE_JAVA_LIBRARY", library());
        scheduler.current_dir(self.folder.path());
        Told::start(&mut scheduler)
    }

    /// The command by which an agent starts the executor.
    fn executor(&self) -> String {
        let library = library();
        let (library, command) = (library.display(), self.command().join(" "));
        format!("MESOS_NATIVE_JAVA_LIBRARY={library} exec {command} Echo")
    }
}

/// Until the scheduler is registered and has an offer; its id.
fn registered(scheduler: &mut Told) -> String {
    scheduler.hear("start DRIVER_RUNNING");
    let words = scheduler.hear("registered ");
    scheduler.hear("offer ");
    words[1].clone()
}

/// Tells the scheduler to do something that the driver is there for.
fn does(scheduler: &mut Told, line: &str) {
    scheduler.tell(line);
    let word = line.split(' ').next().unwrap_or_default();
    scheduler.hear(&format!("did {word} DRIVER_RUNNING"));
}

#[test]
fn a_java_scheduler_makes_every_call_and_hears_every_answer() {
    let Some(java) = Java::find() else { return };
    let mut cluster = Cluster::start(1);
    let master = format!("mesos://{}", cluster.master.address());
    let mut scheduler = java.scheduler(&master, false, None);
    scheduler.hear("version 1");
    scheduler.hear("before DRIVER_NOT_STARTED");
    let id = registered(&mut scheduler);
    scheduler.hear("start-again DRIVER_RUNNING");

    // An update is repeated, and the next is held back, until it is acknowledged.
    does(&mut scheduler, "launch-many t1 1000");
    let update = scheduler.hear("update t1 TASK_RUNNING");
    assert_eq!(update[3..5], ["SOURCE_EXECUTOR", "uuid"]);
    does(&mut scheduler, "kill t1");
    does(&mut scheduler, "reconcile nobody");
    let answer = scheduler.hear("update nobody TASK_LOST");
    assert_eq!(answer[3..5], ["SOURCE_MASTER", "no-uuid"]);
    assert!(!scheduler.has_said("update t1 TASK_KILLED"));
    does(&mut scheduler, "acknowledge t1");
    scheduler.hear("update t1 TASK_KILLED");
    does(&mut scheduler, "acknowledge t1");

    offers_are_refused_and_asked_for(&mut scheduler);
    a_master_goes_and_comes(&mut cluster, &mut scheduler);

    // What Java does wrong, Java hears.
    scheduler.tell("null");
    scheduler.hear("threw null");
    // An agent that is given up is lost.
    let agent = cluster.json(&["agents"])["agents"][0]["agent_info"]["id"]["value"].clone();
    let agent = agent.as_str().unwrap().to_owned();
    cluster.tepui(&["gone", &agent]).ok();
    let lost = scheduler.hear("slaveLost");
    assert_eq!(lost[1], agent);

    // Another process takes the framework over, and ends it.
    let mut next = java.scheduler(&master, true, Some(&id));
    let words = next.hear("registered ");
    assert_eq!(words[1], id);
    scheduler.hear("error DRIVER_ABORTED Framework failed over");
    scheduler.hear("join DRIVER_ABORTED");
    assert_eq!(scheduler.end(), Some(0));
    scheduler.hear("end DRIVER_ABORTED");
    next.tell("acknowledge nobody");
    next.tell("stop");
    next.hear("did stop DRIVER_STOPPED");
    next.hear("join DRIVER_STOPPED");
    // The master heard it before `stop` returned.
    let found = cluster.json(&["frameworks"]);
    let mut all = found["frameworks"].as_array().into_iter().flatten();
    assert!(!all.any(|it| it["active"] == true), "{found}");
    assert_eq!(next.end(), Some(0));
    assert!(next.has_said("end DRIVER_STOPPED"));
}

fn offers_are_refused_and_asked_for(scheduler: &mut Told) {
    // What is offered is refused, for a moment, and then for good: both wait for offers.
    does(scheduler, "decline");
    does(scheduler, "decline-for-good");
    scheduler.forget("offer ");
    does(scheduler, "revive");
    scheduler.hear("offer ");
    does(scheduler, "suppress");
    does(scheduler, "decline");
    scheduler.forget("offer ");
    does(scheduler, "revive");
    scheduler.hear("offer ");
    does(scheduler, "request");
}

fn a_master_goes_and_comes(cluster: &mut Cluster, scheduler: &mut Told) {
    cluster.master.kill_hard();
    scheduler.hear("disconnected");
    does(scheduler, "launch-on-nothing t2 1");
    let update = scheduler.hear("update t2 TASK_LOST");
    assert_eq!(update[3..5], ["SOURCE_MASTER", "no-uuid"]);
    cluster.master.start_again();
    scheduler.hear("reregistered");
    does(scheduler, "launch-many t3 1000");
    scheduler.hear("update t3 TASK_RUNNING");
    does(scheduler, "acknowledge t3");
}

#[test]
fn an_exception_in_a_callback_and_an_unknown_master_abort_the_driver() {
    let Some(java) = Java::find() else { return };
    let cluster = Cluster::start(1);
    let mut scheduler = java.scheduler(cluster.master.address(), true, None);
    registered(&mut scheduler);
    does(&mut scheduler, "launch t1 1000");
    // Acknowledged by the driver: the next comes.
    scheduler.hear("update t1 TASK_RUNNING");
    does(&mut scheduler, "kill t1");
    scheduler.hear("update t1 TASK_KILLED");
    scheduler.tell("acknowledge t1");
    scheduler.hear("threw acknowledge");
    scheduler.tell("throw");
    scheduler.hear("update nobody");
    scheduler.hear("join DRIVER_ABORTED");
    scheduler.tell("kill t1");
    scheduler.hear("did kill DRIVER_ABORTED");
    assert_eq!(scheduler.end(), Some(0));
    scheduler.hear("end DRIVER_ABORTED");

    let mut nowhere = java.scheduler("zk://127.0.0.1:2181/mesos", true, None);
    let said = nowhere.hear("error DRIVER_ABORTED").join(" ");
    assert!(said.contains("HOST:PORT"), "{said}");
    nowhere.hear("start DRIVER_ABORTED");
    nowhere.hear("join DRIVER_ABORTED");
}

#[test]
fn a_java_executor_runs_tasks_talks_and_outlives_its_agent() {
    let Some(java) = Java::find() else { return };
    if !can_isolate() {
        return;
    }
    let mut cluster = Cluster::start(1);
    let mut scheduler = java.scheduler(cluster.master.address(), true, None);
    registered(&mut scheduler);
    does(&mut scheduler, &format!("accept e1 {}", java.executor()));
    scheduler.hear("message echo registered echo calls");
    let update = scheduler.hear("update e1 TASK_RUNNING");
    assert_eq!(update[3..5], ["SOURCE_EXECUTOR", "uuid"]);
    does(&mut scheduler, "message echo hello");
    scheduler.hear("message echo echo hello");

    cluster.agents[0].kill_hard();
    cluster.agents[0].start_again();
    scheduler.hear("message echo reregistered");
    does(&mut scheduler, "kill e1");
    scheduler.hear("update e1 TASK_KILLED");

    does(&mut scheduler, "message echo fail");
    let lost = scheduler.hear("executorLost echo");
    assert_eq!(lost[2], (3 << 8).to_string());

    does(&mut scheduler, &format!("accept e2 {}", java.executor()));
    scheduler.hear("update e2 TASK_RUNNING");
    does(&mut scheduler, "kill e2");
    scheduler.hear("update e2 TASK_KILLED");
    does(&mut scheduler, "message echo stop");
    let lost = scheduler.hear("executorLost echo");
    assert_eq!(lost[2], "0", "the driver ended, and so did the program");

    scheduler.tell("stop");
    scheduler.hear("join DRIVER_STOPPED");
    assert_eq!(scheduler.end(), Some(0));
    eventually("nothing runs any more", || {
        cluster.tasks().is_empty().then_some(())
    });
}

#[test]
fn the_driver_of_later_versions_revives_suppresses_and_changes_roles_by_name() {
    let sources = ["newer/MesosSchedulerDriver.java", "newer/Roles.java"];
    let Some(java) = Java::with(&sources) else {
        return;
    };
    let cluster = Cluster::start(1);
    let mut scheduler = java.start(&["Roles", cluster.master.address()]);
    scheduler.hear("start DRIVER_RUNNING");
    scheduler.hear("registered");
    does(&mut scheduler, "revive b");
    scheduler.hear("offered b");
    does(&mut scheduler, "suppress b");
    does(&mut scheduler, "revive a");
    scheduler.hear("offered a");
    does(&mut scheduler, "suppress");
    does(&mut scheduler, "update c");
    scheduler.hear("offered c");
    assert!(!scheduler.has_said("error"));
    assert_eq!(scheduler.end(), Some(0));
}

#[test]
fn classes_whose_other_half_is_not_there_say_so_by_an_exception() {
    let Some(java) = Java::with(&["Missing.java"]) else {
        return;
    };
    let mut program = java.start(&["Missing"]);
    let classes = [
        "Log",
        "LogOfZooKeeper",
        "LevelDBState",
        "ZooKeeperState",
        "LogState",
        "V0Mesos",
        "V1Mesos",
    ];
    for class in classes {
        program.hear(&format!(
            "{class} UnsupportedOperationException Tepui's libmesos does not have this: "
        ));
    }
    program.hear("end");
    assert_eq!(program.end(), Some(0));
}
