//! What is kept reads back as itself, and one registry always makes the same master.

use core::fmt::Debug;

use tepui_master_core::Record;

use super::{Held, ensure};

/// A record that was read from these bytes would be written as them.
pub(crate) fn reads_back(record: &Record, key: &str, bytes: &[u8]) -> Held {
    let same = record.key() == key && record.encode() == bytes;
    ensure(same, || {
        format!("record {key} is not what was kept: {record:?}")
    })
}

/// Two cores that were made from the same records are alike in all that they know.
pub(crate) fn alike(one: &impl Debug, other: &impl Debug) -> Held {
    let [one, other] = [format!("{one:?}"), format!("{other:?}")];
    let from = one
        .bytes()
        .zip(other.bytes())
        .take_while(|(one, other)| one == other);
    let from = from.count();
    ensure(one == other, || {
        format!(
            "two masters from one registry differ after: {}",
            tail(&one, from)
        )
    })
}

/// The last characters before a place.
fn tail(text: &str, end: usize) -> &str {
    const SHOWN: usize = 200;
    text.get(end.saturating_sub(SHOWN)..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tepui_master_core::{Config, Master, Recovered};
    use tepui_model::{FrameworkId, Time};
    use tepui_proto::v1;

    use super::*;

    fn removed(since: u64) -> Record {
        Record::RemovedFramework {
            id: FrameworkId::new("f").unwrap(),
            since: Time::from_micros(since),
        }
    }

    #[test]
    fn a_record_that_reads_as_another_is_noticed() {
        let bytes = removed(7).encode();
        reads_back(&removed(7), "f", &bytes).unwrap();
        assert!(reads_back(&removed(8), "f", &bytes).is_err());
        assert!(reads_back(&removed(7), "g", &bytes).is_err());
    }

    #[test]
    fn a_master_that_forgets_a_record_is_noticed() {
        let master = |records: &[Record]| {
            let mut recovered = Recovered::default();
            records
                .iter()
                .for_each(|record| recovered.insert(record.clone()));
            Master::new(Config::new(v1::MasterInfo::default()), recovered).unwrap()
        };
        let kept = [removed(7)];
        alike(&master(&kept), &master(&kept)).unwrap();
        let broken = alike(&master(&kept), &master(&[])).unwrap_err();
        assert!(broken.to_string().contains("differ after"), "{broken}");
    }
}
