//! A hash over everything that was said, by which two runs of one seed are compared.

use core::fmt::Debug;

/// FNV-1a over the texts of what happened.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    /// How many things happened.
    pub(crate) events: u64,
    is_printed: bool,
}

impl Trace {
    /// Prints every line when `TEPUI_SIM_TRACE` is set, for a run that is looked into.
    pub(crate) fn new() -> Self {
        let is_printed = std::env::var_os("TEPUI_SIM_TRACE").is_some();
        Self { hash: 0xcbf2_9ce4_8422_2325, events: 0, is_printed }
    }

    pub(crate) fn note(&mut self, now: u64, what: impl Debug) {
        let line = format!("{now} {what:?}");
        if self.is_printed {
            println!("{line}");
        }
        self.events += 1;
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}
