//! The callbacks of `org.apache.mesos.Scheduler`.

use jni::JNIEnv;

use super::{core::Callback, driver::Driver};
use crate::{
    context::{Argument, Attended, Callee, Context},
    guard::Fault,
};

/// The messages of which callbacks make objects.
pub(super) const MESSAGES: &[&str] = &[
    "FrameworkID",
    "MasterInfo",
    "Offer",
    "OfferID",
    "TaskStatus",
    "ExecutorID",
    "SlaveID",
];

const SCHEDULER: Callee = Callee {
    field: "scheduler",
    class: "org/apache/mesos/Scheduler",
    driver: "org/apache/mesos/SchedulerDriver",
};

/// One driver, and the way to its object.
#[derive(Debug)]
pub(super) struct Native {
    pub(super) driver: Driver,
    pub(super) java: Context,
}

impl Attended for Native {
    type Callback = Callback;

    fn context(&self) -> &Context {
        &self.java
    }

    fn is_running(&self) -> bool {
        self.driver.is_running()
    }

    fn abort(&self) {
        self.driver.abort();
    }

    fn tell(&self, env: &mut JNIEnv<'_>, callback: &Callback) -> Result<(), Fault> {
        if let Callback::Error(_) = callback {
            self.driver.abort();
        }
        let (name, arguments) = self.arguments(env, callback)?;
        self.java.call(env, &SCHEDULER, name, &arguments)
    }

    fn handled(&self, callback: Callback) {
        if let Callback::Update(status) = callback {
            self.driver.handled(&status);
        }
    }
}

impl Native {
    /// The name of the callback's method, and what it takes beside the driver.
    fn arguments<'local>(
        &self,
        env: &mut JNIEnv<'local>,
        callback: &Callback,
    ) -> Result<(&'static str, Vec<Argument<'local>>), Fault> {
        let java = &self.java;
        Ok(match callback {
            Callback::Registered(id, master) => {
                let id = java.message(env, "FrameworkID", id)?;
                let master = java.message(env, "MasterInfo", &**master)?;
                ("registered", vec![id, master])
            }
            Callback::Reregistered(master) => {
                let master = java.message(env, "MasterInfo", &**master)?;
                ("reregistered", vec![master])
            }
            Callback::Disconnected => ("disconnected", vec![]),
            Callback::Offers(offers) => ("resourceOffers", vec![java.list(env, "Offer", offers)?]),
            Callback::Rescinded(id) => ("offerRescinded", vec![java.message(env, "OfferID", id)?]),
            Callback::Update(status) => {
                let status = java.message(env, "TaskStatus", &**status)?;
                ("statusUpdate", vec![status])
            }
            Callback::Message(message) => {
                let executor = java.message(env, "ExecutorID", &message.executor_id)?;
                let agent = java.message(env, "SlaveID", &message.agent_id)?;
                let data = Argument::of("[B", env.byte_array_from_slice(&message.data)?);
                ("frameworkMessage", vec![executor, agent, data])
            }
            Callback::AgentLost(agent) => ("slaveLost", vec![java.message(env, "SlaveID", agent)?]),
            Callback::ExecutorLost(executor, agent, status) => {
                let executor = java.message(env, "ExecutorID", executor)?;
                let agent = java.message(env, "SlaveID", agent)?;
                (
                    "executorLost",
                    vec![executor, agent, Argument::number(*status)],
                )
            }
            Callback::Error(text) => {
                let text = Argument::of("Ljava/lang/String;", env.new_string(text)?);
                ("error", vec![text])
            }
        })
    }
}
