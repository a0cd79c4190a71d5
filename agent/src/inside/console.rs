//! What a program reads and writes, for all who look at it: one gives it input, any number read.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tepui_containers::{SessionControl, SessionInput, SessionOutput, SessionStream};
use tokio::{
    sync::{OwnedMutexGuard, mpsc},
    time::{sleep, timeout},
};

use crate::limits;

/// What a program wrote, and where.
pub(crate) type Piece = (SessionStream, Vec<u8>);

/// What a program reads and writes. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    input: Arc<tokio::sync::Mutex<SessionInput>>,
    readers: Arc<Mutex<Readers>>,
}

#[derive(Debug, Default)]
struct Readers {
    ended: bool,
    last: u64,
    all: Vec<Reader>,
}

#[derive(Clone, Debug)]
struct Reader {
    number: u64,
    pieces: mpsc::Sender<Piece>,
    /// Whether the program waits for as long as this one does not read.
    patient: bool,
}

impl Console {
    pub(crate) fn new(input: SessionInput) -> Self {
        Self {
            input: Arc::new(tokio::sync::Mutex::new(input)),
            readers: Arc::default(),
        }
    }

    /// What is written from now on. Who reads too slowly is cut off, unless the program is patient
    /// with it.
    ///
    /// # Errors
    /// As many read as can.
    pub(crate) fn read(&self, patient: bool) -> Result<mpsc::Receiver<Piece>, TooManyReaders> {
        let (pieces, receiver) = mpsc::channel(limits::SESSION_PIECES_IN_LINE);
        let mut readers = self.readers();
        if readers.ended {
            return Ok(receiver);
        }
        readers.all.retain(|reader| !reader.pieces.is_closed());
        if readers.all.len() >= limits::CONSOLE_READERS {
            return Err(TooManyReaders);
        }
        readers.last += 1;
        let number = readers.last;
        readers.all.push(Reader {
            number,
            pieces,
            patient,
        });
        Ok(receiver)
    }

    /// The right to give input, which one has at a time.
    pub(crate) fn write(&self) -> Option<OwnedMutexGuard<SessionInput>> {
        self.input.clone().try_lock_owned().ok()
    }

    async fn show(&self, piece: &Piece) {
        let all = self.readers().all.clone();
        for reader in all {
            let sent = async { reader.pieces.send(piece.clone()).await.is_ok() };
            let reads = match reader.patient {
                true => sent.await,
                false => timeout(limits::CONSOLE_PATIENCE, sent)
                    .await
                    .unwrap_or(false),
            };
            if !reads {
                self.readers().all.retain(|it| it.number != reader.number);
            }
        }
    }

    fn end(&self) {
        let mut readers = self.readers();
        readers.ended = true;
        readers.all.clear();
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        // What is behind it is whole even after a panic.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As many read what a program writes as can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} clients read its output already, and there cannot be more",
    limits::CONSOLE_READERS
)]
pub(crate) struct TooManyReaders;

/// Brings what a program writes to all who read, until nobody can write any more.
pub(crate) async fn relay(mut pieces: Pieces, console: Console) {
    while let Some(piece) = pieces.next().await {
        console.show(&piece).await;
    }
    console.end();
}

/// All that a program writes, until nobody can write any more. When the program has ended, what it
/// has left behind may hold its output open: that is waited for a while.
pub(crate) struct Pieces {
    output: SessionOutput,
    late: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Pieces {
    pub(crate) fn new(output: SessionOutput, control: SessionControl) -> Self {
        let late = Box::pin(async move {
            control.wait().await;
            sleep(limits::SESSION_OUTPUT_WITHIN).await;
        });
        Self { output, late }
    }

    /// The next piece. None is the last word.
    pub(crate) async fn next(&mut self) -> Option<Piece> {
        tokio::select! {
            next = self.output.next() => next,
            () = &mut self.late => None,
        }
    }
}
