//! The thread of Java's on which a driver calls back.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use jni::{
    JNIEnv, JavaVM,
    objects::{GlobalRef, JObject, JValue, JValueOwned, WeakRef},
};
use prost::Message;
use tokio::sync::mpsc::Receiver;

use crate::{
    guard::{Fault, words},
    java::Classes,
    limits,
};

/// A driver whose callbacks are made.
pub(crate) trait Attended: Send + Sync + 'static {
    /// What there is to tell.
    type Callback: Send + 'static;

    fn context(&self) -> &Context;
    fn is_running(&self) -> bool;
    fn abort(&self);
    /// Calls the object of the framework. An error when it threw.
    fn tell(&self, env: &mut JNIEnv<'_>, callback: &Self::Callback) -> Result<(), Fault>;
    /// The callback returned in good order.
    fn handled(&self, callback: Self::Callback);
}

/// Whom callbacks are for: the field of the driver that has the object, the object's class, and
/// that by which it knows the driver.
pub(crate) struct Callee {
    pub(crate) field: &'static str,
    pub(crate) class: &'static str,
    pub(crate) driver: &'static str,
}

/// One argument of a callback, beside the driver.
pub(crate) struct Argument<'local> {
    kind: String,
    value: JValueOwned<'local>,
}

impl<'local> Argument<'local> {
    /// An object of that type.
    pub(crate) fn of(kind: impl Into<String>, object: impl Into<JObject<'local>>) -> Self {
        Self {
            kind: kind.into(),
            value: JValueOwned::Object(object.into()),
        }
    }

    pub(crate) fn number(number: i32) -> Self {
        Self {
            kind: "I".to_owned(),
            value: JValueOwned::Int(number),
        }
    }
}

/// What a native driver needs to call into Java, from whichever thread.
pub(crate) struct Context {
    classes: Classes,
    vm: JavaVM,
    /// Weak: a driver that nobody else holds is finalized, which ends its session.
    driver: WeakRef,
}

impl Context {
    pub(crate) fn new(
        env: &mut JNIEnv<'_>,
        this: &JObject<'_>,
        messages: &'static [&'static str],
    ) -> Result<Self, Fault> {
        Ok(Self {
            classes: Classes::find(env, messages)?,
            vm: env.get_java_vm()?,
            driver: env.new_weak_ref(this)?.ok_or(Fault::NoDriver)?,
        })
    }

    /// Makes this thread one of Java's, until it ends. The JVM does not wait for it when it exits.
    fn attach(&self, loader: Option<&GlobalRef>) -> Result<JNIEnv<'_>, Fault> {
        let mut env = self.vm.attach_current_thread_as_daemon()?;
        if let Some(loader) = loader {
            let thread = this_thread(&mut env)?;
            let signature = "(Ljava/lang/ClassLoader;)V";
            let arguments = [JValue::Object(loader.as_obj())];
            env.call_method(&thread, "setContextClassLoader", signature, &arguments)?;
        }
        Ok(env)
    }

    /// A message as an argument, of the class of that name.
    pub(crate) fn message<'local>(
        &self,
        env: &mut JNIEnv<'local>,
        name: &'static str,
        message: &impl Message,
    ) -> Result<Argument<'local>, Fault> {
        let object = self.classes.object(env, name, message)?;
        Ok(Argument::of(
            format!("Lorg/apache/mesos/Protos${name};"),
            object,
        ))
    }

    /// Messages as an argument: a list of objects of the class of that name.
    pub(crate) fn list<'local>(
        &self,
        env: &mut JNIEnv<'local>,
        name: &'static str,
        messages: &[impl Message],
    ) -> Result<Argument<'local>, Fault> {
        let list = self.classes.list(env, name, messages)?;
        Ok(Argument::of("Ljava/util/List;", list))
    }

    /// Calls a method of whom callbacks are for. An error when it threw, and when nobody holds the
    /// driver any more.
    pub(crate) fn call(
        &self,
        env: &mut JNIEnv<'_>,
        callee: &Callee,
        method: &str,
        arguments: &[Argument<'_>],
    ) -> Result<(), Fault> {
        let driver = self.driver.upgrade_local(env)?.ok_or(Fault::NoDriver)?;
        let object = env.get_field(&driver, callee.field, format!("L{};", callee.class))?;
        let object = object.l()?;
        let kinds: String = arguments.iter().map(|it| it.kind.as_str()).collect();
        let signature = format!("(L{};{kinds})V", callee.driver);
        let mut values = vec![JValue::Object(&driver)];
        values.extend(arguments.iter().map(|it| it.value.borrow()));
        env.call_method(&object, method, signature, &values)?;
        Ok(())
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Context").field(&self.classes).finish()
    }
}

/// Calls back on a thread of its own, one callback after the other, until the session is over.
pub(crate) fn attend<A: Attended>(
    env: &mut JNIEnv<'_>,
    attended: &Arc<A>,
    callbacks: Receiver<A::Callback>,
) -> Result<(), Fault> {
    let loader = loader(env)?;
    let by_thread = Arc::clone(attended);
    let deed = move || {
        let (attended, loader) = (&*by_thread, loader.as_ref());
        let done = catch_unwind(AssertUnwindSafe(|| tell_all(attended, loader, callbacks)));
        match done {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => tracing::error!(%fault, "there are no callbacks any more"),
            Err(panic) => tracing::error!(panic = words(&*panic), "libmesos is broken"),
        }
        attended.abort();
    };
    let begun = thread::Builder::new()
        .name("mesos-callbacks".to_owned())
        .spawn(deed);
    begun.map(drop).map_err(|error| {
        attended.abort();
        Fault::System(format!("no thread for callbacks: {error}"))
    })
}

fn tell_all<A: Attended>(
    attended: &A,
    loader: Option<&GlobalRef>,
    mut callbacks: Receiver<A::Callback>,
) -> Result<(), Fault> {
    let mut env = attended.context().attach(loader)?;
    while let Some(callback) = callbacks.blocking_recv() {
        if !attended.is_running() {
            continue;
        }
        let told = env.with_local_frame(limits::LOCAL_REFERENCES, |env| {
            attended.tell(env, &callback)
        });
        match told {
            Ok(()) => attended.handled(callback),
            Err(fault) => {
                print_exception(&env);
                tracing::error!(%fault, "a callback failed: the driver is aborted");
                attended.abort();
            }
        }
    }
    Ok(())
}

/// The loader by which the thread that starts a driver finds classes: callbacks find them by the
/// same, as they would if that thread made them.
fn loader(env: &mut JNIEnv<'_>) -> Result<Option<GlobalRef>, Fault> {
    let thread = this_thread(env)?;
    let signature = "()Ljava/lang/ClassLoader;";
    let loader = env.call_method(&thread, "getContextClassLoader", signature, &[])?;
    let loader = loader.l()?;
    if loader.is_null() {
        return Ok(None);
    }
    Ok(Some(env.new_global_ref(loader)?))
}

fn this_thread<'local>(env: &mut JNIEnv<'local>) -> Result<JObject<'local>, Fault> {
    let signature = "()Ljava/lang/Thread;";
    let thread = env.call_static_method("java/lang/Thread", "currentThread", signature, &[])?;
    Ok(thread.l()?)
}

/// Prints what Java threw, if it did, and goes on without it.
fn print_exception(env: &JNIEnv<'_>) {
    if env.exception_check().unwrap_or(false) {
        // Both are calls that cannot fail.
        let _ = env.exception_describe();
        let _ = env.exception_clear();
    }
}
