//! A program that unpacks layers for stores of the tests; or, when it is asked to, tries to get out
//! of the same walls and prints what it could do.

use std::{
    fs,
    io::{self, Write as _},
    os::fd::AsFd as _,
    path::Path,
    process::{Command, ExitCode},
};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Uid, chownat, makedev, mkdirat, mknodat, openat, symlinkat,
};
use rustix::process::{Pid, test_kill_process};
use tepui_sys::Confinement;

fn main() -> ExitCode {
    if let Some(code) = tepui_images::unpack_main() {
        return code;
    }
    match std::env::args().nth(1) {
        Some(outside) => attempt(&outside).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        None => ExitCode::FAILURE,
    }
}

/// Tries to touch what is outside of the folder that is its standard error.
fn attempt(outside: &str) -> io::Result<()> {
    let parent = rustix::process::getppid();
    let folder = io::stderr();
    let confinement = Confinement {
        name: c"tepui-attempt",
        root: folder.as_fd(),
        memory: 64 << 20,
        seconds: 60,
        files: 16,
    };
    let root = if std::env::args().nth(2).is_some() {
        // Without the walls: what is tried can succeed.
        folder.as_fd().try_clone_to_owned()?
    } else {
        tepui_sys::confine(&confinement)?
    };
    let below = format!("../../../../../../../../{outside}");
    let flags = OFlags::CREATE | OFlags::WRONLY;
    let written = |path: &Path| fs::write(path, "BROKEN").is_ok();
    symlinkat(outside, &root, "link").ok();
    let device = makedev(1, 3);
    let reached =
        |process: Option<Pid>| process.is_none_or(|process| test_kill_process(process).is_ok());
    let memory = || {
        let mut bytes: Vec<u8> = Vec::new();
        bytes.try_reserve_exact(256 << 20).is_ok()
    };
    let attempts: [(&str, bool); 12] = [
        ("absolute", written(Path::new(outside))),
        ("upwards", written(Path::new(&below))),
        ("link", openat(&root, "link", flags, Mode::RUSR).is_ok()),
        ("read", fs::read("/etc/passwd").is_ok()),
        ("processes", fs::read_dir("/proc").is_ok()),
        ("program", Command::new("/bin/true").status().is_ok()),
        ("thread", std::thread::Builder::new().spawn(|| ()).is_ok()),
        ("network", std::net::UdpSocket::bind("127.0.0.1:0").is_ok()),
        ("chroot", rustix::process::chroot("/").is_ok()),
        (
            "device",
            mknodat(&root, "null", FileType::CharacterDevice, Mode::RUSR, device).is_ok(),
        ),
        ("signal", reached(parent)),
        ("memory", memory()),
    ];
    let mut out = io::stdout();
    for (name, done) in attempts {
        if done {
            writeln!(out, "BROKEN {name}")?;
        }
    }
    // What it is there for.
    mkdirat(&root, "made", Mode::RWXU)?;
    let seven = Some(Uid::from_raw(7));
    chownat(&root, "made", seven, None, AtFlags::empty())?;
    writeln!(out, "made")
}
