//! The bytes of a file in a task's sandbox, and those that come while the task runs.

use std::{fs::File, io, path::PathBuf};

use tepui_agent_core::{ExecutorKey, TaskKey};
use tepui_proto::services::{ReadSandboxRequest, SandboxChunk};
use tokio::{
    sync::{
        OwnedSemaphorePermit, mpsc,
        oneshot::{self, error::TryRecvError},
    },
    task::spawn_blocking,
    time::sleep,
};
use tonic::Status;

use super::{
    Node,
    files::{read_at_most, refuse},
    ids, rotated, stopping,
};
use crate::{limits, machine::Containers, sandbox};

/// One file being read for one client.
#[derive(Debug)]
pub(super) struct Reader {
    sandbox: PathBuf,
    path: String,
    offset: u64,
    /// Told, or closed, when the task has ended. None for who does not follow.
    end: Option<oneshot::Receiver<()>>,
    _permit: OwnedSemaphorePermit,
}

impl<C: Containers> Node<C> {
    /// Finds the sandbox that is asked for.
    pub(super) async fn open(&self, request: ReadSandboxRequest) -> Result<Reader, Status> {
        let (framework, task) = ids(request.framework_id.as_ref(), request.task_id.as_ref())?;
        if request.path.is_empty() {
            return Err(Status::invalid_argument("path is not set"));
        }
        let permit = self.readers.clone().try_acquire_owned().map_err(|_| {
            let limit = limits::READERS;
            Status::resource_exhausted(format!("{limit} files are being read: try again later"))
        })?;
        let key = TaskKey { framework, task };
        let end = if request.follow {
            Some(self.front.end_of(key.clone()).await)
        } else {
            None
        };
        let sandbox = self.sandbox(key.clone()).await?;
        let sandbox =
            sandbox.ok_or_else(|| Status::not_found(format!("there is no task {key}")))?;
        let mut reader = Reader {
            sandbox,
            path: request.path,
            offset: request.offset,
            end,
            _permit: permit,
        };
        // So that a wrong path is an answer and not the end of a stream.
        reader.opened().await?;
        Ok(reader)
    }

    /// Where a task's sandbox is. One that is about to be made is waited for.
    async fn sandbox(&self, key: TaskKey) -> Result<Option<PathBuf>, Status> {
        loop {
            let (sandboxes, wanted) = (self.sandboxes.clone(), key.clone());
            let whose = self.front.look(move |agent| agent.executor_id_of(&wanted));
            let executor = whose.await.ok_or_else(stopping)?;
            let wanted = ExecutorKey::new(&key.framework, &executor);
            let found = spawn_blocking(move || sandbox::find(&sandboxes, &wanted)).await;
            let found = found.map_err(|error| Status::internal(error.to_string()))?;
            let found = found.map_err(|error| refuse("the sandboxes", &error))?;
            let wanted = key.clone();
            let launching = self.front.look(move |agent| agent.is_live(&wanted)).await;
            if found.is_some() || launching != Some(true) {
                return Ok(found);
            }
            sleep(limits::FOLLOW_EVERY).await;
        }
    }
}

impl Reader {
    /// The file. While its task runs, who follows waits until there is one.
    async fn opened(&mut self) -> Result<File, Status> {
        loop {
            let (sandbox, path) = (self.sandbox.clone(), self.path.clone());
            // Who wants all of an output begins with what is oldest.
            let all = self.offset == 0 && rotated::is_log(&path);
            let open = if all { rotated::oldest } else { rotated::open };
            let opened = spawn_blocking(move || open(&sandbox, &path)).await;
            let opened = opened.map_err(|error| Status::internal(error.to_string()))?;
            match opened {
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.goes_on() => {
                    sleep(limits::FOLLOW_EVERY).await;
                }
                opened => return opened.map_err(|error| refuse(&self.path, &error)),
            }
        }
    }

    /// Whether more bytes may come: the client follows and the task runs.
    fn goes_on(&mut self) -> bool {
        let runs = |end: &mut oneshot::Receiver<()>| end.try_recv() == Err(TryRecvError::Empty);
        let goes_on = self.end.as_mut().is_some_and(runs);
        if !goes_on {
            self.end = None;
        }
        goes_on
    }

    /// Sends the file until it ends, or the client goes away.
    pub(super) async fn run(mut self, chunks: mpsc::Sender<Result<SandboxChunk, Status>>) {
        let end = self.follow(&chunks).await;
        if let Err(status) = end {
            // A client that has gone need not hear of it.
            let _ = chunks.send(Err(status)).await;
        }
    }

    async fn follow(
        &mut self,
        chunks: &mpsc::Sender<Result<SandboxChunk, Status>>,
    ) -> Result<(), Status> {
        let mut file = self.opened().await?;
        loop {
            // Asked before reading: what is read after the end is all there will ever be.
            let more = self.goes_on();
            let (back, data) = self.chunk(file).await?;
            file = back;
            if !data.is_empty() {
                self.offset += data.len() as u64;
                if chunks.send(Ok(SandboxChunk { data })).await.is_err() {
                    return Ok(());
                }
            } else if let Some(next) = self.after(&file).await? {
                // What was written before the turn was read only if nothing has come since.
                if file.metadata().is_ok_and(|it| it.len() <= self.offset) {
                    (file, self.offset) = (next, 0);
                }
            } else if !more || self.pause(chunks).await {
                return Ok(());
            }
        }
    }

    /// The next bytes, at most a chunk of them.
    async fn chunk(&self, file: File) -> Result<(File, Vec<u8>), Status> {
        let offset = self.offset;
        let fail = |error: io::Error| refuse(&self.path, &error);
        if file.metadata().map_err(fail)?.len() <= offset {
            return Ok((file, Vec::new()));
        }
        let read = spawn_blocking(move || {
            let mut data = vec![0; limits::CHUNK_BYTES];
            let count = read_at_most(&file, &mut data, offset)?;
            data.truncate(count);
            Ok((file, data))
        });
        read.await
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(fail)
    }

    /// The file that took this one's turn, if one did.
    async fn after(&self, file: &File) -> Result<Option<File>, Status> {
        if !rotated::is_log(&self.path) {
            return Ok(None);
        }
        let fail = |error: io::Error| refuse(&self.path, &error);
        let file = file.try_clone().map_err(fail)?;
        let (sandbox, path) = (self.sandbox.clone(), self.path.clone());
        let after = spawn_blocking(move || rotated::after(&sandbox, &path, &file)).await;
        after
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(fail)
    }

    /// Waits a little, or until the task ends; says whether the client has gone.
    async fn pause(&mut self, chunks: &mpsc::Sender<Result<SandboxChunk, Status>>) -> bool {
        tokio::select! {
            () = chunks.closed() => return true,
            () = sleep(limits::FOLLOW_EVERY) => {}
            _ = async {
                match &mut self.end {
                    Some(end) => drop(end.await),
                    None => std::future::pending().await,
                }
            } => self.end = None,
        }
        false
    }
}
