//! The registry: the core's records as records of the store.

use std::path::Path;

use tepui_master_core::{Change, Record, RecordKind, Recovered};
use tepui_store::{Batch, Family, RocksStore, Store};

use crate::Error;

/// The registry's folder in the work dir.
const FOLDER: &str = "registry";

const fn family(kind: RecordKind) -> Family {
    Family::new(kind.name())
}

/// Opens the registry in the work dir, or makes it.
pub(crate) fn open(work_dir: &Path) -> Result<RocksStore, Error> {
    let families = RecordKind::ALL.map(family);
    RocksStore::open(work_dir.join(FOLDER), &families).map_err(|source| Error::Registry {
        work_dir: work_dir.to_owned(),
        source,
    })
}

/// Reads everything that the registry kept.
pub(crate) fn recover(store: &dyn Store, work_dir: &Path) -> Result<Recovered, Error> {
    let mut recovered = Recovered::default();
    for kind in RecordKind::ALL {
        let records = store.load(family(kind));
        let records = records.map_err(|source| Error::Registry {
            work_dir: work_dir.to_owned(),
            source,
        })?;
        for (key, bytes) in records {
            let record = Record::decode(kind, &key, &bytes).map_err(|error| Error::Record {
                work_dir: work_dir.to_owned(),
                problem: error.to_string(),
            })?;
            recovered.insert(record);
        }
    }
    Ok(recovered)
}

/// Adds a change of the core to what is written next.
pub(crate) fn stage(change: Change, batch: &mut Batch) {
    match change {
        Change::Put(record) => {
            batch.put(family(record.kind()), &record.key(), record.encode());
        }
        Change::Delete(kind, key) => batch.delete(family(kind), &key),
    }
}
