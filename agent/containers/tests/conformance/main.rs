//! What the OCI's runtimes promise, checked one by one: each check runs in `runc` first, where that
//! is installed and can be asked for the same, and then in ours. A check that runc fails is no fair
//! one. The table of all is printed, whatever comes of it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod checks;
mod endings;
mod live;
#[path = "../containers/machine.rs"]
#[expect(dead_code, reason = "what other tests use of it")]
mod machine;
mod root;
mod runc;
mod setup;
mod speed;
mod table;
mod tepui;

use machine::Machine;
use table::Table;

#[tokio::test]
async fn c31_every_check_that_runc_holds_we_hold() {
    let profiles = setup::write_profiles();
    let folder = profiles.path().to_owned();
    let machine = Machine::with(|options| options.policy.seccomp_profiles = Some(folder));
    let Some(machine) = machine else {
        return;
    };
    if !root::has_busybox() {
        return table::say("not run: it takes a static /bin/busybox (Debian: busybox-static)\n");
    }
    let runc = runc::Runc::find("runc", machine.folder.path(), profiles.path());
    let mut table = Table::default();
    for group in checks::groups() {
        tepui::check(&machine, runc.as_ref(), &group, &mut table).await;
    }
    endings::check(&machine, runc.as_ref(), &mut table).await;
    endings::check_refusals(&machine, runc.as_ref(), &mut table).await;
    live::check(&machine, runc.as_ref(), &mut table).await;
    table.print();
    table.assert_all_held();
    assert!(machine.groups().is_empty(), "nothing is left behind");
}
