//! The events of a session, for a framework that has its own loop.

use tokio::sync::mpsc;

use crate::{
    Driver, Error, Event, Options,
    driver::{Acknowledgement, Command},
    limits, session,
};

/// Subscribes, and keeps subscribed until [`Driver::stop`], [`Driver::teardown`] or an error.
///
/// Must be called within a tokio runtime: the session is a task of it. Dropping the [`Events`] ends
/// the session as [`Driver::stop`] does.
pub fn connect(options: Options) -> (Driver, Events) {
    let (commands, obeyed) = mpsc::channel(limits::COMMANDS);
    let (deliver, deliveries) = mpsc::channel(limits::WAITING_EVENTS);
    tokio::spawn(session::Session::new(options, obeyed, deliver).run());
    let driver = Driver::new(commands);
    (
        driver.clone(),
        Events {
            driver,
            deliveries,
            handled: None,
        },
    )
}

/// What goes from the session to the framework.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) event: Result<Event, Error>,
    /// What to acknowledge when the event has been handled.
    pub(crate) acknowledgement: Option<Acknowledgement>,
}

/// The events of one session, in order.
#[derive(Debug)]
pub struct Events {
    driver: Driver,
    deliveries: mpsc::Receiver<Delivery>,
    handled: Option<Acknowledgement>,
}

impl Events {
    /// The next event; `None` when the session ended because it was asked to.
    ///
    /// Asking for the next event says that the one before was handled: an update is acknowledged
    /// then, and not earlier, so that what the framework had not finished comes again after a
    /// crash. May be cancelled, as in `tokio::select!`, without loss.
    ///
    /// # Errors
    /// When the session is over for a reason that no retry mends; it says so once.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        if self.handled.is_some() {
            let permit = self.driver.commands().reserve().await.ok();
            if let (Some(permit), Some(handled)) = (permit, self.handled.take()) {
                permit.send(Command::Handled(handled));
            }
        }
        let delivery = self.deliveries.recv().await?;
        self.handled = delivery.acknowledgement;
        Some(delivery.event)
    }
}
