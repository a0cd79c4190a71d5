//! Everything that a master knows, asked for over HTTP: how large the answer is, how long it takes,
//! and how long other calls wait meanwhile.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::framework::text;
use crate::report::Report;

const ROUNDS: usize = 5;
/// Between two probes of the core.
const PROBE_EVERY: Duration = Duration::from_millis(2);
/// How long the quiet master is probed, to compare with.
const QUIET: Duration = Duration::from_secs(1);
pub(super) const FORMS: [(&str, &str); 2] = [
    ("json", "application/json"),
    ("protobuf", "application/x-protobuf"),
];

/// Asks a master for its state in each form.
pub(super) fn measure(master: &str, report: &mut Report) -> Result<(), String> {
    let quiet = probed(master, || {
        thread::sleep(QUIET);
        Ok(())
    })?;
    for (name, media) in FORMS {
        let (mut bytes, mut times) = (0, Vec::new());
        let busy = probed(master, || {
            for _ in 0..ROUNDS {
                let began = Instant::now();
                bytes = call(master, "GET_STATE", media)?;
                times.push(began.elapsed());
            }
            Ok(())
        })?;
        report
            .part(&format!("state-{name}"))
            .with("bytes", bytes)
            .with_percentiles("answer", &times)
            .with_percentiles("other_calls", &busy)
            .with_percentiles("quiet_calls", &quiet);
    }
    Ok(())
}

/// How long calls that go through the core take while something else is done.
fn probed(
    master: &str,
    work: impl FnOnce() -> Result<(), String>,
) -> Result<Vec<Duration>, String> {
    let over = Arc::new(AtomicBool::new(false));
    let (is_over, master) = (Arc::clone(&over), master.to_owned());
    let probing = thread::spawn(move || {
        let mut times = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            let began = Instant::now();
            call(&master, "GET_MASTER", "application/json")?;
            times.push(began.elapsed());
            thread::sleep(PROBE_EVERY);
        }
        Ok(times)
    });
    let worked = work();
    over.store(true, Ordering::Relaxed);
    let times = probing.join().map_err(|_| "a probe panicked")?;
    worked.and(times)
}

/// Calls, and reads the answer to its end: how many bytes.
pub(super) fn call(master: &str, kind: &str, media: &str) -> Result<usize, String> {
    let body = format!("{{\"type\":\"{kind}\"}}");
    let request = format!(
        "POST /api/v1 HTTP/1.1\r\nHost: {master}\r\nConnection: close\r\nAccept: {media}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len(),
    );
    let mut stream = TcpStream::connect(master).map_err(text)?;
    stream.write_all(request.as_bytes()).map_err(text)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(text)?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        let head = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
        return Err(format!("{kind} was answered with {head}"));
    }
    Ok(answer.len())
}
