//! How containers end, and what is no container at all.

use tepui_containers::ExitStatus;

use crate::{
    machine::Machine,
    runc::Runc,
    setup::Setup,
    table::{Table, Verdict},
    tepui,
};

const FIRST_PROCESS: &str = "its task is number 1, which no signal of its own ends";

/// Name, what a shell runs, how it ends, and why runc cannot be asked.
const ENDINGS: [(&str, &str, ExitStatus, Option<&str>); 10] = [
    ("exit_0", "exit 0", ExitStatus::Code(0), None),
    ("exit_7", "exit 7", ExitStatus::Code(7), None),
    ("exit_255", "exit 255", ExitStatus::Code(255), None),
    (
        "exit_of_a_missing_command",
        "none",
        ExitStatus::Code(127),
        None,
    ),
    (
        "exit_of_a_file_that_is_no_program",
        "/srv/text",
        ExitStatus::Code(126),
        None,
    ),
    (
        "exit_leaves_children_behind",
        "sleep 1000 & exit 3",
        ExitStatus::Code(3),
        None,
    ),
    (
        "signal_kill",
        "kill -9 $$",
        ExitStatus::Signal(9),
        Some(FIRST_PROCESS),
    ),
    (
        "signal_segv",
        "kill -11 $$",
        ExitStatus::Signal(11),
        Some(FIRST_PROCESS),
    ),
    (
        "signal_term",
        "kill $$",
        ExitStatus::Signal(15),
        Some(FIRST_PROCESS),
    ),
    (
        "memory_beyond_the_limit",
        "exec tail /dev/zero",
        ExitStatus::Signal(9),
        None,
    ),
];

/// What a shell would say.
fn code(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => code.to_string(),
        ExitStatus::Signal(signal) => (128 + signal).to_string(),
        ExitStatus::Unknown => "unknown".to_owned(),
    }
}

/// Containers that end in each way there is.
pub(crate) async fn check(machine: &Machine, runc: Option<&Runc>, table: &mut Table) {
    let setup = Setup::new("ending");
    for (name, line, wanted, not_in_runc) in ENDINGS {
        let arguments = ["/bin/sh", "-c", line];
        let theirs = match (runc, not_in_runc) {
            (_, Some(why)) => Verdict::NotRun(why),
            (None, None) => Verdict::NotRun("not installed"),
            (Some(runc), None) => {
                let output = runc.bundle(&setup, &arguments).run();
                let found = output
                    .status
                    .code()
                    .map_or_else(String::new, |it| it.to_string());
                Verdict::of(&found, &code(wanted))
            }
        };
        let ours = tepui::run(machine, &setup, name, &arguments).await.unwrap();
        let found = format!("{:?}", ours.exit.status);
        table.add(name, theirs, Verdict::of(&found, &format!("{wanted:?}")));
    }
}

/// A container that cannot be: name, program, change, and why runc cannot be asked.
type Refusal = (
    &'static str,
    &'static str,
    fn(&mut Setup),
    Option<&'static str>,
);

const REFUSALS: [Refusal; 7] = [
    ("refused_missing_program", "/bin/none", |_| {}, None),
    ("refused_no_program", "/srv/text", |_| {}, None),
    ("refused_folder_as_program", "/bin", |_| {}, None),
    ("refused_missing_name_in_path", "none", |_| {}, None),
    (
        "refused_limit_above_its_most",
        "true",
        |setup| {
            let open_files = tepui_containers::Resource::OpenFiles;
            setup.limits = vec![(open_files, "RLIMIT_NOFILE", 100, 50)];
        },
        None,
    ),
    (
        "refused_missing_volume",
        "true",
        |setup| setup.volumes = vec![("/no/such/folder".into(), "/data", false)],
        None,
    ),
    (
        "refused_missing_working_directory",
        "true",
        |setup| setup.working_dir = "/no/such/folder",
        Some("it makes the folder"),
    ),
];

/// Containers that must not come to be. Nothing of them is left.
pub(crate) async fn check_refusals(machine: &Machine, runc: Option<&Runc>, table: &mut Table) {
    for (name, program, change, not_in_runc) in REFUSALS {
        let mut setup = Setup::new("refused");
        change(&mut setup);
        let theirs = match (runc, not_in_runc) {
            (_, Some(why)) => Verdict::NotRun(why),
            (None, None) => Verdict::NotRun("not installed"),
            (Some(runc), None) => {
                let code = runc.bundle(&setup, &[program]).run().status.code();
                let found = if code == Some(0) {
                    "started"
                } else {
                    "refused"
                };
                Verdict::of(found, "refused")
            }
        };
        let ours = tepui::run(machine, &setup, name, &[program]).await;
        let found = if ours.is_ok() { "started" } else { "refused" };
        assert!(machine.groups().is_empty(), "{name} leaves nothing");
        table.add(name, theirs, Verdict::of(found, "refused"));
    }
}
