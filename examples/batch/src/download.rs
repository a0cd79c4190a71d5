//! Brings a file from a task's sandbox here, over the network and in several tries.

use std::{io, path::Path};

use tepui_sdk::{Error, Node, SandboxFile};
use tokio::{
    fs::File,
    io::AsyncWriteExt,
    time::{sleep, timeout},
};
use tonic::Code;

use crate::limits::{FETCH_PAUSE, FETCH_SILENCE, FETCH_TRIES};

/// Why a file is not here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    /// The agent does not give it, now or ever.
    #[error("{0}")]
    Remote(String),
    /// It cannot be kept here.
    #[error("cannot write the file here: {0}")]
    Local(#[from] io::Error),
}

/// Why one try failed.
enum Trouble {
    /// Another try may help.
    Passing(String),
    /// No other try helps.
    Final(DownloadError),
}

/// Writes the file `wanted` of the agent at `address` to `path`. A try that breaks off is taken up
/// where it stood.
pub(crate) async fn download(
    address: &str,
    wanted: &SandboxFile,
    path: &Path,
) -> Result<(), DownloadError> {
    let mut file = File::create(path).await?;
    let mut wanted = wanted.clone();
    let mut pause = FETCH_PAUSE;
    let mut tries = 1;
    loop {
        match attempt(address, &mut wanted, &mut file).await {
            Ok(()) => break,
            Err(Trouble::Final(error)) => return Err(error),
            Err(Trouble::Passing(cause)) if tries == FETCH_TRIES => {
                return Err(DownloadError::Remote(format!("{cause} ({tries} tries)")));
            }
            Err(Trouble::Passing(_)) => {}
        }
        sleep(pause).await;
        pause *= 2;
        tries += 1;
    }
    file.flush().await?;
    Ok(())
}

/// One try; `wanted.offset` moves with each byte that is here.
async fn attempt(address: &str, wanted: &mut SandboxFile, file: &mut File) -> Result<(), Trouble> {
    let silent = |_| Trouble::Passing(format!("{address} says nothing for {FETCH_SILENCE:?}"));
    let open = async {
        Node::connect(address)
            .await?
            .read_sandbox(wanted, false)
            .await
    };
    let mut reading = timeout(FETCH_SILENCE, open)
        .await
        .map_err(silent)?
        .map_err(trouble)?;
    while let Some(chunk) = timeout(FETCH_SILENCE, reading.next())
        .await
        .map_err(silent)?
        .map_err(trouble)?
    {
        file.write_all(&chunk)
            .await
            .map_err(|error| Trouble::Final(error.into()))?;
        wanted.offset += chunk.len() as u64;
    }
    Ok(())
}

fn trouble(error: Error) -> Trouble {
    let text = error.to_string();
    match error {
        // There is no such task or file there, and there will be none.
        Error::Refused {
            code: Code::NotFound | Code::InvalidArgument,
            ..
        } => Trouble::Final(DownloadError::Remote(text)),
        _ => Trouble::Passing(text),
    }
}
