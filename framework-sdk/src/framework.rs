//! The trait by which most frameworks are written, and the loop that calls it.

use async_trait::async_trait;
use tepui_model::{Offer, OfferId, TaskStatus};

use crate::{
    Driver, Error, Event, Failure, InverseOffer, Message, OperationUpdate, Options, Subscription,
    connect,
};

/// What a callback returns. An error ends the session: the update being handled stays
/// unacknowledged and comes again in the framework's next life.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A framework: what it does when something happens. Callbacks run one at a time, in order.
#[async_trait]
pub trait Framework: Send {
    /// The master took the subscription, for the first time or again. Keep
    /// [`Subscription::framework_id`] if the framework is to come back as itself.
    async fn subscribed(&mut self, _driver: &Driver, _subscription: Subscription) -> Outcome {
        Ok(())
    }

    /// Resources to accept or decline. What is neither stays out of everybody's reach until the
    /// master's offer timeout.
    async fn offers(&mut self, driver: &Driver, offers: Vec<Offer>) -> Outcome;

    /// A task changed, or is reported again: at least once, in order per task. It is acknowledged
    /// when this has returned.
    async fn update(&mut self, driver: &Driver, status: TaskStatus) -> Outcome;

    /// An operation that was given an id changed, or is reported again: at least once. It is
    /// acknowledged when this has returned.
    async fn operation(&mut self, _driver: &Driver, _update: OperationUpdate) -> Outcome {
        Ok(())
    }

    /// This offer is gone.
    async fn rescinded(&mut self, _driver: &Driver, _offer: OfferId) -> Outcome {
        Ok(())
    }

    /// Agents will be away: move what runs there, and answer if you like.
    async fn inverse_offers(&mut self, _driver: &Driver, _offers: Vec<InverseOffer>) -> Outcome {
        Ok(())
    }

    /// This inverse offer is gone.
    async fn inverse_rescinded(&mut self, _driver: &Driver, _offer: OfferId) -> Outcome {
        Ok(())
    }

    /// An agent or an executor is gone; the tasks there report for themselves.
    async fn failure(&mut self, _driver: &Driver, _failure: Failure) -> Outcome {
        Ok(())
    }

    /// An executor sent bytes.
    async fn message(&mut self, _driver: &Driver, _message: Message) -> Outcome {
        Ok(())
    }

    /// The connection broke: every offer is void. The session is already connecting again.
    async fn disconnected(&mut self, _driver: &Driver, _reason: String) -> Outcome {
        Ok(())
    }

    /// The session is over and [`run`] is about to return this.
    async fn error(&mut self, _driver: &Driver, _error: &Error) {}
}

/// Subscribes and calls `framework` until it stops, tears itself down, or cannot go on.
///
/// # Errors
/// [`Error::Ended`] when the master ends the framework, [`Error::Framework`] when a callback fails.
/// An unreachable master is no error: it is tried again for ever.
pub async fn run(options: Options, framework: &mut impl Framework) -> Result<(), Error> {
    let (driver, mut events) = connect(options);
    while let Some(event) = events.next().await {
        let outcome = match event {
            Ok(event) => handle(framework, &driver, event)
                .await
                .map_err(Error::Framework),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            framework.error(&driver, &error).await;
            return Err(error);
        }
    }
    Ok(())
}

async fn handle(framework: &mut impl Framework, driver: &Driver, event: Event) -> Outcome {
    match event {
        Event::Subscribed(subscription) => framework.subscribed(driver, subscription).await,
        Event::Offers(offers) => framework.offers(driver, offers).await,
        Event::Rescinded(offer) => framework.rescinded(driver, offer).await,
        Event::InverseOffers(offers) => framework.inverse_offers(driver, offers).await,
        Event::InverseRescinded(offer) => framework.inverse_rescinded(driver, offer).await,
        Event::Update(status) => framework.update(driver, status).await,
        Event::Operation(update) => framework.operation(driver, update).await,
        Event::Failure(failure) => framework.failure(driver, failure).await,
        Event::Message(message) => framework.message(driver, message).await,
        Event::Disconnected(reason) => framework.disconnected(driver, reason).await,
    }
}
