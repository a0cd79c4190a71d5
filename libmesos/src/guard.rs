//! The border: what goes wrong in Rust becomes an exception of Java, and no panic crosses.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use jni::JNIEnv;

/// Why a native method did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the JVM does not do as libmesos asks: {0}")]
    Java(#[from] jni::errors::Error),
    #[error("a message of the type {kind} cannot be read: {cause}")]
    Message {
        kind: &'static str,
        cause: prost::DecodeError,
    },
    #[error("the driver was not initialized, or is finalized")]
    NoDriver,
    #[error(
        "acknowledgeStatusUpdate is for drivers that were made with implicitAcknowledgements = false: this one acknowledges by itself"
    )]
    Implicit,
    #[error("{0}")]
    System(String),
    #[error("Tepui's libmesos does not have this: {0}")]
    Missing(&'static str),
}

/// Does `deed`; should it fail, Java sees an exception, and nothing is returned.
pub(crate) fn guarded<'local, T: Default>(
    env: &mut JNIEnv<'local>,
    deed: impl FnOnce(&mut JNIEnv<'local>) -> Result<T, Fault>,
) -> T {
    let done = catch_unwind(AssertUnwindSafe(|| deed(env)));
    let (class, text) = match done {
        Ok(Ok(value)) => return value,
        Ok(Err(Fault::Java(jni::errors::Error::NullPtr(_)))) => (
            "java/lang/NullPointerException",
            "an argument of the driver's method is null".to_owned(),
        ),
        Ok(Err(fault @ Fault::Missing(_))) => {
            let class = "java/lang/UnsupportedOperationException";
            (class, fault.to_string())
        }
        Ok(Err(fault)) => ("java/lang/IllegalStateException", fault.to_string()),
        Err(panic) => (
            "java/lang/InternalError",
            format!("libmesos is broken: {}", words(&*panic)),
        ),
    };
    // What Java threw itself says more.
    if !env.exception_check().unwrap_or(true) {
        // A JVM that cannot throw has no memory left, and says so by itself.
        let _ = env.throw_new(class, text);
    }
    T::default()
}

/// What a panic said.
pub(crate) fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given")
}
