//! The task that owns the core: it alone turns what happened into effects, in batches.

use tepui_edge::Clock;
use tepui_master_core::{
    ConnectionId, Effect, Effects, Event, Master, OperatorCall, RequestId, Sampling,
};
use tepui_store::Batch;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use crate::{
    desk::metrics::Tally,
    dispatch::{Peer, Waiting},
    limits, registry,
};

/// What the rest of the server says to the core.
#[derive(Debug)]
pub(crate) enum Input {
    /// A stream begins, with its first message.
    Open {
        connection: ConnectionId,
        peer: Peer,
        event: Event,
    },
    /// A message on a stream.
    Event(Event),
    /// A stream is over.
    Close {
        connection: ConnectionId,
        event: Event,
    },
    /// An operator asks.
    Ask {
        call: OperatorCall,
        waiting: Waiting,
    },
    /// Somebody wants to know whether inputs come through.
    Probe(oneshot::Sender<()>),
}

/// What follows from a batch of inputs: what must be durable first, and then, in order, the rest.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) writes: Batch,
    pub(crate) steps: Vec<Step>,
}

/// One thing to do once the writes are durable.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are effects")]
pub(crate) enum Step {
    /// What the core says to this connection goes to this peer from now on.
    Open(ConnectionId, Peer),
    /// There is nobody at this connection any more.
    Close(ConnectionId),
    /// This one waits for the reply to the request.
    Expect(RequestId, Waiting),
    /// This one wants to know that it came this far.
    Probe(oneshot::Sender<()>),
    /// An effect of the core, but none to persist.
    Do(Effect),
}

/// The owner of the core.
pub(crate) struct Driver {
    master: Master,
    clock: Clock,
    inbox: mpsc::Receiver<Input>,
    works: mpsc::Sender<Work>,
    effects: Effects,
    requests: u64,
    checked: Instant,
    sampling: Sampling,
    tally: Tally,
}

impl Driver {
    pub(crate) fn new(
        master: Master,
        clock: Clock,
        inbox: mpsc::Receiver<Input>,
        works: mpsc::Sender<Work>,
        tally: Tally,
    ) -> Self {
        Self {
            master,
            clock,
            inbox,
            works,
            effects: Effects::new(),
            requests: 0,
            checked: Instant::now(),
            sampling: Sampling::default(),
            tally,
        }
    }

    /// Runs until `stop` is told or dropped, then does what is in the inbox and ends. Ends at once
    /// when nobody takes its work any more.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut inputs = Vec::with_capacity(limits::BATCH_EVENTS);
        loop {
            let deadline = self.master.next_wake().map(|time| self.clock.instant(time));
            let deadline = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = &mut stop, if !self.inbox.is_closed() => self.inbox.close(),
                count = self.inbox.recv_many(&mut inputs, limits::BATCH_EVENTS) => {
                    if count == 0 {
                        return;
                    }
                }
                () = deadline => {}
            }
            let work = self.batch(&mut inputs);
            if self.works.send(work).await.is_err() {
                return;
            }
            self.check();
        }
    }

    /// Applies the inputs, and then lets the core do what is due.
    fn batch(&mut self, inputs: &mut Vec<Input>) -> Work {
        let mut work = Work::default();
        for input in inputs.drain(..) {
            self.take(input, &mut work);
        }
        if self
            .master
            .next_wake()
            .is_some_and(|due| due <= self.clock.now())
        {
            self.apply(Event::Wake, &mut work);
        }
        work
    }

    /// Looks now and then whether the core's tables agree, at a part of them each time; under test
    /// at all after every batch.
    fn check(&mut self) {
        if !cfg!(test) && self.checked.elapsed() < limits::CHECK_EVERY {
            return;
        }
        self.checked = Instant::now();
        let most = if cfg!(test) {
            usize::MAX
        } else {
            limits::CHECK_THINGS
        };
        if let Err(violation) = self.master.check_some(&mut self.sampling, most) {
            tracing::error!(%violation, "the state contradicts itself: a bug, please report it");
            #[cfg(test)]
            panic!("{violation}");
        }
    }

    fn take(&mut self, input: Input, work: &mut Work) {
        match input {
            Input::Open {
                connection,
                peer,
                event,
            } => {
                work.steps.push(Step::Open(connection, peer));
                self.hear(event, work);
            }
            Input::Event(event) => self.hear(event, work),
            Input::Probe(probe) => work.steps.push(Step::Probe(probe)),
            Input::Close { connection, event } => {
                self.apply(event, work);
                work.steps.push(Step::Close(connection));
            }
            Input::Ask { call, waiting } => {
                self.requests += 1;
                let request = RequestId(self.requests);
                work.steps.push(Step::Expect(request, waiting));
                self.apply(Event::Operator { request, call }, work);
            }
        }
    }

    fn hear(&mut self, event: Event, work: &mut Work) {
        if let Event::Call { connection, call } = &event {
            self.tally.traffic.call(*connection, call);
        }
        self.apply(event, work);
    }

    fn apply(&mut self, event: Event, work: &mut Work) {
        let (began, runs) = (Instant::now(), self.master.allocation_runs());
        self.master
            .apply(self.clock.now(), event, &mut self.effects);
        if self.master.allocation_runs() != runs {
            let took = began.elapsed();
            self.tally.allocated.add(took.as_secs_f64() * 1000.0);
        }
        for effect in self.effects.drain() {
            match effect {
                Effect::Persist(change) => registry::stage(change, &mut work.writes),
                effect => work.steps.push(Step::Do(effect)),
            }
        }
    }
}
