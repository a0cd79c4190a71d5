//! A bounded queue of messages to one reader. The writer never waits: a reader that is too slow is
//! cut off, and what waited for it is dropped.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, task::AtomicWaker};
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};
use tonic::Status;

use crate::limits;

/// The writer's end. Clones write to the same reader.
pub struct Outbox<T> {
    shared: Arc<Shared<T>>,
}

/// The reader's end: the response stream of a call.
pub struct Outgoing<T> {
    shared: Arc<Shared<T>>,
    heartbeat: Option<Heartbeat<T>>,
    delivered: bool,
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    waker: AtomicWaker,
    ended: watch::Sender<bool>,
}

struct Queue<T> {
    /// The first message, made when it is read.
    beginning: Option<Box<dyn FnOnce() -> T + Send>>,
    /// Boxed, since a queue keeps the room that it once needed: with a thousand bytes for each
    /// message, ten thousand agents would hold half a gigabyte of nothing.
    messages: VecDeque<(Box<T>, usize)>,
    bytes: usize,
    end: Option<End>,
}

/// How the stream ends once the queue is empty.
enum End {
    Well,
    With(Status),
}

struct Heartbeat<T> {
    interval: Interval,
    /// From the first other message to the first heartbeat.
    first: Duration,
    message: fn() -> T,
}

/// A queue, and the two ends of it.
#[must_use]
pub fn outbox<T>() -> (Outbox<T>, Outgoing<T>) {
    let queue = Queue {
        beginning: None,
        messages: VecDeque::new(),
        bytes: 0,
        end: None,
    };
    let shared = Arc::new(Shared {
        queue: Mutex::new(queue),
        waker: AtomicWaker::new(),
        ended: watch::Sender::new(false),
    });
    let outgoing = Outgoing {
        shared: shared.clone(),
        heartbeat: None,
        delivered: false,
    };
    (Outbox { shared }, outgoing)
}

impl<T: prost::Message> Outbox<T> {
    /// Adds a message, or cuts the reader off when too much waits for it already. Messages to a
    /// reader that is gone vanish.
    pub fn push(&self, message: T) {
        let bytes = message.encoded_len();
        self.push_weighing(message, bytes);
    }
}

impl<T> Outbox<T> {
    /// The same for a message of so many bytes.
    pub fn push_weighing(&self, message: T, bytes: usize) {
        let mut queue = self.shared.lock();
        if queue.end.is_some() {
            return;
        }
        let full = queue.messages.len() >= limits::OUTBOX_MESSAGES
            || queue.bytes + bytes > limits::OUTBOX_BYTES;
        if full && !queue.messages.is_empty() {
            let text = format!(
                "reads too slowly: {} messages of {} bytes waited",
                queue.messages.len(),
                queue.bytes
            );
            queue.clear();
            queue.end = Some(End::With(Status::resource_exhausted(text)));
            drop(queue);
            self.shared.ended.send_replace(true);
        } else {
            queue.bytes += bytes;
            queue.messages.push_back((Box::new(message), bytes));
            drop(queue);
        }
        self.shared.waker.wake();
    }

    /// Lets the stream begin with a message that its reader makes, since that takes a while.
    pub fn begin_with(&self, make: impl FnOnce() -> T + Send + 'static) {
        let mut queue = self.shared.lock();
        if queue.end.is_none() {
            queue.beginning = Some(Box::new(make));
        }
        drop(queue);
        self.shared.waker.wake();
    }

    /// Ends the stream after what waits has been read: well, or with a status.
    pub fn end(&self, status: Option<Status>) {
        let mut queue = self.shared.lock();
        if queue.end.is_none() {
            queue.end = Some(status.map_or(End::Well, End::With));
        }
        drop(queue);
        self.shared.ended.send_replace(true);
        self.shared.waker.wake();
    }

    /// Whether nothing more can be written.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        *self.shared.ended.borrow()
    }

    /// Waits until nothing more can be written: the reader is gone or cut off, or the stream ended.
    pub async fn ended(&self) {
        let mut ended = self.shared.ended.subscribe();
        // The sender lives in `self`, so there is no error to come.
        let _ = ended.wait_for(|ended| *ended).await;
    }
}

impl<T> Outgoing<T> {
    /// Sends `message` regularly, from the first other message on.
    #[must_use]
    pub fn with_heartbeat(self, every: Duration, message: fn() -> T) -> Self {
        self.with_early_heartbeat(every, every, message)
    }

    /// The same, with the first of them `first` after the first other message.
    #[must_use]
    pub fn with_early_heartbeat(
        mut self,
        first: Duration,
        every: Duration,
        message: fn() -> T,
    ) -> Self {
        let mut interval = interval_at(Instant::now() + every, every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.heartbeat = Some(Heartbeat {
            interval,
            first,
            message,
        });
        self
    }

    /// The next message or the end, if there is one.
    fn take(&mut self) -> Option<Option<Result<T, Status>>> {
        let mut queue = self.shared.lock();
        if let Some(make) = queue.beginning.take() {
            drop(queue);
            return Some(Some(Ok(make())));
        }
        if let Some((message, bytes)) = queue.messages.pop_front() {
            queue.bytes -= bytes;
            return Some(Some(Ok(*message)));
        }
        match queue.end.as_mut()? {
            End::Well => Some(None),
            end @ End::With(_) => match std::mem::replace(end, End::Well) {
                End::With(status) => Some(Some(Err(status))),
                End::Well => Some(None),
            },
        }
    }
}

impl<T> Stream for Outgoing<T> {
    type Item = Result<T, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.shared.waker.register(context.waker());
        if let Some(next) = this.take() {
            if let Some(heartbeat) = this.heartbeat.as_mut().filter(|_| !this.delivered) {
                heartbeat.interval.reset_after(heartbeat.first);
            }
            this.delivered = true;
            return Poll::Ready(next);
        }
        let Some(heartbeat) = this.heartbeat.as_mut().filter(|_| this.delivered) else {
            return Poll::Pending;
        };
        let message = heartbeat.message;
        heartbeat
            .interval
            .poll_tick(context)
            .map(|_| Some(Ok(message())))
    }
}

impl<T> Unpin for Outgoing<T> {}

impl<T> Drop for Outgoing<T> {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.clear();
        queue.end.get_or_insert(End::Well);
        drop(queue);
        self.shared.ended.send_replace(true);
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        // Nothing that can panic runs while the queue is half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Queue<T> {
    fn clear(&mut self) {
        self.beginning = None;
        self.messages = VecDeque::new();
        self.bytes = 0;
    }
}

impl<T> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<T> fmt::Debug for Outgoing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Outbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("ended", &self.is_ended())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};
    use tonic::Code;

    use super::*;

    const HEARTBEAT: Duration = Duration::from_secs(15);

    #[test]
    fn the_room_that_a_queue_keeps_for_a_message_is_small() {
        fn room<T>(_: &VecDeque<T>) -> usize {
            size_of::<T>()
        }
        let (outbox, _outgoing) = outbox::<tepui_proto::v1::scheduler::Event>();
        assert_eq!(room(&outbox.shared.lock().messages), 16);
    }

    #[tokio::test]
    async fn messages_arrive_in_order_and_then_the_end() {
        let (outbox, outgoing) = outbox::<u32>();
        for n in 0..3 {
            outbox.push(n);
        }
        outbox.end(Some(Status::unavailable("stops")));
        outbox.push(9);
        let seen: Vec<_> = outgoing
            .map(|item| item.map_err(|s| s.code()))
            .collect()
            .await;
        assert_eq!(seen, [Ok(0), Ok(1), Ok(2), Err(Code::Unavailable)]);
    }

    #[tokio::test]
    async fn what_its_reader_makes_comes_first() {
        let (outbox, mut outgoing) = outbox::<u32>();
        outbox.push(2);
        outbox.begin_with(|| 1);
        outbox.end(None);
        let mut seen = Vec::new();
        while let Some(item) = outgoing.next().await {
            seen.push(item.unwrap());
        }
        assert_eq!(seen, [1, 2]);
    }

    #[tokio::test]
    async fn a_slow_reader_is_cut_at_the_limit_of_messages() {
        let (outbox, mut outgoing) = outbox::<u32>();
        for n in 0..limits::OUTBOX_MESSAGES {
            outbox.push(n as u32);
        }
        assert!(!outbox.is_ended());
        outbox.push(0);
        outbox.ended().await;
        let status = outgoing.next().await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().contains("16384 messages"), "{status}");
        assert!(outgoing.next().await.is_none());
    }

    #[tokio::test]
    async fn a_slow_reader_is_cut_at_the_limit_of_bytes_but_one_large_message_passes() {
        let (outbox, mut outgoing) = outbox::<Vec<u8>>();
        outbox.push(vec![0; limits::OUTBOX_BYTES + 1]);
        assert!(outgoing.next().await.unwrap().is_ok());
        outbox.push(vec![0; limits::OUTBOX_BYTES / 2]);
        outbox.push(vec![0; limits::OUTBOX_BYTES / 2]);
        assert_eq!(
            outgoing.next().await.unwrap().unwrap_err().code(),
            Code::ResourceExhausted
        );
    }

    #[tokio::test]
    async fn a_reader_that_leaves_ends_the_stream() {
        let (outbox, outgoing) = outbox::<u32>();
        assert!(outbox.ended().now_or_never().is_none());
        drop(outgoing);
        outbox.ended().await;
        outbox.push(1);
    }

    #[tokio::test(start_paused = true)]
    async fn heartbeats_start_after_the_first_message() {
        let (outbox, outgoing) = outbox::<u32>();
        let mut outgoing = outgoing.with_heartbeat(HEARTBEAT, || 7);
        let early = tokio::time::timeout(3 * HEARTBEAT, outgoing.next()).await;
        assert!(early.is_err(), "{early:?}");
        outbox.push(1);
        assert_eq!(outgoing.next().await.unwrap().unwrap(), 1);
        assert_eq!(outgoing.next().await.unwrap().unwrap(), 7);
        let before = Instant::now();
        assert_eq!(outgoing.next().await.unwrap().unwrap(), 7);
        assert_eq!(before.elapsed(), HEARTBEAT);
    }
}
