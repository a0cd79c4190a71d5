//! The heap of a server: what a large request took goes back to the machine.

/// From how many bytes on a piece of memory is mapped by itself, and unmapped once it is freed.
///
/// glibc starts at 128 KiB and raises that to whatever large piece was freed last, up to 32 MiB:
/// from then on such pieces lie in the heap, and each thread's heap keeps twice as much for later.
/// One request of 10 MiB would leave a process larger for good. Fixed, it stays where it is; higher
/// than glibc's own, since mapping costs more than it saves for what is used all the time.
const MAPPED_FROM: libc::c_int = 512 << 10;

/// How many free bytes at the end of a heap are kept for later.
const KEPT: libc::c_int = 1 << 20;

/// Lets the memory of large requests go back to the machine when they are done.
///
/// To be called once, before there are threads. Where the C library has no such settings, nothing
/// is changed.
#[cfg(target_env = "gnu")]
pub fn give_back_large_blocks() {
    for (setting, value) in [
        (libc::M_MMAP_THRESHOLD, MAPPED_FROM),
        (libc::M_TRIM_THRESHOLD, KEPT),
    ] {
        // SAFETY: it takes two numbers and changes only the allocator's own settings, under its own
        // lock. A setting that is refused leaves what was.
        unsafe { libc::mallopt(setting, value) };
    }
}

/// Nothing: this C library keeps no large pieces.
#[cfg(not(target_env = "gnu"))]
pub fn give_back_large_blocks() {}
