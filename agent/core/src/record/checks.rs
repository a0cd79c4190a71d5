//! What is to be known of a task's checks after a restart of the agent.

use prost::Message;

use crate::{Finding, checks::Memory};

/// What one check has found so far.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MemoryWire {
    #[prost(bool, tag = "1")]
    settled: bool,
    #[prost(uint32, tag = "2")]
    failures: u32,
    #[prost(message, optional, tag = "3")]
    last: Option<FindingWire>,
}

#[derive(Clone, PartialEq, Message)]
struct FindingWire {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(sint64, tag = "2")]
    value: i64,
    #[prost(string, tag = "3")]
    words: String,
}

impl From<&Memory> for MemoryWire {
    fn from(memory: &Memory) -> Self {
        Self {
            settled: memory.settled,
            failures: memory.failures,
            last: memory.last.as_ref().map(Into::into),
        }
    }
}

impl From<MemoryWire> for Memory {
    fn from(wire: MemoryWire) -> Self {
        Self {
            settled: wire.settled,
            failures: wire.failures,
            last: wire.last.map(Into::into),
        }
    }
}

impl From<&Finding> for FindingWire {
    fn from(finding: &Finding) -> Self {
        let (kind, value) = match finding {
            Finding::Exited(code) => (1, i64::from(*code)),
            Finding::Http(status) => (2, i64::from(*status)),
            Finding::Tcp(well) => (3, i64::from(*well)),
            Finding::Grpc(well) => (4, i64::from(*well)),
            Finding::TimedOut => (5, 0),
            Finding::Failed(_) => (6, 0),
        };
        let words = match finding {
            Finding::Failed(words) => words.clone(),
            _ => String::new(),
        };
        Self { kind, value, words }
    }
}

impl From<FindingWire> for Finding {
    /// One of an unknown kind is as good as none.
    fn from(wire: FindingWire) -> Self {
        match wire.kind {
            1 => Self::Exited(i32::try_from(wire.value).unwrap_or(i32::MAX)),
            2 => Self::Http(u16::try_from(wire.value).unwrap_or_default()),
            3 => Self::Tcp(wire.value != 0),
            4 => Self::Grpc(wire.value != 0),
            6 => Self::Failed(wire.words),
            _ => Self::TimedOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_check_knows_reads_back() {
        for last in [
            None,
            Some(Finding::Exited(-7)),
            Some(Finding::Http(503)),
            Some(Finding::Tcp(true)),
            Some(Finding::Grpc(false)),
            Some(Finding::TimedOut),
            Some(Finding::Failed("no".to_owned())),
        ] {
            let memory = Memory {
                settled: true,
                failures: 2,
                last,
            };
            assert_eq!(Memory::from(MemoryWire::from(&memory)), memory);
        }
    }
}
