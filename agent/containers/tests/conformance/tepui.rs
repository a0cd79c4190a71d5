//! The same containers in ours, and the checks of both beside each other.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt};

use tepui_containers::{
    Bytes, Capabilities, Ids, LaunchError, Limits, NetworkSpec, Program, ResourceLimit, RootSpec,
    Seccomp, Spec, VolumeSpec,
};
use tepui_model::Quantity;

use crate::{
    checks::{Check, Group},
    machine::{Machine, Outcome, id},
    root,
    runc::Runc,
    setup::{ENVIRONMENT, HOSTNAME, MEMORY, MILLICPUS, Setup},
    table::{Table, Verdict},
};

/// What our container is to be.
pub(crate) fn spec(machine: &Machine, setup: &Setup, name: &str, arguments: &[&str]) -> Spec {
    let limits = Limits {
        cpu_shares: Quantity::from_millis(100),
        cpu_limit: Some(Quantity::from_millis(i64::try_from(MILLICPUS).unwrap())),
        low_cpu_priority: false,
        memory: Bytes(MEMORY),
        memory_limit: None,
        pids: Some(setup.pids),
    };
    let program = Program::Exec {
        path: arguments[0].to_owned(),
        arguments: arguments.iter().map(|&it| it.to_owned()).collect(),
    };
    let mut spec = Spec::new(id(name), machine.sandbox(name), program, limits);
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    spec.environment = ENVIRONMENT.map(owned).into();
    let (uid, gid, groups) = setup.user.clone();
    spec.ids = Some(Ids { uid, gid, groups });
    machine.open_way(&spec);
    spec.hostname = Some(HOSTNAME.to_owned());
    spec.network = NetworkSpec::Alone;
    spec.working_dir = Some(setup.working_dir.into());
    let path = root::make(&machine.folder.path().join("roots").join(name));
    let read_only = setup.read_only_root;
    spec.root = Some(RootSpec::Folder { path, read_only });
    if !setup.powerful {
        spec.security.effective = Some(Capabilities::NONE);
        spec.security.bounding = Some(Capabilities::NONE);
    }
    if let Some(name) = setup.profile {
        spec.security.seccomp = Seccomp::Profile(format!("{name}.json"));
    }
    let limits = setup.limits.iter();
    spec.security.resource_limits = limits
        .map(|&(resource, _, soft, hard)| ResourceLimit {
            resource,
            soft: Some(soft),
            hard: Some(hard),
        })
        .collect();
    let volumes = setup.volumes.iter();
    spec.volumes = volumes
        .map(|(source, target, read_only)| VolumeSpec {
            kind: tepui_containers::VolumeKind::Given,
            source: source.clone(),
            target: target.into(),
            read_only: *read_only,
            shared: true,
        })
        .collect();
    spec
}

/// Runs our container to its end.
pub(crate) async fn run(
    machine: &Machine,
    setup: &Setup,
    name: &str,
    arguments: &[&str],
) -> Result<Outcome, LaunchError> {
    let spec = spec(machine, setup, name, arguments);
    let (id, sandbox) = (spec.id.clone(), spec.sandbox.clone());
    machine.runtime.launch(spec).await?;
    let exit = machine.runtime.wait(&id).await;
    machine.runtime.remove(&id).await.unwrap();
    let read = |name| fs::read_to_string(sandbox.join(name)).unwrap();
    let (out, err) = (read("stdout"), read("stderr"));
    Ok(Outcome { exit, out, err })
}

/// The script of a group: every check says its name before what it finds.
fn script(group: &Group) -> String {
    let mut script = String::new();
    for kind in ["pid", "mnt", "uts", "ipc", "net", "cgroup", "user"] {
        let inode = fs::metadata(format!("/proc/self/ns/{kind}")).unwrap().ino();
        script += &format!("host_{kind}='{kind}:[{inode}]'\n");
    }
    script += FUNCTIONS;
    for check in &group.checks {
        script += &format!(
            "echo; echo '@{}'\n( {}\n) 2>/dev/null\n",
            check.name, check.line
        );
    }
    script
}

/// What the lines of checks may call.
const FUNCTIONS: &str = r#"
own() { test "$(readlink /proc/self/ns/$1)" != "$2" && echo own || echo shared; }
kind() { awk -v at="$1" '$5 == at { for (i = 6; i < NF; i++) if ($i == "-") kind = $(i + 1) }
    END { print kind }' /proc/self/mountinfo; }
has() { awk -v at="$1" '$5 == at { flags = "," $6 "," } END { print flags }' /proc/self/mountinfo \
    | grep -q ",$2," && echo yes || echo no; }
field() { awk -v key="$1:" '$1 == key { print $2 }' /proc/self/status; }
device() { stat -c '%t:%T %a' "$1"; }
first() { cat "$@" 2>/dev/null | head -n 1; }
"#;

/// What each check found.
fn answers(out: &str) -> BTreeMap<&str, &str> {
    let parts = out.split("\n@").skip(1);
    let parts = parts.map(|part| part.split_once('\n').unwrap_or((part, "")));
    parts.map(|(name, found)| (name, found.trim())).collect()
}

fn verdict(check: &Check, answers: &BTreeMap<&str, &str>) -> Verdict {
    match answers.get(check.name) {
        Some(found) => Verdict::of(found, check.wanted),
        None => Verdict::Failed("it did not come so far".to_owned()),
    }
}

/// Runs the checks of a group, in one container of each runtime.
pub(crate) async fn check(
    machine: &Machine,
    runc: Option<&Runc>,
    group: &Group,
    table: &mut Table,
) {
    let script = script(group);
    let arguments = ["/bin/sh", "-c", &script, "a name", "an  argument"];
    let theirs = runc.map(|runc| {
        let folder = machine.folder.path().join("theirs").join(group.setup.name);
        runc.bundle(&group.prepared(&folder), &arguments).run()
    });
    let theirs = theirs.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let folder = machine.folder.path().join("ours").join(group.setup.name);
    let setup = group.prepared(&folder);
    let ours = run(machine, &setup, setup.name, &arguments).await.unwrap();
    for check in &group.checks {
        let runc = match (&theirs, check.not_in_runc) {
            (_, Some(why)) => Verdict::NotRun(why),
            (None, None) => Verdict::NotRun("not installed"),
            (Some(out), None) => verdict(check, &answers(out)),
        };
        table.add(check.name, runc, verdict(check, &answers(&ours.out)));
    }
}
