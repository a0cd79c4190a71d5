//! Unpacking a layer: checked, decompressed, every path resolved beneath its folder. Ours and tar's
//! in turn, so that both meet the same disk; tar checks no digest. Where umoci is installed, it
//! takes its turns too, with the layer compressed and in a layout, whose digests it checks.
//!
//! Needs root, which may give files to others; says so where it is missing.

mod umoci;

use std::{
    fs::{self, File},
    io::{BufReader, Write as _},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use tepui_cluster_tests::images::Layer;
use tepui_images::unpack;

use crate::{Settings, report::Report};

const ROUNDS: usize = 5;
/// Small files and large ones, as images have them.
const SMALL: (usize, usize) = (2000, 16 << 10);
const LARGE: (usize, usize) = (4, 24 << 20);

pub(crate) fn run(_: &Settings, report: &mut Report) -> Result<(), String> {
    if !tepui_cluster_tests::can_isolate() {
        report.line().with("left_out", "needs-root");
        return Ok(());
    }
    let folder = tempfile::tempdir().map_err(text)?;
    let bytes = layer();
    let megabytes = bytes.len() as f64 / f64::from(1 << 20);
    let layout = folder.path().join("layout");
    let has_umoci = umoci::is_installed();
    if has_umoci {
        umoci::write_layout(&layout, &bytes)?;
    }
    for compression in ["none", "gzip"] {
        let path = folder.path().join(compression);
        write(&path, &bytes, compression).map_err(text)?;
        let umoci_too = has_umoci && compression == "gzip";
        let (mut ours, mut tars, mut umocis) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(timed(folder.path(), |to| unpack_ours(&path, to))?);
            tars.push(timed(folder.path(), |to| unpack_tar(&path, to))?);
            if umoci_too {
                umocis.push(timed(folder.path(), |to| umoci::unpack(&layout, to))?);
            }
        }
        let speed = |mut times: Vec<Duration>| {
            times.sort();
            (megabytes / times[ROUNDS / 2].as_secs_f64()).round()
        };
        let line = report
            .line()
            .with("compression", compression)
            .with("files", SMALL.0 + LARGE.0)
            .with("megabytes", megabytes.round())
            .with("mb_per_s", speed(ours))
            .with("tar_mb_per_s", speed(tars));
        if umoci_too {
            line.with("umoci_mb_per_s", speed(umocis));
        }
    }
    Ok(())
}

/// Contents that compress about as programs do: half of it says nothing new.
fn contents(length: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u32 + 1;
    let random = std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let mut bytes: Vec<u8> = random.take(length).collect();
    bytes.chunks_mut(64).for_each(|chunk| {
        let half = chunk.len() / 2;
        chunk[half..].fill(0);
    });
    bytes
}

fn layer() -> Vec<u8> {
    let mut layer = Layer::default();
    for (kind, (count, length)) in [("small", SMALL), ("large", LARGE)] {
        for number in 0..count {
            let name = format!("{kind}/{}/{number}", number % 50);
            layer = layer.file(&name, 0o644, &contents(length, number));
        }
    }
    layer.bytes()
}

fn write(path: &Path, bytes: &[u8], compression: &str) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    if compression == "none" {
        return file.write_all(bytes);
    }
    let level = flate2::Compression::default();
    let mut gzip = flate2::write::GzEncoder::new(file, level);
    gzip.write_all(bytes)?;
    gzip.finish().map(drop)
}

/// How long it takes until everything is on the disk.
fn timed(folder: &Path, work: impl Fn(&Path) -> Result<(), String>) -> Result<Duration, String> {
    let to = folder.join("to");
    fs::create_dir(&to).map_err(text)?;
    let started = Instant::now();
    work(&to)?;
    rustix::fs::syncfs(File::open(&to).map_err(text)?).map_err(text)?;
    let took = started.elapsed();
    fs::remove_dir_all(&to).map_err(text)?;
    Ok(took)
}

fn unpack_ours(path: &Path, to: &Path) -> Result<(), String> {
    let (from, to) = (
        File::open(path).map_err(text)?,
        File::open(to).map_err(text)?,
    );
    unpack(BufReader::new(from), to.into(), u64::MAX)
        .map(drop)
        .map_err(text)
}

fn unpack_tar(path: &Path, to: &Path) -> Result<(), String> {
    let status = Command::new("tar")
        .arg("-xf")
        .arg(path)
        .arg("-C")
        .arg(to)
        .status();
    match status.map_err(text)?.success() {
        true => Ok(()),
        false => Err("tar failed".to_owned()),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
