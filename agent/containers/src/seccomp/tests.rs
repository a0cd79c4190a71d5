//! Tests of the module that this one belongs to.

use super::*;

/// What the kernel would do: runs a program of the kernel's little machine over one call.
fn run(program: &[u64], call: i64, arguments: [u64; 6]) -> u32 {
    run_on(0xc000_003e, program, call, arguments)
}

/// The same on another processor.
fn run_on(processor: u32, program: &[u64], call: i64, arguments: [u64; 6]) -> u32 {
    let mut memory = vec![u32::try_from(call).unwrap(), processor, 0, 0];
    for argument in arguments {
        memory.extend([argument as u32, (argument >> 32) as u32]);
    }
    let (mut accumulator, mut at) = (0_u32, 0_usize);
    loop {
        let word = program[at];
        let (code, k) = ((word >> 48) as u16, word as u32);
        let (yes, no) = ((word >> 40) as u8, (word >> 32) as u8);
        let jump = |taken: bool| usize::from(if taken { yes } else { no });
        at += 1;
        match code {
            0x20 => accumulator = memory[k as usize / 4],
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => at += jump(accumulator == k),
            0x25 => at += jump(accumulator > k),
            0x35 => at += jump(accumulator >= k),
            0x06 => return k,
            other => panic!("no such instruction: {other:x}"),
        }
    }
}

const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;

/// What all filters together say. The last one is asked first.
fn verdict(programs: &[Vec<u64>], call: syscalls::Sysno, arguments: [u64; 6]) -> u32 {
    let answers = programs
        .iter()
        .rev()
        .map(|program| run(program, i64::from(call.id()), arguments));
    // The kernel compares them as signed numbers.
    let action = |answer: u32| (answer & 0xffff_0000).cast_signed();
    answers
        .reduce(|first, later| {
            if action(later) < action(first) {
                later
            } else {
                first
            }
        })
        .unwrap_or(ALLOW)
}

fn default_for(capabilities: Capabilities) -> Vec<Vec<u64>> {
    compile("default", DEFAULT_PROFILE, capabilities).unwrap()
}

fn call(name: &str) -> syscalls::Sysno {
    name.parse().unwrap()
}

#[test]
fn the_default_profile_names_no_call_that_no_machine_has() {
    // A name with a typing error would be left out without a word.
    let profile: Profile = serde_json::from_str(DEFAULT_PROFILE).unwrap();
    let elsewhere = |name: &str| name.ends_with("64") || name.ends_with("_time64");
    let all = profile.rules(Capabilities::ALL).flat_map(Rule::names);
    for name in all {
        let known = name.parse::<syscalls::Sysno>().is_ok();
        assert!(known || elsewhere(name) || name == "fstatat", "{name}");
    }
}

/// A rule that changes nothing hides that another does what it seems to do.
#[test]
fn c27_the_default_profile_has_no_rule_that_changes_nothing() {
    let profile: serde_json::Value = serde_json::from_str(DEFAULT_PROFILE).unwrap();
    let mut all = Vec::new();
    for rule in profile["syscalls"].as_array().unwrap() {
        for name in rule["names"].as_array().unwrap() {
            all.push((name.as_str().unwrap(), rule));
        }
    }
    let allows = |rule: &serde_json::Value| rule["action"] == "SCMP_ACT_ALLOW";
    let bound =
        |rule: &serde_json::Value| ["args", "includes", "excludes"].map(|it| rule[it].clone());
    let nothing = [(); 3].map(|()| serde_json::Value::Null);
    for (at, (name, rule)) in all.iter().enumerate() {
        let others = all
            .iter()
            .enumerate()
            .filter(|(other, (same, _))| *other != at && same == name);
        let others: Vec<_> = others.map(|(_, (_, rule))| *rule).collect();
        // Said before, or said for all cases already.
        for other in others
            .iter()
            .filter(|other| other["action"] == rule["action"])
        {
            assert!(bound(other) != bound(rule), "{name} twice");
            assert!(
                !allows(rule) || bound(other) != nothing,
                "{name} is allowed in any case"
            );
        }
        // A call is forbidden by default, with this very answer.
        let says_the_default = !allows(rule) && rule["errnoRet"] == profile["defaultErrnoRet"];
        let is_allowed = others
            .iter()
            .any(|other| allows(other) && other["includes"].is_null());
        assert!(
            !says_the_default || is_allowed,
            "{name} is forbidden in any case"
        );
    }
    assert!(all.len() > 300, "only {} names", all.len());
}

#[test]
fn the_default_profile_lets_ordinary_programs_be() {
    let programs = default_for(Capabilities::DEFAULT);
    for name in [
        "read", "openat", "execve", "mmap", "futex", "socket", "fork", "ptrace", "chroot",
    ] {
        assert_eq!(verdict(&programs, call(name), [0; 6]), ALLOW, "{name}");
    }
    let thread = 0x003d_0f00;
    assert_eq!(
        verdict(&programs, call("clone"), [thread, 0, 0, 0, 0, 0]),
        ALLOW
    );
    // Tells programs to fall back, where "not permitted" would end them.
    assert_eq!(verdict(&programs, call("clone3"), [0; 6]), ERRNO | 38);
}

#[test]
fn the_default_profile_forbids_what_reaches_the_host() {
    let programs = default_for(Capabilities::DEFAULT);
    for name in [
        "mount",
        "umount2",
        "unshare",
        "setns",
        "pivot_root",
        "bpf",
        "perf_event_open",
        "keyctl",
        "add_key",
        "io_uring_setup",
        "userfaultfd",
        "init_module",
        "finit_module",
        "kexec_load",
        "open_by_handle_at",
        "reboot",
        "swapon",
        "syslog",
        "fsopen",
        "move_mount",
        "iopl",
    ] {
        assert_eq!(verdict(&programs, call(name), [0; 6]), ERRNO | 1, "{name}");
    }
    let new_user = 0x1000_0011;
    assert_eq!(
        verdict(&programs, call("clone"), [new_user, 0, 0, 0, 0, 0]),
        ERRNO | 1
    );
}

#[test]
fn bits_that_the_kernel_does_not_look_at_open_no_way_around() {
    let programs = default_for(Capabilities::DEFAULT);
    for high in [0, 1 << 32, 0xffff_ffff << 32] {
        let faked_input = [0, 0x5412 | high, 0, 0, 0, 0];
        assert_eq!(verdict(&programs, call("ioctl"), faked_input), ERRNO | 1);
        let hypervisor = [40 | high, 0, 0, 0, 0, 0];
        assert_eq!(verdict(&programs, call("socket"), hypervisor), ERRNO | 1);
    }
    assert_eq!(
        verdict(&programs, call("ioctl"), [0, 0x5401, 0, 0, 0, 0]),
        ALLOW
    );
}

#[test]
fn files_stay_in_their_project_whatever_bits_the_kernel_does_not_look_at() {
    let mut programs = default_for(Capabilities::ALL);
    let ioctl =
        |programs: &[_], command| verdict(programs, call("ioctl"), [3, command, 0, 0, 0, 0]);
    let (set_attributes, set_flags) = (0x401c_5820, 0x4008_6602);
    assert_eq!(ioctl(&programs, set_attributes), ALLOW, "without a quota");
    programs.extend(keeping_projects().unwrap());
    for high in [0, 1 << 32, 0xffff_ffff << 32] {
        for command in [set_attributes, set_flags] {
            assert_eq!(ioctl(&programs, command | high), ERRNO | 1);
        }
    }
    // Terminals, and looking at attributes.
    for command in [0x5401, 0x801c_581f] {
        assert_eq!(ioctl(&programs, command), ALLOW);
    }
    assert_eq!(verdict(&programs, call("read"), [0; 6]), ALLOW);
}

#[test]
fn capabilities_open_the_calls_that_they_are_for() {
    let admin = "default,SYS_ADMIN".parse().unwrap();
    let programs = default_for(admin);
    for name in ["mount", "unshare", "clone3", "sethostname"] {
        assert_eq!(verdict(&programs, call(name), [0; 6]), ALLOW, "{name}");
    }
    assert_eq!(verdict(&programs, call("keyctl"), [0; 6]), ERRNO | 1);
    assert_eq!(verdict(&programs, call("reboot"), [0; 6]), ERRNO | 1);
}

#[test]
fn actions_between_the_default_and_allowing_are_done() {
    let text = r#"{"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": [
        {"names": ["read", "mkdir"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
        {"name": "write", "action": "SCMP_ACT_LOG", "args": null}]}"#;
    let programs = compile("p", text, Capabilities::NONE).unwrap();
    assert_eq!(verdict(&programs, call("read"), [0; 6]), ALLOW);
    assert_eq!(verdict(&programs, call("mkdir"), [0; 6]), ERRNO | 13);
    assert_eq!(verdict(&programs, call("write"), [0; 6]), 0x7ffc_0000);
    assert_eq!(verdict(&programs, call("open"), [0; 6]), 0x8000_0000);
}

#[test]
fn several_conditions_on_one_argument_are_alternatives() {
    let text = r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["personality"],
        "action": "SCMP_ACT_ALLOW", "args": [
            {"index": 0, "value": 0, "op": "SCMP_CMP_EQ"},
            {"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]}"#;
    let programs = compile("p", text, Capabilities::NONE).unwrap();
    let asked = |value| verdict(&programs, call("personality"), [value, 0, 0, 0, 0, 0]);
    assert_eq!((asked(0), asked(8), asked(4)), (ALLOW, ALLOW, ERRNO | 1));
}

#[test]
fn a_profile_that_asks_for_what_we_cannot_do_is_refused() {
    for (text, problem) in [
        ("{", "EOF"),
        (r#"{"defaultAction": "SCMP_ACT_NOTIFY"}"#, "SCMP_ACT_NOTIFY"),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}"#,
            "listenerPath",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_S390X"]}"#,
            "not for this machine",
        ),
    ] {
        let error = compile("p", text, Capabilities::NONE)
            .unwrap_err()
            .to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn a_task_gets_no_more_than_the_operator_allows() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("open.json"),
        r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#,
    )
    .unwrap();
    let filters = Filters::default();
    let asked = |asked: Seccomp, policy: &Policy| {
        let programs = filters.programs(&asked, policy, Capabilities::DEFAULT);
        programs
            .map(|programs| programs.len())
            .map_err(|error| error.to_string())
    };
    let named = |name: &str| Seccomp::Profile(name.to_owned());
    let mut policy = Policy::default();
    assert_eq!(asked(Seccomp::Default, &policy), Ok(3));
    assert!(
        asked(Seccomp::Unconfined, &policy)
            .unwrap_err()
            .contains("--allow-unconfined")
    );
    assert!(
        asked(named("open.json"), &policy)
            .unwrap_err()
            .contains("--seccomp-config-dir")
    );
    policy.unconfined = true;
    policy.seccomp_profiles = Some(folder.path().to_owned());
    assert_eq!(asked(Seccomp::Unconfined, &policy), Ok(0));
    assert_eq!(asked(named("open.json"), &policy), Ok(0));
    for name in ["../open.json", "/etc/passwd", "..", ""] {
        assert!(
            asked(named(name), &policy).unwrap_err().contains("no name"),
            "{name}"
        );
    }
    assert!(
        asked(named("none"), &policy)
            .unwrap_err()
            .contains("cannot read")
    );
    policy.seccomp_default = Some("open.json".to_owned());
    assert_eq!(asked(Seccomp::Default, &policy), Ok(0));
}

#[test]
fn calls_are_allowed_whatever_they_say_exactly_if_a_rule_without_conditions_names_them() {
    let profile: Profile = serde_json::from_str(DEFAULT_PROFILE).unwrap();
    for capabilities in [Capabilities::DEFAULT, Capabilities::ALL] {
        let programs = default_for(capabilities);
        let (mut plain, mut named) = (BTreeSet::new(), BTreeSet::new());
        for rule in profile.rules(capabilities) {
            let calls = rule.names().flat_map(str::parse::<syscalls::Sysno>);
            let numbers: Vec<_> = calls.map(|call| i64::from(call.id())).collect();
            named.extend(numbers.iter().copied());
            if rule.arguments.is_empty() && rule.action().unwrap() == SeccompAction::Allow {
                plain.extend(numbers);
            }
        }
        assert!(plain.len() > 200, "it is most of them: {}", plain.len());
        for number in 0..1024 {
            let answer = run(&programs[0], number, [u64::MAX; 6]);
            let told = format!("call {number}");
            assert!(answer == ALLOW || !plain.contains(&number), "{told}");
            assert!(answer != ALLOW || named.contains(&number), "{told}");
            let other_table = run(&programs[0], number | 0x4000_0000, [0; 6]);
            assert_ne!(other_table, ALLOW, "{told} of x32");
            assert_ne!(run_on(0x4000_0003, &programs[0], number, [0; 6]), ALLOW);
        }
    }
}

#[test]
fn a_filter_is_short() {
    let length: usize = default_for(Capabilities::DEFAULT)
        .iter()
        .map(Vec::len)
        .sum();
    assert!(length < 500, "{length} instructions for each task to load");
}

#[test]
fn neighbours_are_one_range() {
    let program = plain::allow([3, 4, 5, 9], TargetArch::x86_64);
    assert_eq!(program.len(), 4 + 2 * 4);
    assert!(plain::allow([], TargetArch::x86_64).is_empty());
}
