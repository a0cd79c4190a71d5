//! What root inside cannot do, though it is root there. Each attempt prints `BROKEN` when it gets
//! through, and is made once more by root with the machine's users and all power, where it must.

use super::*;

/// Runs a line as root of a container with users of its own, behind all walls or with all of the
/// power that root has there and every system call; it must not break through. Then as root of the
/// machine, where it must.
async fn holds(name: &str, line: &str) {
    let Some(machine) = Machine::trusting() else {
        return;
    };
    for trusted in [false, true] {
        let mut spec = own(&machine, name, line);
        if trusted {
            spec.security = machine.trusted("unused", "").security;
        }
        let outcome = machine.run(spec).await;
        assert!(
            !outcome.out.contains("BROKEN"),
            "{name} {trusted}: {outcome:?}"
        );
        assert!(outcome.out.contains("tried"), "{name}: {outcome:?}");
    }
    let mut spec = own(&machine, name, line);
    spec.users = Users::Machines;
    spec.security = machine.trusted("unused", "").security;
    let outcome = machine.run(spec).await;
    assert!(outcome.out.contains("BROKEN"), "{name}: {outcome:?}");
}

#[tokio::test]
async fn c10_root_of_its_own_users_mounts_no_cgroups_and_nothing_else() {
    let line = "mkdir m; mount -t tmpfs none m 2>/dev/null && echo BROKEN tmpfs; \
                mount -t cgroup -o pids none m 2>/dev/null && echo BROKEN v1; \
                mount -t cgroup2 none m 2>/dev/null && echo BROKEN v2; \
                mount --bind /etc m 2>/dev/null && echo BROKEN bind; \
                umount /proc/sys 2>/dev/null && echo BROKEN unmasked; \
                mount -o remount,rw /sys 2>/dev/null && echo BROKEN sys; echo tried";
    holds("mount", line).await;
}

#[tokio::test]
async fn c12_root_of_its_own_users_makes_no_device() {
    // To make one takes power over the machine; the walls would keep it from being opened.
    let line = "mknod null c 1 3 2>/dev/null && echo BROKEN; echo tried";
    holds("mknod", line).await;
}

#[tokio::test]
async fn c15_c20_root_of_its_own_users_has_no_power_over_the_init() {
    // The init has the machine's root for its user.
    let line = "cat /proc/1/environ > /dev/null 2>&1 && echo BROKEN environ; \
                ls /proc/1/fd > /dev/null 2>&1 && echo BROKEN files; \
                kill -USR2 1 2>/dev/null && echo BROKEN signal; \
                stat -c %u /proc/1/status; echo tried";
    let Some(machine) = Machine::trusting() else {
        return;
    };
    let mut spec = own(&machine, "init", line);
    spec.security = machine.trusted("unused", "").security;
    let outcome = machine.run(spec.clone()).await;
    assert!(!outcome.out.contains("BROKEN"), "{outcome:?}");
    assert!(
        outcome.out.contains(&format!("{NOBODY}\ntried")),
        "{outcome:?}"
    );
    spec.users = Users::Machines;
    let outcome = machine.run(spec).await;
    assert!(outcome.out.contains("BROKEN signal"), "{outcome:?}");
}

#[tokio::test]
async fn c20_root_of_its_own_users_signals_nobody_of_the_host() {
    use tepui_containers::Isolator;
    // Even without a wall around processes.
    let pid = std::process::id();
    let line = format!("kill -0 {pid} 2>/dev/null && echo BROKEN; echo tried");
    let Some(machine) =
        machine_with(|it| it.isolation = it.isolation.without(Isolator::PidNamespace))
    else {
        return;
    };
    let spec = own(&machine, "signal", &line);
    let outcome = machine.run(spec.clone()).await;
    assert_eq!(outcome.out, "tried\n", "{outcome:?}");
    let mut plain = spec;
    plain.users = Users::Machines;
    let outcome = machine.run(plain).await;
    assert!(outcome.out.contains("BROKEN"), "{outcome:?}");
}

#[tokio::test]
async fn c11_root_of_its_own_users_makes_no_further_ones_and_no_namespaces() {
    let Some(machine) = machine() else { return };
    let line = "for kind in user mount net pid; do \
                unshare --$kind true 2>/dev/null && echo BROKEN $kind; done; echo tried";
    let outcome = machine.run(own(&machine, "unshare", line)).await;
    assert_eq!(outcome.out, "tried\n", "{outcome:?}");
    let mut open = Machine::trusting().unwrap();
    open.options = machine.options.clone();
    let mut spec = own(&open, "unshare", line);
    spec.security = open.trusted("unused", "").security;
    let outcome = open.run(spec).await;
    assert!(outcome.out.contains("BROKEN user"), "{outcome:?}");
}

#[tokio::test]
async fn c17_root_of_its_own_users_changes_nothing_of_the_machine() {
    let line = "(echo x > /proc/sys/kernel/core_pattern) 2>/dev/null && echo BROKEN core; \
                date -s \"$(date)\" > /dev/null 2>&1 && echo BROKEN clock; \
                hostname \"$(hostname)\" 2>/dev/null && echo BROKEN name; \
                nice -n -5 true 2>&1 | grep -q . || echo BROKEN nice; echo tried";
    holds("change", line).await;
}

#[tokio::test]
async fn a_set_user_id_program_of_the_host_gives_nothing() {
    use tepui_containers::Isolator;
    let Some(machine) = machine_with(|it| {
        it.isolation = it
            .isolation
            .without(Isolator::NoNewPrivileges)
            .without(Isolator::SystemCalls)
    }) else {
        return;
    };
    let program = machine.folder.path().join("id");
    fs::copy("/usr/bin/id", &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    let line = format!("{} -u", program.display());
    let mut spec = own(&machine, "setuid", &line);
    spec.ids = Some(Ids {
        uid: 1000,
        gid: 1000,
        groups: Vec::new(),
    });
    let outcome = machine.run(spec.clone()).await;
    assert_eq!(
        outcome.out, "1000\n",
        "its owner is nobody inside: {outcome:?}"
    );
    let mut plain = spec;
    plain.users = Users::Machines;
    let outcome = machine.run(plain).await;
    // The sandbox has what the first one wrote, too.
    assert_eq!(outcome.out, "1000\n0\n", "the check can fail: {outcome:?}");
}
