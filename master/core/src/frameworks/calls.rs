//! The calls of frameworks: who calls, and who does what is asked for.

use tepui_model::{FrameworkId, FrameworkKey};

use super::subscribe::refuse;
use crate::{
    Master,
    calls::{Action, SchedulerCall},
    effects::{Effect, Effects, Ending},
    events::ConnectionId,
    master::Peer,
};

impl Master {
    pub(crate) fn call(
        &mut self,
        connection: ConnectionId,
        call: SchedulerCall,
        effects: &mut Effects,
    ) {
        let subscribed = match self.connections.get(&connection) {
            Some(Peer::Framework(key)) => Some(*key),
            Some(Peer::Agent(_)) => return,
            None => None,
        };
        match (call.action, subscribed) {
            (Action::Subscribe(subscribe), None) => {
                self.subscribe(connection, *subscribe, effects);
            }
            (Action::InvalidSubscription(problem), None) => {
                refuse(connection, problem, effects);
            }
            (Action::Subscribe(_) | Action::InvalidSubscription(_), Some(key)) => {
                let problem = "this stream is subscribed already; open another to fail over";
                self.break_off(key, Ending::NotNow(problem.to_owned()), effects);
            }
            (_, None) => {
                let ending = Ending::NotNow("the first call must be SUBSCRIBE".to_owned());
                effects.push(Effect::EndFramework { connection, ending });
            }
            (action, Some(key)) => match self.check_caller(key, call.framework_id.as_ref()) {
                Ok(()) => self.act(key, action, effects),
                Err(problem) => self.break_off(key, Ending::InvalidCall(problem), effects),
            },
        }
    }

    fn check_caller(&self, key: FrameworkKey, named: Option<&FrameworkId>) -> Result<(), String> {
        let subscribed = self.frameworks.get(key).map(|framework| &framework.id);
        match named {
            Some(named) if subscribed != Some(named) => Err(format!(
                "framework_id: {named} is not the framework that subscribed on this stream"
            )),
            _ => Ok(()),
        }
    }

    fn act(&mut self, key: FrameworkKey, action: Action, effects: &mut Effects) {
        match action {
            Action::Teardown => self.teardown(key, None, effects),
            Action::Accept(accept) => self.accept(key, accept, effects),
            Action::Decline(decline) => self.decline(key, &decline, effects),
            Action::AnswerInverseOffers(answer) => {
                self.answer_inverse_offers(key, &answer, effects);
            }
            Action::Request(asks) => self.request(key, asks, effects),
            Action::Revive(roles) => self.revive(key, &roles, effects),
            Action::Suppress(roles) => self.suppress(key, &roles, effects),
            Action::Kill(kill) => self.kill(key, &kill, effects),
            Action::CallExecutor(call) => self.call_executor(key, call, effects),
            Action::Acknowledge(acknowledge) => self.acknowledge(key, &acknowledge, effects),
            Action::Reconcile(tasks) => self.reconcile(key, &tasks, effects),
            Action::AcknowledgeOperation(acknowledge) => {
                self.acknowledge_operation(key, &acknowledge, effects);
            }
            Action::ReconcileOperations(operations) => {
                self.reconcile_operations(key, &operations, effects);
            }
            Action::UpdateFramework(update) => self.update_framework(key, *update, effects),
            Action::Ignored(what) => effects.warn(format!("ignoring {what}")),
            // Told apart by the caller.
            Action::Subscribe(_) | Action::InvalidSubscription(_) => {}
        }
    }
}
