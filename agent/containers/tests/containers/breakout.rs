//! Attempts to break out, by the numbers of our list. Each is also made without the wall that stops
//! it, where it must succeed: a check that cannot fail proves nothing. An attempt prints `BROKEN`
//! when it gets through.

mod calls;
mod others;
mod runc;

use std::fs;

use tepui_containers::{Isolator, Spec};

use crate::machine::{AGENT, Machine, own_capabilities};

/// Runs a line behind all walls, where it must not break through; then as `open` has it, where it
/// must.
async fn holds(name: &str, line: &str, open: impl Fn(&Machine, Spec) -> Spec) {
    let Some(machine) = Machine::new() else {
        return;
    };
    let outcome = machine.run(machine.shell(name, line)).await;
    assert!(!outcome.out.contains("BROKEN"), "{name}: {outcome:?}");
    let machine = Machine::trusting().unwrap();
    let spec = open(&machine, machine.shell(name, line));
    let outcome = machine.run(spec).await;
    assert!(outcome.out.contains("BROKEN"), "{name}: {outcome:?}");
}

/// The same with all of root's power, but behind all other walls.
fn powerful(machine: &Machine, mut spec: Spec) -> Spec {
    spec.security = machine.trusted("unused", "").security;
    spec
}

/// Runs a line behind all walls, where it must not break through; then without some isolators.
async fn holds_by(name: &str, line: &str, isolators: &[Isolator]) {
    let Some(machine) = Machine::new() else {
        return;
    };
    let outcome = machine.run(machine.shell(name, line)).await;
    assert!(!outcome.out.contains("BROKEN"), "{name}: {outcome:?}");
    let machine = Machine::with(|options| {
        for isolator in isolators {
            options.isolation = options.isolation.without(*isolator);
        }
    });
    let machine = machine.unwrap();
    let outcome = machine.run(machine.shell(name, line)).await;
    assert!(outcome.out.contains("BROKEN"), "{name}: {outcome:?}");
}

#[tokio::test]
async fn c01_the_init_s_program_is_out_of_reach() {
    let before = fs::read(AGENT).unwrap();
    let line = "cat /proc/1/exe > /dev/null && echo BROKEN; echo x > /proc/1/exe";
    holds("exe", line, powerful).await;
    assert!(before == fs::read(AGENT).unwrap(), "the file is as it was");
}

#[tokio::test]
async fn c02_a_task_has_three_open_files() {
    let Some(machine) = Machine::new() else {
        return;
    };
    // Opened by the shell, a fourth one is seen: the check can fail.
    let line = "sh -c 'echo /proc/self/fd/*'; exec 7</dev/null; sh -c 'echo /proc/self/fd/*'";
    let outcome = machine.run_shell(line).await;
    let lines: Vec<Vec<_>> = outcome
        .out
        .lines()
        .map(|line| line.split(' ').map(|path| &path[14..]).collect())
        .collect();
    // The shell itself has the folder open that it lists.
    assert_eq!(lines[0][..3], ["0", "1", "2"]);
    assert_eq!(lines[0].len(), 4, "{outcome:?}");
    assert!(lines[1].contains(&"7"), "{outcome:?}");
}

#[tokio::test]
async fn c07_masked_files_have_no_content() {
    let line = "for file in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do \
                test -n \"$(head -c 1 $file 2>/dev/null | od -c | head -1)\" \
                && test -c $file -o -s $file -o -n \"$(head -c 9 $file | tr -d '\\0')\" \
                && test ! -c $file && echo BROKEN $file; done; \
                ls /sys/firmware/* 2>/dev/null | grep -q . && echo BROKEN firmware";
    holds_by("masked", line, &[Isolator::Files]).await;
}

#[tokio::test]
async fn c08_what_changes_the_kernel_cannot_be_written() {
    // The same is written that is there.
    let line = "for file in /proc/sys/vm/swappiness /proc/sys/kernel/printk_ratelimit; do \
                old=$(cat $file) && echo $old 2>/dev/null > $file && echo BROKEN $file; done; \
                true";
    holds_by("read-only", line, &[Isolator::Files]).await;
}

#[tokio::test]
async fn c09_core_pattern_cannot_be_written() {
    let line = "file=/proc/sys/kernel/core_pattern; old=$(cat $file); \
                echo \"$old\" 2>/dev/null > $file && echo BROKEN; true";
    holds_by("core", line, &[Isolator::Files]).await;
}

#[tokio::test]
async fn c09_sysrq_trigger_cannot_be_opened_for_writing() {
    if !fs::exists("/proc/sysrq-trigger").unwrap() {
        return eprintln!("not run: this kernel is built without it");
    }
    // Opened only: what is written there happens.
    let line = "(: > /proc/sysrq-trigger) 2>/dev/null && echo BROKEN; true";
    holds_by("sysrq", line, &[Isolator::Files]).await;
}

#[tokio::test]
async fn c09_release_agent_and_notify_on_release_cannot_be_written() {
    let line = "for file in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/*/notify_on_release \
                /sys/fs/cgroup/cgroup.subtree_control; do \
                test -e $file && (: >> $file) 2>/dev/null && echo BROKEN $file; done; true";
    let walls = [Isolator::Files, Isolator::CgroupNamespace];
    holds_by("release", line, &walls).await;
}

#[tokio::test]
async fn c09_uevent_helper_and_sys_cannot_be_written() {
    let line = "for file in /sys/kernel/uevent_helper /sys/kernel/mm/transparent_hugepage/enabled \
                /sys/kernel/profiling /sys/power/state; do \
                test -e $file && (: >> $file) 2>/dev/null && echo BROKEN $file; done; true";
    holds_by("sys", line, &[Isolator::Files]).await;
}

#[tokio::test]
async fn c09_binfmt_misc_cannot_be_changed() {
    let line = "mkdir -p b && mount -t binfmt_misc none b 2>/dev/null && test -e b/register \
                && echo BROKEN; \
                (: >> /proc/sys/fs/binfmt_misc/register) 2>/dev/null && echo BROKEN; true";
    let Some(machine) = Machine::trusting() else {
        return;
    };
    let known = fs::read_to_string("/proc/filesystems").unwrap();
    if !known.contains("binfmt_misc") {
        return eprintln!("not run: this kernel is built without binfmt_misc");
    }
    drop(machine);
    holds("binfmt", line, powerful).await;
}

#[tokio::test]
async fn c10_no_hierarchy_of_cgroups_can_be_mounted() {
    let line = "mkdir m; mount -t cgroup -o memory none m 2>/dev/null && echo BROKEN; \
                mount -t cgroup2 none m 2>/dev/null && echo BROKEN; true";
    holds("hierarchy", line, powerful).await;
}

#[tokio::test]
async fn c10_not_even_by_way_of_a_user_namespace() {
    let line = "mkdir m; unshare -Urm --cgroup sh -c 'mount -t tmpfs none m && echo BROKEN' \
                2>/dev/null; true";
    holds("userns-mount", line, powerful).await;
}

#[tokio::test]
async fn c11_no_user_namespace_can_be_made() {
    holds(
        "userns",
        "unshare -U true 2>/dev/null && echo BROKEN; true",
        powerful,
    )
    .await;
}

#[tokio::test]
async fn c12_device_files_made_inside_are_no_devices() {
    let line = "mknod zero c 1 5 && head -c 1 zero > /dev/null 2>&1 && echo BROKEN; true";
    holds_by("mknod", line, &[Isolator::Files]).await;
}

#[tokio::test]
async fn c12_not_even_where_devices_are() {
    // Where the host's `/dev` is seen, nothing may be left behind there.
    let line = "mknod /dev/tepui-c12 c 1 5 && head -c 1 /dev/tepui-c12 > /dev/null 2>&1 \
                && echo BROKEN; rm -f /dev/tepui-c12; head -c 1 /dev/zero | wc -c; \
                echo x > /dev/null && echo written";
    holds_by("mknod-dev", line, &[Isolator::Files]).await;
    let Some(machine) = Machine::new() else {
        return;
    };
    let outcome = machine.run(machine.shell("kept", line)).await;
    assert_eq!(outcome.out, "1\nwritten\n", "{outcome:?}");
}

#[tokio::test]
async fn c13_nothing_can_be_mounted_or_unmounted() {
    let line = "mkdir m; mount -t tmpfs none m 2>/dev/null && echo BROKEN; \
                mount --bind / m 2>/dev/null && echo BROKEN; \
                mount -o remount,rw,bind /proc/sys 2>/dev/null && echo BROKEN; \
                umount /proc/kcore 2>/dev/null && echo BROKEN; true";
    holds("mount", line, powerful).await;
}

#[tokio::test]
async fn c15_the_init_cannot_be_traced() {
    // To read what it has open takes the right to trace it.
    let line = "readlink /proc/1/fd/0 > /dev/null 2>&1 && echo BROKEN; \
                cat /proc/1/environ > /dev/null 2>&1 && echo BROKEN; true";
    holds("trace", line, powerful).await;
}

#[tokio::test]
async fn c15_the_init_has_of_root_s_power_only_what_it_needs() {
    // Who may trace it has that much, and not the host.
    let line = "grep -E 'CapEff|CapPrm|CapBnd' /proc/1/status | grep -v '0000000000000020$' \
                && echo BROKEN; grep -q 'NoNewPrivs:.1' /proc/1/status || echo BROKEN";
    holds_by("init", line, &[Isolator::Capabilities]).await;
}

#[tokio::test]
async fn c18_capabilities_are_as_configured_and_no_program_gives_more() {
    let line = "test $(grep CapEff /proc/self/status | cut -f2) = 00000000a80425fb \
                && grep -q 'CapAmb:.0000000000000000' /proc/self/status \
                && grep -q 'NoNewPrivs:.1' /proc/self/status || echo BROKEN";
    holds("capabilities", line, powerful).await;
}

#[tokio::test]
async fn c19_a_set_user_id_program_gives_nothing() {
    let line = "cp /usr/bin/id . && chmod 4755 id && ./id -u";
    let walls = [
        Isolator::NoNewPrivileges,
        Isolator::SystemCalls,
        Isolator::Files,
    ];
    for (open, expected) in [(false, "65534"), (true, "0")] {
        let machine = Machine::with(|options| {
            if open {
                for wall in walls {
                    options.isolation = options.isolation.without(wall);
                }
            }
        });
        let Some(machine) = machine else { return };
        // Root makes the program; nobody runs it.
        let maker = machine.shell("setuid", line);
        let sandbox = maker.sandbox.clone();
        assert_eq!(machine.run(maker).await.out, "0\n");
        let mut spec = machine.shell("user", &format!("{}/id -u", sandbox.display()));
        spec.user = Some("65534".to_owned());
        machine.open_way(&spec);
        let outcome = machine.run(spec).await;
        assert_eq!(outcome.out.trim(), expected, "{outcome:?}");
    }
}

#[tokio::test]
async fn c20_signals_reach_nobody_outside() {
    let mut victim = std::process::Command::new("sleep")
        .arg("600")
        .spawn()
        .unwrap();
    let line = format!("kill -0 {} 2>/dev/null && echo BROKEN; true", victim.id());
    let walls = [Isolator::PidNamespace, Isolator::Files];
    holds_by("signals", &line, &walls).await;
    victim.kill().unwrap();
    victim.wait().unwrap();
}

#[tokio::test]
async fn c21_what_others_share_in_memory_is_not_seen() {
    let name = format!("tepui-c21-{}", std::process::id());
    let path = format!("/dev/shm/{name}");
    fs::write(&path, "host").unwrap();
    let line = format!("test -e {path} && echo BROKEN; true");
    holds_by("memory", &line, &[Isolator::IpcNamespace, Isolator::Files]).await;
    fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn c22_mounts_made_inside_do_not_show_outside() {
    let Some(machine) = Machine::trusting() else {
        return;
    };
    let marker = format!("tepui-c22-{}", std::process::id());
    let line = format!(
        "mkdir m && mount -t tmpfs {marker} m && grep -c {marker} /proc/self/mountinfo; \
         touch mounted; while test -e mounted; do sleep 0.01; done"
    );
    let spec = machine.trusted("propagation", &line);
    let (id, mounted) = (spec.id.clone(), spec.sandbox.join("mounted"));
    machine.runtime.launch(spec).await.unwrap();
    crate::machine::soon("it is mounted", || mounted.exists());
    let seen = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!seen.contains(&marker));
    fs::remove_file(mounted).unwrap();
    machine.runtime.wait(&id).await;
    let out = fs::read_to_string(machine.sandbox("propagation").join("stdout")).unwrap();
    assert_eq!(out, "1\n", "inside it was mounted");
}

#[tokio::test]
async fn c25_the_disks_of_the_host_cannot_be_opened() {
    let disks = fs::read_to_string("/proc/partitions").unwrap();
    let first = disks.lines().nth(2).unwrap();
    let numbers: Vec<_> = first.split_whitespace().take(2).collect();
    let line = format!(
        "mknod disk b {0} {1} && head -c 1 disk > /dev/null 2>&1 && echo BROKEN; \
         mknod /dev/tepui-c25 b {0} {1} && head -c 1 /dev/tepui-c25 > /dev/null 2>&1 \
         && echo BROKEN; rm -f /dev/tepui-c25; \
         ls /dev | grep -E '^(sd|vd|nvme|loop|mem|kmsg|kvm)' && echo BROKEN; true",
        numbers[0], numbers[1]
    );
    holds_by("disk", &line, &[Isolator::Files, Isolator::Devices]).await;
}

#[tokio::test]
async fn c25_not_even_by_who_may_mount() {
    // In a file system of its own a device file means something. It is the log of the kernel, which
    // opening does not change.
    let line = "mkdir m && mount -t tmpfs -o dev none m && mknod m/log c 1 11 && echo made; \
                (: >> m/log) 2>/dev/null && echo BROKEN; \
                head -c 1 /dev/zero > /dev/null && echo zero";
    for (walls, expected) in [(true, "made\nzero\n"), (false, "made\nBROKEN\nzero\n")] {
        let machine = Machine::with(|options| {
            options.policy.bounding_capabilities = tepui_containers::Capabilities::ALL;
            options.policy.unconfined = true;
            if !walls {
                options.isolation = options.isolation.without(Isolator::Devices);
            }
        });
        let Some(machine) = machine else { return };
        let outcome = machine.run(machine.trusted("mounting", line)).await;
        assert_eq!(outcome.out, expected, "{outcome:?}");
    }
}

#[tokio::test]
async fn c26_no_input_can_be_faked_for_a_terminal() {
    // Of any file: the filter looks at the call before the kernel looks at the file.
    let line = "perl -e 'open(F, \"<\", \"/dev/null\"); $b = \"x\"; ioctl(F, 0x5412, $b); \
                print $! == 25 ? \"BROKEN\" : \"errno \" . ($! + 0)'";
    holds("tiocsti", line, powerful).await;
}

#[tokio::test]
async fn all_power_of_this_machine_is_what_the_open_cases_had() {
    // Otherwise an attempt might fail for lack of power and not for a wall.
    for name in ["SYS_ADMIN", "SYS_PTRACE", "MKNOD", "SETUID"] {
        assert!(
            !nix::unistd::geteuid().is_root() || own_capabilities().has(name.parse().unwrap()),
            "{name}"
        );
    }
}
