//! How many connections the descriptors of this process allow. Whoever takes the last one takes it
//! from the disk: a store that cannot open a file stops its server.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::limits;

/// Lets this process have descriptors for so many connections, as far as it may. Not for one that
/// starts others: they would have them too, and old programs cannot stand high numbers.
pub fn allow(connections: usize) {
    let Ok((now, most)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    let wanted = (connections + limits::DESCRIPTORS_KEPT) as u64;
    let wanted = wanted.min(most);
    if wanted > now
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, wanted, most)
    {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// As many connections as asked for, or fewer: some descriptors stay for everything else.
pub(crate) fn connections(wanted: usize) -> usize {
    // Who cannot ask has no limit that is known.
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(now, _)| now);
    let most = allowed(wanted, limit);
    if most < wanted {
        tracing::warn!(
            wanted,
            connections = most,
            descriptors = limit,
            "fewer connections than usual are taken: raise the limit of open files (ulimit -n)"
        );
    }
    most
}

/// At least one, or nobody could look after the server.
fn allowed(wanted: usize, limit: u64) -> usize {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let kept = limits::DESCRIPTORS_KEPT.min(limit / 2);
    wanted.min(limit - kept).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_stay_for_files() {
        assert_eq!(allowed(20_000, 1 << 20), 20_000);
        assert_eq!(allowed(20_000, 20_000), 20_000 - limits::DESCRIPTORS_KEPT);
        assert_eq!(allowed(20_000, 100), 50);
        assert_eq!(allowed(4096, u64::MAX), 4096);
        assert_eq!(allowed(4096, 0), 1);
    }
}
