//! What a large request took goes back to the machine. A test alone in its process, whose memory it
//! measures.

use std::hint::black_box;

/// As large as a request may be that somebody sends to a server.
const LARGE: usize = 16 << 20;
/// What may be left of it.
const LEFT: u64 = 2 << 20;

#[test]
fn what_a_large_request_took_goes_back() {
    tepui_sys::give_back_large_blocks();
    let before = resident();
    // glibc learns from the first that is freed, and keeps the next of its size in the heap, where
    // whatever small was made after it holds it.
    let small: Vec<_> = (0..4)
        .map(|_| {
            let large = black_box(vec![1u8; LARGE]);
            let small = black_box(vec![1u8; 64]);
            drop(large);
            small
        })
        .collect();
    let left = resident().saturating_sub(before);
    assert!(left <= LEFT, "{left} bytes are left of it");
    drop(small);
}

/// The bytes of memory that this process has.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.map(|line| line.trim().trim_end_matches(" kB"));
    let Some(Ok(kilobytes)) = kilobytes.map(str::parse::<u64>) else {
        panic!("the kernel does not tell: {status}");
    };
    kilobytes << 10
}
