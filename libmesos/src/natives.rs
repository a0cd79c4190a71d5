//! The names that the JVM looks up, and nothing else: the one file of this crate with unsafe code.
//!
//! What is unsafe is to give a function a name by which others find it. Overloaded methods have
//! their arguments in the name: under a short one, the JVM would take one function for all of them.

#![allow(
    unsafe_code,
    non_snake_case,
    reason = "the JVM looks natives up by names that are made like this"
)]

use std::ffi::c_void;

use jni::{
    JNIEnv, JavaVM,
    objects::{JByteArray, JClass, JObject},
    sys::{JNI_FALSE, JNI_VERSION_1_6, jboolean, jint, jobject},
};

use crate::{
    executor,
    guard::{Fault, guarded},
    scheduler,
};

/// Functions of these names, guarded against panics and errors.
macro_rules! natives {
    ($(fn $name:ident($env:ident, $this:ident $(, $argument:ident: $kind:ty)*) -> $answer:ty $deed:block)*) => {
        $(
            // SAFETY: the name is that of a native method of Mesos' jar, whose signature this is,
            // and nobody else's: nothing but a JVM looks for it, and no library beside Mesos' own,
            // in whose place this one is loaded, has it.
            #[unsafe(no_mangle)]
            extern "system" fn $name(
                mut $env: JNIEnv<'_>,
                $this: JObject<'_>
                $(, $argument: $kind)*
            ) -> $answer {
                guarded(&mut $env, |$env| $deed)
            }
        )*
    };
}

natives! {
    fn Java_org_apache_mesos_MesosSchedulerDriver_initialize(env, this) -> () {
        scheduler::initialize(env, &this)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_finalize(env, this) -> () {
        scheduler::finalize(env, &this)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_start(env, this) -> jobject {
        scheduler::start(env, &this)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_stop(env, this, fails_over: jboolean) -> jobject {
        scheduler::stop(env, &this, fails_over != JNI_FALSE)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_abort(env, this) -> jobject {
        scheduler::abort(env, &this)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_join(env, this) -> jobject {
        scheduler::join(env, &this)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_requestResources(
        env, this, requests: JObject<'_>
    ) -> jobject {
        scheduler::request(env, &this, &requests)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_launchTasks__Lorg_apache_mesos_Protos_00024OfferID_2Ljava_util_Collection_2Lorg_apache_mesos_Protos_00024Filters_2(
        env, this, offer: JObject<'_>, tasks: JObject<'_>, filters: JObject<'_>
    ) -> jobject {
        scheduler::launch_tasks_on(env, &this, &offer, &tasks, &filters)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_launchTasks__Ljava_util_Collection_2Ljava_util_Collection_2Lorg_apache_mesos_Protos_00024Filters_2(
        env, this, offers: JObject<'_>, tasks: JObject<'_>, filters: JObject<'_>
    ) -> jobject {
        scheduler::launch_tasks(env, &this, &offers, &tasks, &filters)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_acceptOffers(
        env, this, offers: JObject<'_>, operations: JObject<'_>, filters: JObject<'_>
    ) -> jobject {
        scheduler::accept_offers(env, &this, &offers, &operations, &filters)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_declineOffer(
        env, this, offer: JObject<'_>, filters: JObject<'_>
    ) -> jobject {
        scheduler::decline_offer(env, &this, &offer, &filters)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_killTask(
        env, this, task: JObject<'_>
    ) -> jobject {
        scheduler::kill_task(env, &this, &task)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_reviveOffers__(env, this) -> jobject {
        scheduler::revive(env, &this, None)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_reviveOffers__Ljava_util_Collection_2(
        env, this, roles: JObject<'_>
    ) -> jobject {
        scheduler::revive(env, &this, Some(&roles))
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_suppressOffers__(env, this) -> jobject {
        scheduler::suppress(env, &this, None)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_suppressOffers__Ljava_util_Collection_2(
        env, this, roles: JObject<'_>
    ) -> jobject {
        scheduler::suppress(env, &this, Some(&roles))
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_acknowledgeStatusUpdate(
        env, this, status: JObject<'_>
    ) -> jobject {
        scheduler::acknowledge(env, &this, &status)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_sendFrameworkMessage(
        env, this, executor: JObject<'_>, agent: JObject<'_>, data: JByteArray<'_>
    ) -> jobject {
        scheduler::message(env, &this, &executor, &agent, data)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_reconcileTasks(
        env, this, statuses: JObject<'_>
    ) -> jobject {
        scheduler::reconcile(env, &this, &statuses)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_updateFramework(
        env, this, framework: JObject<'_>, suppressed: JObject<'_>
    ) -> jobject {
        scheduler::update_framework(env, &this, &framework, &suppressed, None)
    }

    fn Java_org_apache_mesos_MesosSchedulerDriver_updateFrameworkWithConstraints(
        env, this, framework: JObject<'_>, suppressed: JObject<'_>, constraints: JObject<'_>
    ) -> jobject {
        scheduler::update_framework(env, &this, &framework, &suppressed, Some(&constraints))
    }

    fn Java_org_apache_mesos_MesosExecutorDriver_initialize(env, this) -> () {
        executor::initialize(env, &this)
    }

    fn Java_org_apache_mesos_MesosExecutorDriver_finalize(env, this) -> () {
        executor::finalize(env, &this)
    }

    fn Java_org_apache_mesos_MesosExecutorDriver_start(env, this) -> jobject {
        executor::start(env, &this)
    }

    fn Java_org_apache_mesos_MesosExecutorDriver_stop(env, this) -> jobject {
        executor::stop(env, &this)
    }

    fn Java_org_apache_mesos_MesosExecutorDriver_abort(env, this) -> jobject {
        executor::abort(env, &this)
    }

    fn Java_org_apache_mesos_MesosExecutorDriver_join(env, this) -> jobject {
        executor::join(env, &this)
    }

    fn Java_org_apache_mesos_MesosExecutorDriver_sendStatusUpdate(
        env, this, status: JObject<'_>
    ) -> jobject {
        executor::send_update(env, &this, &status)
    }

    fn Java_org_apache_mesos_MesosExecutorDriver_sendFrameworkMessage(
        env, this, data: JByteArray<'_>
    ) -> jobject {
        executor::send_message(env, &this, data)
    }

    // A static method: what it is called on is the class.
    fn Java_org_apache_mesos_MesosNativeLibrary__1version(env, class) -> jobject {
        version(env, &JClass::from(class))
    }
}

/// What a framework keeps in Mesos' replicated log or beside it.
const STATE: &str = "keep the framework's records in a store of its own";

/// The v1 API by way of the library.
const V1: &str = "use MesosSchedulerDriver, or the v1 scheduler API over HTTP";

/// What makes objects of these classes: an exception says why there are none. Under a short name
/// one function is all overloads, and looks at the arguments of none.
macro_rules! missing {
    ($($name:ident: $why:ident;)*) => {
        $(
            // SAFETY: the name is that of native methods of Mesos' jar, and nobody else's. In the
            // calling conventions of JNI, arguments that a function does not take are its caller's
            // to clear away.
            #[unsafe(no_mangle)]
            extern "system" fn $name(mut env: JNIEnv<'_>, _: JObject<'_>) {
                guarded(&mut env, |_| Err::<(), _>(Fault::Missing($why)));
            }
        )*
    };
}

missing! {
    Java_org_apache_mesos_Log_initialize: STATE;
    Java_org_apache_mesos_state_LevelDBState_initialize: STATE;
    Java_org_apache_mesos_state_ZooKeeperState_initialize: STATE;
    Java_org_apache_mesos_state_LogState_initialize: STATE;
    Java_org_apache_mesos_v1_scheduler_V0Mesos_initialize: V1;
    Java_org_apache_mesos_v1_scheduler_V1Mesos_initialize: V1;
}

// An object that was not made is finalized all the same.
natives! {
    fn Java_org_apache_mesos_Log_finalize(_env, _this) -> () {
        Ok(())
    }

    fn Java_org_apache_mesos_state_AbstractState_finalize(_env, _this) -> () {
        Ok(())
    }

    fn Java_org_apache_mesos_state_LogState_finalize(_env, _this) -> () {
        Ok(())
    }

    fn Java_org_apache_mesos_v1_scheduler_V0Mesos_finalize(_env, _this) -> () {
        Ok(())
    }

    fn Java_org_apache_mesos_v1_scheduler_V1Mesos_finalize(_env, _this) -> () {
        Ok(())
    }
}

/// The version of Mesos whose behaviour this is, as Mesos' jar compares it.
const VERSION: [i64; 3] = [1, 11, 0];

/// An object of the class `Version`, which is inside that of the library.
fn version(env: &mut JNIEnv<'_>, _: &JClass<'_>) -> Result<jobject, Fault> {
    let numbers = VERSION.map(Into::into);
    let class = "org/apache/mesos/MesosNativeLibrary$Version";
    Ok(env.new_object(class, "(JJJ)V", &numbers)?.into_raw())
}

/// Called when the JVM has loaded the library: tells Java's side so, which does not by itself.
// SAFETY: the JVM calls the function of this name, and its signature is the one that JNI says.
#[unsafe(no_mangle)]
extern "system" fn JNI_OnLoad(vm: JavaVM, _: *mut c_void) -> jint {
    if let Ok(mut env) = vm.get_env() {
        let class = "org/apache/mesos/MesosNativeLibrary";
        if env
            .set_static_field(class, (class, "loaded", "Z"), true.into())
            .is_err()
        {
            // Loaded by somebody else than Mesos' jar, or by a version without the field.
            let _ = env.exception_clear();
        }
    }
    JNI_VERSION_1_6
}
