//! The agent's records in a store.

use std::path::Path;

use tepui_agent_core::{Change, Kind};
use tepui_store::{Batch, Error as StoreError, Family, RocksStore, Store};

const FAMILIES: [Family; Kind::ALL.len()] = [
    Family::new(Kind::ALL[0].name()),
    Family::new(Kind::ALL[1].name()),
    Family::new(Kind::ALL[2].name()),
    Family::new(Kind::ALL[3].name()),
    Family::new(Kind::ALL[4].name()),
    Family::new(Kind::ALL[5].name()),
    Family::new(Kind::ALL[6].name()),
    Family::new(Kind::ALL[7].name()),
    Family::new(Kind::ALL[8].name()),
];

/// Opens the store, or makes it.
pub(crate) fn open(path: &Path) -> Result<RocksStore, StoreError> {
    RocksStore::open(path, &FAMILIES)
}

/// Every record. One that does not match its checksum is given up, with what it stands for, so that
/// one damaged record does not keep the agent from its other tasks.
pub(crate) fn load(store: &dyn Store) -> Result<Vec<(Kind, String, Vec<u8>)>, StoreError> {
    let mut records = Vec::new();
    for kind in Kind::ALL {
        let family = Family::new(kind.name());
        for (key, value) in load_family(store, family)? {
            records.push((kind, key, value));
        }
    }
    Ok(records)
}

fn load_family(store: &dyn Store, family: Family) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    loop {
        match store.load(family) {
            Err(StoreError::Corrupt { key, message, .. }) => {
                tracing::error!(%family, key, message, "a checkpoint is damaged: it is given up");
                let mut batch = Batch::new();
                batch.delete(family, &key);
                store.commit(batch)?;
            }
            loaded => return loaded,
        }
    }
}

/// Adds a change to a batch.
pub(crate) fn add(batch: &mut Batch, change: Change) {
    let family = Family::new(change.kind.name());
    match change.value {
        Some(value) => batch.put(family, &change.key, value),
        None => batch.delete(family, &change.key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_under_their_kinds() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).unwrap();
        let mut batch = Batch::new();
        for kind in Kind::ALL {
            let (key, value) = ("k".to_owned(), Some(kind.name().as_bytes().to_vec()));
            add(
                &mut batch,
                Change {
                    kind,
                    key,
                    value,
                    urgent: true,
                },
            );
        }
        store.commit(batch).unwrap();
        let expected: Vec<_> = Kind::ALL
            .into_iter()
            .map(|kind| (kind, "k".to_owned(), kind.name().as_bytes().to_vec()))
            .collect();
        assert_eq!(load(&store).unwrap(), expected);
    }
}
