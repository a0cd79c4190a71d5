//! What the natives of `org.apache.mesos.MesosSchedulerDriver` do.

use std::{collections::BTreeSet, sync::Arc};

use jni::{
    JNIEnv,
    objects::{JByteArray, JObject, JString},
    sys::jobject,
};
use tepui_sdk::v1::{self, scheduler::OfferConstraints};

use super::{
    callbacks::{MESSAGES, Native},
    calls,
    core::{Callback, Terms},
    driver::{Driver, Started},
};
use crate::{
    context::{Attended, Context, attend},
    guard::Fault,
    java,
    lifecycle::Status,
    logs,
    table::Table,
};

static NATIVES: Table<Native> = Table::new();

fn native(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<Arc<Native>, Fault> {
    let number = java::number(env, this)?;
    NATIVES.get(number).ok_or(Fault::NoDriver)
}

/// What a native method that answers with a status does.
fn answer(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    deed: impl FnOnce(&mut JNIEnv<'_>, &Driver) -> Result<Status, Fault>,
) -> Result<jobject, Fault> {
    let native = native(env, this)?;
    let status = deed(env, &native.driver)?;
    java::status(env, status)
}

pub(crate) fn initialize(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<(), Fault> {
    logs::start();
    let terms = Terms {
        framework: framework(env, this)?,
        suppressed: match java::field(env, this, "suppressedRoles", "java/util/Collection")? {
            Some(roles) => java::texts(env, &roles)?.into_iter().collect(),
            None => BTreeSet::new(),
        },
        constraints: None,
    };
    let master = java::field(env, this, "master", "java/lang/String")?;
    let master = master.ok_or(Fault::NoDriver)?;
    let master = env.get_string(&JString::from(master))?.into();
    let implicit = env.get_field(this, "implicitAcknowledgements", "Z");
    let implicit = match implicit {
        Ok(value) => value.z()?,
        Err(_) => {
            env.exception_clear()?;
            true
        }
    };
    let credential = "org/apache/mesos/Protos$Credential";
    if java::field(env, this, "credential", credential)?.is_some() {
        tracing::warn!("Tepui's masters do not ask for credentials yet: this one is not sent");
    }
    let native = Native {
        driver: Driver::new(terms, master, implicit),
        java: Context::new(env, this, MESSAGES)?,
    };
    java::set_number(env, this, NATIVES.insert(Arc::new(native)))
}

/// What the framework says of itself, with what Mesos' driver fills in.
fn framework(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<v1::FrameworkInfo, Fault> {
    let class = "org/apache/mesos/Protos$FrameworkInfo";
    let object = java::field(env, this, "framework", class)?.ok_or(Fault::NoDriver)?;
    let mut framework: v1::FrameworkInfo = java::message(env, "FrameworkInfo", &object)?;
    if framework.user.is_empty() {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
        framework.user = user.ok().flatten().map_or("root".to_owned(), |it| it.name);
    }
    if framework.hostname().is_empty() {
        let name = nix::unistd::gethostname().ok();
        framework.hostname = name.and_then(|it| it.into_string().ok());
    }
    // An empty id is none: the master gives one.
    framework.id = framework.id.filter(|it| !it.value.is_empty());
    Ok(framework)
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
        Started::Now(callbacks) => {
            attend(env, &native, callbacks)?;
        }
        Started::Refused(text) => native.tell(env, &Callback::Error(text))?,
        Started::Before => {}
    }
    java::status(env, native.driver.status())
}

pub(crate) fn stop(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    fails_over: bool,
) -> Result<jobject, Fault> {
    answer(env, this, |_, driver| Ok(driver.stop(fails_over)))
}

pub(crate) fn abort(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<jobject, Fault> {
    answer(env, this, |_, driver| Ok(driver.abort()))
}

pub(crate) fn join(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<jobject, Fault> {
    answer(env, this, |_, driver| Ok(driver.join()))
}

pub(crate) fn request(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    requests: &JObject<'_>,
) -> Result<jobject, Fault> {
    answer(env, this, |env, driver| {
        let requests = java::messages(env, "Request", requests)?;
        Ok(driver.call(calls::request(requests)))
    })
}

/// `launchTasks` on one offer.
pub(crate) fn launch_tasks_on(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    offer: &JObject<'_>,
    tasks: &JObject<'_>,
    filters: &JObject<'_>,
) -> Result<jobject, Fault> {
    answer(env, this, |env, driver| {
        let offers = vec![java::message(env, "OfferID", offer)?];
        let operations = vec![calls::launch(java::messages(env, "TaskInfo", tasks)?)];
        let filters = java::message(env, "Filters", filters)?;
        Ok(driver.call(calls::accept(offers, operations, filters)))
    })
}

/// `launchTasks` on several offers.
pub(crate) fn launch_tasks(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    offers: &JObject<'_>,
    tasks: &JObject<'_>,
    filters: &JObject<'_>,
) -> Result<jobject, Fault> {
    answer(env, this, |env, driver| {
        let offers = java::messages(env, "OfferID", offers)?;
        let operations = vec![calls::launch(java::messages(env, "TaskInfo", tasks)?)];
        let filters = java::message(env, "Filters", filters)?;
        Ok(driver.call(calls::accept(offers, operations, filters)))
    })
}

pub(crate) fn accept_offers(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    offers: &JObject<'_>,
    operations: &JObject<'_>,
    filters: &JObject<'_>,
) -> Result<jobject, Fault> {
    answer(env, this, |env, driver| {
        let offers = java::messages(env, "OfferID", offers)?;
        let operations = java::messages(env, "Offer.Operation", operations)?;
        let filters = java::message(env, "Filters", filters)?;
        Ok(driver.call(calls::accept(offers, operations, filters)))
    })
}

pub(crate) fn decline_offer(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    offer: &JObject<'_>,
    filters: &JObject<'_>,
) -> Result<jobject, Fault> {
    answer(env, this, |env, driver| {
        let offer = java::message(env, "OfferID", offer)?;
        let filters = java::message(env, "Filters", filters)?;
        Ok(driver.call(calls::decline(offer, filters)))
    })
}

pub(crate) fn kill_task(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    task: &JObject<'_>,
) -> Result<jobject, Fault> {
    answer(env, this, |env, driver| {
        let task = java::message(env, "TaskID", task)?;
        Ok(driver.call(calls::kill(task)))
    })
}

/// `reviveOffers`, of all roles when there is no collection of them.
pub(crate) fn revive(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    roles: Option<&JObject<'_>>,
) -> Result<jobject, Fault> {
    answer(env, this, |env, driver| {
        Ok(match named(env, roles)? {
            Some(roles) => driver.call(calls::revive(roles)),
            None => driver.status(),
        })
    })
}

/// `suppressOffers`, of all roles when there is no collection of them.
pub(crate) fn suppress(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    roles: Option<&JObject<'_>>,
) -> Result<jobject, Fault> {
    answer(env, this, |env, driver| {
        Ok(match named(env, roles)? {
            Some(roles) => driver.call(calls::suppress(roles)),
            None => driver.status(),
        })
    })
}

/// The roles that a call is about: none for all. `None` for a collection without any, which asks
/// for nothing (Mesos: the call with roles is another than that without).
fn named(env: &mut JNIEnv<'_>, roles: Option<&JObject<'_>>) -> Result<Option<Vec<String>>, Fault> {
    let Some(roles) = roles else {
        return Ok(Some(Vec::new()));
    };
    let roles = java::texts(env, roles)?;
    Ok(Some(roles).filter(|it| !it.is_empty()))
}

pub(crate) fn acknowledge(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    status: &JObject<'_>,
) -> Result<jobject, Fault> {
    answer(env, this, |env, driver| {
        let status = java::message(env, "TaskStatus", status)?;
        driver.acknowledge(&status)
    })
}

pub(crate) fn message(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    executor: &JObject<'_>,
    agent: &JObject<'_>,
    data: JByteArray<'_>,
) -> Result<jobject, Fault> {
    answer(env, this, |env, driver| {
        let executor = java::message(env, "ExecutorID", executor)?;
        let agent = java::message(env, "SlaveID", agent)?;
        let data = java::bytes(env, data)?;
        Ok(driver.call(calls::message(executor, agent, data)))
    })
}

pub(crate) fn reconcile(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    statuses: &JObject<'_>,
) -> Result<jobject, Fault> {
    answer(env, this, |env, driver| {
        let statuses = java::messages(env, "TaskStatus", statuses)?;
        Ok(driver.call(calls::reconcile(statuses)))
    })
}

pub(crate) fn update_framework(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    framework: &JObject<'_>,
    suppressed: &JObject<'_>,
    constraints: Option<&JObject<'_>>,
) -> Result<jobject, Fault> {
    answer(env, this, |env, driver| {
        let constraints = constraints.filter(|it| !it.is_null());
        let constraints = constraints.map(|it| java::message(env, "OfferConstraints", it));
        let constraints: Option<OfferConstraints> = constraints.transpose()?;
        Ok(driver.update(Terms {
            framework: java::message(env, "FrameworkInfo", framework)?,
            suppressed: java::texts(env, suppressed)?.into_iter().collect(),
            constraints,
        }))
    })
}
