//! The framework's records on disk.

use std::sync::Arc;

use prost::Message;
use tepui_sdk::state::{Batch, Family, Store};

use crate::{
    Error, api,
    core::{Change, Records},
};

const IDENTITY: Family = Family::new("service-identity");
const APPS: Family = Family::new("service-apps");
const INSTANCES: Family = Family::new("service-instances");
/// Every kind of record.
pub(crate) const FAMILIES: [Family; 3] = [IDENTITY, APPS, INSTANCES];

/// The only key of [`IDENTITY`].
const SELF: &str = "self";

/// Everything that was written before. Blocks.
pub(crate) fn load(store: &dyn Store) -> Result<Records, Error> {
    let identity = decoded::<api::StoredIdentity>(store, IDENTITY)?.pop();
    Ok(Records {
        identity,
        apps: decoded(store, APPS)?,
        instances: decoded(store, INSTANCES)?,
    })
}

fn decoded<M: Message + Default>(store: &dyn Store, family: Family) -> Result<Vec<M>, Error> {
    let decode = |(key, bytes): (String, Vec<u8>)| {
        M::decode(bytes.as_slice())
            .map_err(|error| Error::Internal(format!("record {family}/{key}: {error}")))
    };
    store.load(family)?.into_iter().map(decode).collect()
}

/// Makes `changes` durable, all at once, before it returns.
pub(crate) async fn commit(store: &Arc<dyn Store>, changes: Vec<Change>) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::new();
    for change in changes {
        match change {
            Change::Identity(identity) => put(&mut batch, IDENTITY, SELF, Some(identity)),
            Change::App(name, app) => put(&mut batch, APPS, name.as_str(), app),
            Change::Instance(task, instance) => {
                put(&mut batch, INSTANCES, task.as_str(), instance);
            }
        }
    }
    let store = store.clone();
    match tokio::task::spawn_blocking(move || store.commit(batch)).await {
        Ok(committed) => Ok(committed.map(drop)?),
        Err(error) => Err(Error::Internal(format!("the store's thread: {error}"))),
    }
}

fn put(batch: &mut Batch, family: Family, key: &str, record: Option<impl Message>) {
    match record {
        Some(record) => batch.put(family, key, record.encode_to_vec()),
        None => batch.delete(family, key),
    }
}
