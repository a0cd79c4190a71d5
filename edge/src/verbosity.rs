//! How much a running server logs, beyond what it was started with. Whoever set logs up says how
//! that is changed; a server without it only remembers.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// The highest level (Mesos: those of glog).
pub const MOST: u32 = 3;

static LEVEL: AtomicU32 = AtomicU32::new(0);
static CHANGE: OnceLock<Box<dyn Fn(u32) + Send + Sync>> = OnceLock::new();

/// Says once how the level of logs is changed: 0 is what the program was started with, 1 adds what
/// helps to find a mistake, more adds everything.
pub fn changed_by(change: Box<dyn Fn(u32) + Send + Sync>) {
    // A second one would be for the same logs.
    let _ = CHANGE.set(change);
}

/// The level.
#[must_use]
pub fn level() -> u32 {
    LEVEL.load(Ordering::Relaxed)
}

/// Changes the level, to [`MOST`] at most.
pub fn set(level: u32) {
    let level = level.min(MOST);
    LEVEL.store(level, Ordering::Relaxed);
    if let Some(change) = CHANGE.get() {
        change(level);
    }
}

/// Changes the level for a while, as with Mesos.
///
/// # Errors
/// What is wrong with the level or with the time, in nanoseconds.
pub fn set_for(level: u32, nanoseconds: i64) -> Result<(), String> {
    if level > MOST {
        return Err(format!("Invalid level: {level} is over {MOST}"));
    }
    let span = u64::try_from(nanoseconds).map(Duration::from_nanos);
    let span = span.map_err(|_| "Invalid duration: it is negative".to_owned())?;
    set(level);
    tokio::spawn(async move {
        tokio::time::sleep(span).await;
        set(0);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_beyond_the_highest_is_the_highest() {
        set(9);
        assert_eq!(level(), MOST);
        set(0);
        assert_eq!(level(), 0);
    }
}
