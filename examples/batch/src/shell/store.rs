//! The core's records on disk.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use tepui_sdk::state::{self, Batch, RocksStore, Store};

use crate::{
    Error,
    core::{Change, Family, Recovered},
};

/// The kind of record in the store.
const fn kind(family: Family) -> state::Family {
    state::Family::new(family.name())
}

/// Opens the store in the work dir. Blocks.
pub(super) fn open(work_dir: &Path) -> Result<Arc<dyn Store>, Error> {
    let failed = |source| Error::WorkDir {
        path: work_dir.to_owned(),
        source,
    };
    std::fs::create_dir_all(work_dir).map_err(failed)?;
    let store = RocksStore::open(work_dir.join("store"), &Family::ALL.map(kind))?;
    Ok(Arc::new(store))
}

/// Everything that was written before. Blocks.
pub(super) fn load(store: &dyn Store) -> Result<Recovered, Error> {
    let mut records = BTreeMap::new();
    for family in Family::ALL {
        records.insert(family, store.load(kind(family))?);
    }
    Ok(Recovered::read(|family| {
        records.remove(&family).unwrap_or_default()
    })?)
}

/// Makes `changes` durable, all at once, before it returns.
pub(super) async fn commit(store: &Arc<dyn Store>, changes: Vec<Change>) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::new();
    for Change { family, key, value } in changes {
        match value {
            Some(value) => batch.put(kind(family), &key, value),
            None => batch.delete(kind(family), &key),
        }
    }
    let store = store.clone();
    match tokio::task::spawn_blocking(move || store.commit(batch)).await {
        Ok(committed) => Ok(committed.map(drop)?),
        Err(error) => Err(Error::Internal(format!("the store's thread: {error}"))),
    }
}
