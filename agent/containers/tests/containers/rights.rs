//! What a task's processes may do.

use tepui_containers::{Capabilities, LaunchError, Resource, ResourceLimit, Seccomp};

use crate::machine::{Machine, Outcome, exited, id, own_capabilities};

/// A line that prints the sets of capabilities and what else bounds a process.
const STATUS: &str = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status";

/// One number of `/proc/self/status`.
fn field(outcome: &Outcome, name: &str) -> u64 {
    let mut lines = outcome.out.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    u64::from_str_radix(value.unwrap().trim(), 16).unwrap()
}

fn sets(outcome: &Outcome) -> [u64; 5] {
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|name| field(outcome, name))
}

#[tokio::test]
async fn a_task_has_the_capabilities_of_docker_s_list_and_no_others() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let all = Capabilities::DEFAULT.bits();
    let root = machine.run_shell(STATUS).await;
    assert_eq!(sets(&root), [0, all, all, all, 0], "{root:?}");
    assert_eq!(field(&root, "NoNewPrivs"), 1);
    assert_eq!(field(&root, "Seccomp"), 2);
    let mut spec = machine.shell("nobody", STATUS);
    spec.user = Some("65534".to_owned());
    machine.open_way(&spec);
    let nobody = machine.run(spec).await;
    assert_eq!(sets(&nobody), [0, 0, 0, all, 0], "{nobody:?}");
}

#[tokio::test]
async fn a_task_gets_the_capabilities_it_asks_for_when_the_agent_allows_them() {
    let Some(machine) = Machine::trusting() else {
        return;
    };
    let admin: Capabilities = "SYS_ADMIN".parse().unwrap();
    let mut spec = machine.shell("root", STATUS);
    spec.security.effective = Some(admin);
    let outcome = machine.run(spec.clone()).await;
    let bits = admin.bits();
    assert_eq!(sets(&outcome), [0, bits, bits, bits, 0], "{outcome:?}");
    // Who is not root keeps over the exec what was asked for by name.
    spec.id = id("nobody");
    spec.sandbox = machine.sandbox("nobody");
    spec.user = Some("65534".to_owned());
    machine.open_way(&spec);
    let outcome = machine.run(spec.clone()).await;
    assert_eq!(sets(&outcome), [bits; 5], "{outcome:?}");
    // A bounding set without an effective one only takes away.
    spec.id = id("bounded");
    spec.sandbox = machine.sandbox("bounded");
    spec.user = None;
    spec.security.effective = None;
    spec.security.bounding = Some("CHOWN,SYS_TIME".parse().unwrap());
    let outcome = machine.run(spec).await;
    let chown = 1;
    let both = chown | 1 << 25;
    assert_eq!(sets(&outcome), [0, chown, chown, both, 0], "{outcome:?}");
}

#[tokio::test]
async fn capabilities_that_the_agent_does_not_allow_are_refused_by_name() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("admin", "true");
    spec.security.effective = Some("CHOWN,SYS_ADMIN".parse().unwrap());
    let error = machine.runtime.launch(spec.clone()).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, LaunchError::Invalid(_)), "{text}");
    assert!(text.contains("SYS_ADMIN") && text.contains("--bounding-capabilities"));
    spec.security.effective = None;
    spec.security.seccomp = Seccomp::Unconfined;
    let error = machine.runtime.launch(spec).await.unwrap_err();
    assert!(matches!(error, LaunchError::Seccomp(_)), "{error}");
    assert!(error.to_string().contains("--allow-unconfined"));
    assert!(machine.groups().is_empty());
}

#[tokio::test]
async fn a_profile_of_the_operator_s_takes_the_place_of_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let profile = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]}"#;
    std::fs::write(folder.path().join("no-mkdir.json"), profile).unwrap();
    let profiles = folder.path().to_owned();
    let machine = Machine::with(|options| options.policy.seccomp_profiles = Some(profiles));
    let Some(machine) = machine else {
        return;
    };
    let mut spec = machine.shell("mkdir", "mkdir here");
    assert_eq!(machine.run(spec.clone()).await.exit, exited(0));
    std::fs::remove_dir(spec.sandbox.join("here")).unwrap();
    spec.security.seccomp = Seccomp::Profile("no-mkdir.json".to_owned());
    let outcome = machine.run(spec).await;
    assert!(outcome.err.contains("Permission denied"), "{outcome:?}");
}

#[tokio::test]
async fn resource_limits_hold_for_the_task_and_what_it_runs() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let limit = |resource, soft, hard| ResourceLimit {
        resource,
        soft: Some(soft),
        hard: Some(hard),
    };
    let mut spec = machine.shell("limits", "ulimit -Sn; ulimit -Hn; sh -c 'ulimit -Sc'");
    spec.security.resource_limits = vec![
        limit(Resource::OpenFiles, 64, 128),
        limit(Resource::Core, 0, 0),
    ];
    assert_eq!(machine.run(spec.clone()).await.out, "64\n128\n0\n");
    spec.security.resource_limits = vec![limit(Resource::OpenFiles, 9, 8)];
    let error = machine.runtime.launch(spec).await.unwrap_err();
    assert!(error.to_string().contains("OpenFiles"), "{error}");
}

#[tokio::test]
async fn a_limit_that_takes_more_power_than_the_agent_has_is_refused_and_never_left_out() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let mut spec = machine.shell("files", "ulimit -Hn");
    let (_, hard) =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    let above = hard + 1;
    spec.security.resource_limits = vec![ResourceLimit {
        resource: Resource::OpenFiles,
        soft: Some(above),
        hard: Some(above),
    }];
    let can_raise = own_capabilities().has("SYS_RESOURCE".parse().unwrap());
    match machine.runtime.launch(spec).await {
        Ok(_) => {
            assert!(can_raise);
            machine.runtime.wait(&id("files")).await;
        }
        Err(error) => {
            assert!(error.to_string().contains("CAP_SYS_RESOURCE"), "{error}");
            assert!(!can_raise);
        }
    }
}
