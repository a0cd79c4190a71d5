//! What the natives of `org.apache.mesos.MesosExecutorDriver` do, and its callbacks.

use std::sync::Arc;

use jni::{
    JNIEnv,
    objects::{JByteArray, JObject},
    sys::jobject,
};

use super::{
    driver::{Driver, Started, Unsent},
    forward::Callback,
};
use crate::{
    context::{Argument, Attended, Callee, Context, attend},
    guard::Fault,
    java,
    lifecycle::Status,
    logs,
    table::Table,
};

/// The messages of which callbacks make objects.
const MESSAGES: &[&str] = &[
    "ExecutorInfo",
    "FrameworkInfo",
    "SlaveInfo",
    "TaskInfo",
    "TaskID",
];

const EXECUTOR: Callee = Callee {
    field: "executor",
    class: "org/apache/mesos/Executor",
    driver: "org/apache/mesos/ExecutorDriver",
};

static NATIVES: Table<Native> = Table::new();

/// One driver, and the way to its object.
#[derive(Debug)]
struct Native {
    driver: Driver,
    java: Context,
}

fn native(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<Arc<Native>, Fault> {
    let number = java::number(env, this)?;
    NATIVES.get(number).ok_or(Fault::NoDriver)
}

fn answer(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    deed: impl FnOnce(&Driver) -> Status,
) -> Result<jobject, Fault> {
    let status = deed(&native(env, this)?.driver);
    java::status(env, status)
}

pub(crate) fn initialize(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<(), Fault> {
    logs::start();
    let native = Native {
        driver: Driver::new(),
        java: Context::new(env, this, MESSAGES)?,
    };
    java::set_number(env, this, NATIVES.insert(Arc::new(native)))
}

pub(crate) fn finalize(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<(), Fault> {
    let number = java::number(env, this)?;
    if let Some(native) = NATIVES.remove(number) {
        native.driver.abort();
    }
    Ok(())
}

pub(crate) fn start(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<jobject, Fault> {
    let native = native(env, this)?;
    match native.driver.start() {
        Started::Now(callbacks) => attend(env, &native, callbacks)?,
        Started::Refused(text) => native.tell(env, &Callback::Error(text))?,
        Started::Before => {}
    }
    java::status(env, native.driver.status())
}

pub(crate) fn stop(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<jobject, Fault> {
    answer(env, this, Driver::stop)
}

pub(crate) fn abort(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<jobject, Fault> {
    answer(env, this, Driver::abort)
}

pub(crate) fn join(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<jobject, Fault> {
    answer(env, this, Driver::join)
}

pub(crate) fn send_update(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    status: &JObject<'_>,
) -> Result<jobject, Fault> {
    let native = native(env, this)?;
    let status = java::message(env, "TaskStatus", status)?;
    if let Err(Unsent(text)) = native.driver.update(status) {
        native.tell(env, &Callback::Error(text))?;
    }
    java::status(env, native.driver.status())
}

pub(crate) fn send_message(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    data: JByteArray<'_>,
) -> Result<jobject, Fault> {
    let data = java::bytes(env, data)?;
    answer(env, this, |driver| driver.message(data))
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
        self.java.call(env, &EXECUTOR, name, &arguments)
    }

    fn handled(&self, callback: Callback) {
        if let Callback::Shutdown(done) = callback {
            // Whoever waited may have been aborted.
            let _ = done.send(());
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
            Callback::Registered(said) => {
                let executor = java.message(env, "ExecutorInfo", &said.executor_info)?;
                let framework = java.message(env, "FrameworkInfo", &said.framework_info)?;
                let agent = java.message(env, "SlaveInfo", &said.agent_info)?;
                ("registered", vec![executor, framework, agent])
            }
            Callback::Reregistered(agent) => {
                let agent = java.message(env, "SlaveInfo", &**agent)?;
                ("reregistered", vec![agent])
            }
            Callback::Disconnected => ("disconnected", vec![]),
            Callback::Launch(task) => {
                let task = java.message(env, "TaskInfo", &**task)?;
                ("launchTask", vec![task])
            }
            Callback::Kill(task) => ("killTask", vec![java.message(env, "TaskID", task)?]),
            Callback::Message(data) => {
                let data = Argument::of("[B", env.byte_array_from_slice(data)?);
                ("frameworkMessage", vec![data])
            }
            Callback::Shutdown(_) => ("shutdown", vec![]),
            Callback::Error(text) => {
                let text = Argument::of("Ljava/lang/String;", env.new_string(text)?);
                ("error", vec![text])
            }
        })
    }
}
