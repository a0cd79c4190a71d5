//! Sandboxes that the kernel bounds, on a file system of their own with quotas of projects.

use std::{
    fs::{self, File},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;
use tepui_containers::{Bytes, InitProgram, Isolator, Options, RootSpec, Runtime, Spec};

use crate::{
    machine::{AGENT, Machine, Remains, exited, id, soon},
    roots::busybox,
};

/// A file system with quotas of projects, which goes with it.
struct Disk {
    _folder: TempDir,
    at: PathBuf,
}

/// Runs a program; what it says when it fails.
fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    output.status.success().then_some(()).ok_or(said)
}

impl Disk {
    /// Why there is none, where this machine has none.
    fn new() -> Result<Self, String> {
        if !nix::unistd::geteuid().is_root() {
            return Err("it needs root".to_owned());
        }
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        if let Ok(made) = std::env::var("TEPUI_TEST_PROJECTS") {
            // Where nothing makes one.
            fs::copy(made, &image).unwrap();
        } else {
            File::create(&image).unwrap().set_len(64 << 20).unwrap();
            let features = ["-q", "-I", "256", "-O", "quota,project", "-E"];
            let path = image.to_str().unwrap();
            let arguments = [&features[..], &["quotatype=prjquota", path]].concat();
            run("mkfs.ext4", &arguments)?;
        }
        let at = folder.path().join("disk");
        fs::create_dir(&at).unwrap();
        let (image, mounted) = (image.to_str().unwrap(), at.to_str().unwrap());
        run("mount", &["-o", "loop,prjquota", image, mounted])?;
        let _folder = folder;
        let disk = Self { _folder, at };
        match tepui_sys::has_projects(File::open(&disk.at).unwrap().as_fd()) {
            true => Ok(disk),
            false => Err("this kernel keeps no quotas of projects".to_owned()),
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.at.join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A container with its sandbox here, which may hold 4 MiB.
    fn spec(&self, machine: &Machine, name: &str, line: &str) -> Spec {
        let mut spec = machine.shell(name, line);
        spec.sandbox = self.folder(name);
        spec.disk = Some(Bytes(4 << 20));
        spec
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The last who is still in there takes it along.
        let _ = run("umount", &["-l", self.at.to_str().unwrap()]);
    }
}

/// A file system, and a machine with so many projects for its containers. `None`, with a line that
/// says why, where there are none; then an agent does not start either.
fn machine(projects: &str) -> Option<(Machine, Disk)> {
    let disk = match Disk::new() {
        Ok(disk) => disk,
        Err(reason) => {
            let is_promised = std::env::var_os("TEPUI_TEST_PROJECTS").is_some();
            assert!(!is_promised, "{reason}");
            eprintln!("not run: no file system with quotas of projects here: {reason}");
            return None;
        }
    };
    let machine = Machine::with(|options| {
        options.isolation = options.isolation.with(Isolator::DiskQuota);
        options.disk_interval = Duration::from_millis(50);
        options.projects = projects.parse().unwrap();
    });
    Some((machine?, disk))
}

fn number(folder: &Path) -> u32 {
    tepui_sys::project_of(File::open(folder).unwrap().as_fd()).unwrap()
}

#[tokio::test]
async fn an_agent_whose_disks_have_no_quotas_says_what_is_missing() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    if mounts.contains("prjquota") || std::env::var_os("TEPUI_TEST_PROJECTS").is_some() {
        return eprintln!("not run: file systems have quotas of projects here");
    }
    let folder = tempfile::tempdir().unwrap();
    let root = format!("tepui-test/{}-projects", std::process::id());
    let mut options = Options::new(folder.path().join("run"), root);
    options.init = InitProgram::Path(AGENT.into());
    options.isolation = "disk/quota".parse().unwrap();
    let _remains = Remains(options.clone());
    let Err(refusal) = Runtime::probe(options) else {
        return eprintln!("not run: another test has mounted such a file system meanwhile");
    };
    let text = refusal.to_string();
    assert!(text.contains("disk/quota: "), "{text}");
    let reasons = ["prjquota", "CAP_SYS_ADMIN"];
    assert!(reasons.iter().any(|one| text.contains(one)), "{text}");
}

#[tokio::test]
async fn writing_fails_where_the_sandbox_is_full_and_goes_on_where_there_is_room_again() {
    let Some((machine, disk)) = machine("7000-7009") else {
        return;
    };
    let sandbox = disk.folder("full");
    fs::create_dir(sandbox.join("fetched")).unwrap();
    fs::write(sandbox.join("fetched/file"), vec![1; 1 << 20]).unwrap();
    // FS_IOC_FSSETXATTR on a file of its own, to another project.
    let escape = "perl -e 'open(F, \"<\", \"fetched/file\"); $it = \"\\0\" x 28; \
                  exit(ioctl(F, 0x401c5820, $it) ? 9 : $! == 1 ? 0 : 8)'";
    let line = "head -c 8M /dev/zero > full && exit 9; size=$(stat -c %s full); rm full; \
                head -c 1M /dev/zero > fetched/more || exit 8; mv fetched/file . || exit 7; \
                echo $size; exit 3";
    let line = format!("! command -v perl > /dev/null || {escape} || exit 6; {line}");
    let outcome = machine.run(disk.spec(&machine, "full", &line)).await;
    assert_eq!(outcome.exit, exited(3), "{outcome:?}");
    let size: u64 = outcome.out.trim().parse().unwrap();
    assert!(
        (2 << 20..=3 << 20).contains(&size),
        "with a MiB fetched: {size}"
    );

    let said = machine.run(disk.spec(&machine, "free", "head -c 3M /dev/zero > some"));
    assert_eq!(said.await.exit, exited(0));
    // Elsewhere it is measured.
    let mut spec = machine.shell("measured", "head -c 8M /dev/zero > full; sleep 60");
    spec.disk = Some(Bytes(4 << 20));
    let outcome = machine.run(spec).await;
    assert!(outcome.exit.disk.is_some(), "{outcome:?}");
}

#[tokio::test]
async fn r5_files_beyond_their_bound_cannot_be_made_and_others_take_their_place() {
    let Some((machine, disk)) = machine("7300-7309") else {
        return;
    };
    // The file system has 16384: the rest is nobody's to take.
    let line = "mkdir many; i=0; while [ $i -lt 10100 ] && true > many/$i; do i=$((i + 1)); done; \
                echo $i; rm many/1 && true > again || exit 4; exit 3";
    let outcome = machine.run(disk.spec(&machine, "many", line)).await;
    assert_eq!(outcome.exit, exited(3), "{outcome:?}");
    let made: u64 = outcome.out.trim().parse().unwrap();
    assert!((9_900..10_000).contains(&made), "{made}");
}

#[tokio::test]
async fn a_project_is_one_container_s_over_a_restart_and_while_files_carry_it() {
    let Some((machine, disk)) = machine("7100-7101") else {
        return;
    };
    let wait = "echo ready; until test -e go; do sleep 0.05; done; ";
    let line = format!("head -c 2M /dev/zero > some; {wait}head -c 8M /dev/zero > all || exit 3");
    let spec = disk.spec(&machine, "held", &line);
    let sandbox = spec.sandbox.clone();
    let told = |number| {
        let folder = File::open(&disk.at).unwrap();
        tepui_sys::project_use(folder.as_fd(), number).unwrap()
    };
    let said = || fs::read_to_string(sandbox.join("stdout")).unwrap_or_default();
    machine.runtime.launch(spec).await.unwrap();
    soon("it is ready", || said() == "ready\n");
    let machine = machine.restart();
    machine.runtime.recover().await;
    let counted = machine.runtime.usage(&id("held")).await.unwrap().disk;
    let counted = counted.unwrap();
    assert_eq!(counted.limit, Bytes(4 << 20));
    assert!((2 << 20..3 << 20).contains(&counted.used.0), "{counted:?}");

    let other = machine.run(disk.spec(&machine, "other", "true")).await;
    assert_eq!(other.exit, exited(0));
    assert_eq!(number(&sandbox), 7100);
    assert_eq!(number(&disk.at.join("other/stdout")), 7101);
    let refused = machine.runtime.launch(disk.spec(&machine, "third", "true"));
    let refused = refused.await.unwrap_err().to_string();
    assert!(refused.contains("--project-range"), "{refused}");
    fs::remove_dir_all(disk.at.join("other")).unwrap();
    // xfs counts files as there until it comes to clear them away.
    soon("no file carries it", || told(7101).files == 0);
    let third = machine.run(disk.spec(&machine, "third", "true")).await;
    assert_eq!(third.exit, exited(0));
    assert_eq!(number(&disk.at.join("third")), 7101);

    fs::write(sandbox.join("go"), "").unwrap();
    let exit = machine.runtime.wait(&id("held")).await;
    assert_eq!(exit, exited(3));
    assert_eq!(told(7100).limit.bytes, Some(4 << 20));
    assert_eq!(told(7100).limit.files, Some(10_000));
    machine.runtime.remove(&id("held")).await.unwrap();
    let left = told(7100);
    assert!(
        left.limit == tepui_sys::ProjectLimit::default() && left.files > 2,
        "{left:?}"
    );
}

#[tokio::test]
async fn changes_to_the_root_count_and_have_their_end() {
    let Some((machine, disk)) = machine("7200-7209") else {
        return;
    };
    let Some(root) = busybox(machine.folder.path()) else {
        return;
    };
    fs::write(root.join("both"), "lower").unwrap();
    let line = "echo more >> /both && dd if=/dev/zero of=/all bs=65536 count=256 || exit 3; \
                busybox sleep 60";
    let mut spec = disk.spec(&machine, "layers", line);
    let (upper, work) = (disk.folder("upper"), disk.folder("work"));
    spec.root = Some(RootSpec::Layers {
        lower: vec![root],
        upper: upper.clone(),
        work,
    });
    spec.environment = vec![("PATH".to_owned(), "/bin".to_owned())];
    let outcome = machine.run(spec).await;
    // ext4 lets whoever laid the layers over each other pass: that is found out by counting.
    let is_over = outcome.exit == exited(3) || outcome.exit.disk.is_some();
    assert!(is_over, "{outcome:?}");
    assert_eq!(
        fs::read_to_string(upper.join("both")).unwrap(),
        "lowermore\n"
    );
    let numbers = [&upper, &upper.join("both"), &disk.at.join("layers/stdout")];
    assert_eq!(numbers.map(|path| number(path)), [7200; 3]);
}
