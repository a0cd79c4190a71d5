//! Ports for tasks that no other test on this machine gives out at the same time.

use std::{net::TcpListener, ops::Range, process};

/// Below what the kernel gives to those who do not choose, and what agents have by default.
const PORTS: Range<u16> = 20_000..31_000;
const BLOCK: u16 = 100;

/// The ports of one agent. Tasks of different clusters share this machine's addresses, so equal
/// ports would let one answer for another.
#[derive(Debug)]
pub(crate) struct PortBlock {
    /// Who listens here owns the ports that follow; the kernel keeps other processes off.
    guard: u16,
    _listener: TcpListener,
}

impl PortBlock {
    /// Takes the first block that is nobody's, beginning elsewhere in each process.
    ///
    /// # Panics
    /// When every block is taken.
    pub(crate) fn take() -> Self {
        let blocks = (PORTS.end - PORTS.start) / BLOCK;
        let start = process::id() % u32::from(blocks);
        let mut guards: Vec<u16> = PORTS.step_by(BLOCK.into()).collect();
        guards.rotate_left(start as usize);
        let free = guards.into_iter().find_map(|guard| {
            let listener = TcpListener::bind(("127.0.0.1", guard)).ok()?;
            Some(Self {
                guard,
                _listener: listener,
            })
        });
        free.unwrap_or_else(|| panic!("every block of {BLOCK} ports in {PORTS:?} is taken"))
    }

    /// As resources.
    pub(crate) fn resources(&self) -> String {
        let (first, last) = (self.guard + 1, self.guard + BLOCK - 1);
        format!("ports:[{first}-{last}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blocks_share_no_port_and_one_that_is_let_go_is_free_again() {
        let (one, two) = (PortBlock::take(), PortBlock::take());
        assert_ne!(one.resources(), two.resources());
        let first = one.guard;
        assert!(TcpListener::bind(("127.0.0.1", first)).is_err());
        drop(one);
        assert!(TcpListener::bind(("127.0.0.1", first)).is_ok());
    }
}
