//! Messages and values on their way between Java and Rust.

use std::collections::HashMap;

use jni::{
    JNIEnv,
    objects::{GlobalRef, JByteArray, JClass, JObject, JObjectArray, JString, JValue},
    sys::jobject,
};
use prost::Message;

use crate::{guard::Fault, lifecycle::Status};

/// Classes of messages, found while Java's own code is on the stack: a thread that was attached
/// later finds only those of the JVM itself.
pub(crate) struct Classes(HashMap<&'static str, GlobalRef>);

impl Classes {
    /// Finds `org.apache.mesos.Protos.NAME` of each name.
    pub(crate) fn find(
        env: &mut JNIEnv<'_>,
        names: &'static [&'static str],
    ) -> Result<Self, Fault> {
        let mut classes = HashMap::new();
        for name in names {
            let class = env.find_class(format!("org/apache/mesos/Protos${name}"))?;
            classes.insert(*name, env.new_global_ref(class)?);
        }
        Ok(Self(classes))
    }

    /// The message as an object of the class of that name.
    pub(crate) fn object<'local>(
        &self,
        env: &mut JNIEnv<'local>,
        name: &'static str,
        message: &impl Message,
    ) -> Result<JObject<'local>, Fault> {
        let class = self.0.get(name).ok_or(Fault::NoDriver)?;
        let class: &JClass<'_> = class.as_obj().into();
        let bytes = env.byte_array_from_slice(&message.encode_to_vec())?;
        let signature = format!("([B)Lorg/apache/mesos/Protos${name};");
        let arguments = [JValue::Object(&bytes)];
        let parsed = env.call_static_method(class, "parseFrom", signature, &arguments)?;
        Ok(parsed.l()?)
    }

    /// A list of such objects.
    pub(crate) fn list<'local>(
        &self,
        env: &mut JNIEnv<'local>,
        name: &'static str,
        messages: &[impl Message],
    ) -> Result<JObject<'local>, Fault> {
        let size = i32::try_from(messages.len()).unwrap_or(i32::MAX);
        let list = env.new_object("java/util/ArrayList", "(I)V", &[size.into()])?;
        for message in messages {
            let object = self.object(env, name, message)?;
            // References are few; the list has its own.
            let object = env.auto_local(object);
            let arguments = [JValue::Object(&object)];
            env.call_method(&list, "add", "(Ljava/lang/Object;)Z", &arguments)?;
        }
        Ok(list)
    }
}

impl std::fmt::Debug for Classes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Reads a message from its object.
pub(crate) fn message<M: Message + Default>(
    env: &mut JNIEnv<'_>,
    kind: &'static str,
    object: &JObject<'_>,
) -> Result<M, Fault> {
    let array = env.call_method(object, "toByteArray", "()[B", &[])?.l()?;
    let array = env.auto_local(JByteArray::from(array));
    let bytes = env.convert_byte_array(&*array)?;
    M::decode(bytes.as_slice()).map_err(|cause| Fault::Message { kind, cause })
}

/// Reads every message of a collection.
pub(crate) fn messages<M: Message + Default>(
    env: &mut JNIEnv<'_>,
    kind: &'static str,
    collection: &JObject<'_>,
) -> Result<Vec<M>, Fault> {
    each(env, collection, |env, object| message(env, kind, object))
}

/// Reads every text of a collection.
pub(crate) fn texts(env: &mut JNIEnv<'_>, collection: &JObject<'_>) -> Result<Vec<String>, Fault> {
    each(env, collection, |env, object| {
        let text: &JString<'_> = object.into();
        Ok(env.get_string(text)?.into())
    })
}

fn each<T>(
    env: &mut JNIEnv<'_>,
    collection: &JObject<'_>,
    read: impl Fn(&mut JNIEnv<'_>, &JObject<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let array = env.call_method(collection, "toArray", "()[Ljava/lang/Object;", &[])?;
    let array = JObjectArray::from(array.l()?);
    let mut values = Vec::new();
    for index in 0..env.get_array_length(&array)? {
        let object = env.get_object_array_element(&array, index)?;
        let object = env.auto_local(object);
        values.push(read(env, &object)?);
    }
    Ok(values)
}

/// The bytes of an array.
pub(crate) fn bytes(env: &mut JNIEnv<'_>, array: JByteArray<'_>) -> Result<Vec<u8>, Fault> {
    if array.is_null() {
        return Err(jni::errors::Error::NullPtr("the data").into());
    }
    Ok(env.convert_byte_array(array)?)
}

/// A field that is there in some versions of the jar only; `None` also when it is null.
pub(crate) fn field<'local>(
    env: &mut JNIEnv<'local>,
    this: &JObject<'_>,
    name: &str,
    class: &str,
) -> Result<Option<JObject<'local>>, Fault> {
    match env.get_field(this, name, format!("L{class};")) {
        Ok(value) => Ok(Some(value.l()?).filter(|it| !it.is_null())),
        Err(_) => {
            env.exception_clear()?;
            Ok(None)
        }
    }
}

/// The number that Java holds of the driver.
pub(crate) fn number(env: &mut JNIEnv<'_>, this: &JObject<'_>) -> Result<i64, Fault> {
    Ok(env.get_field(this, "__driver", "J")?.j()?)
}

/// Gives Java the number to hold.
pub(crate) fn set_number(
    env: &mut JNIEnv<'_>,
    this: &JObject<'_>,
    number: i64,
) -> Result<(), Fault> {
    Ok(env.set_field(this, "__driver", "J", number.into())?)
}

/// The status as Java's enum has it.
pub(crate) fn status(env: &mut JNIEnv<'_>, status: Status) -> Result<jobject, Fault> {
    let signature = "(I)Lorg/apache/mesos/Protos$Status;";
    let arguments = [JValue::Int(status as i32)];
    let class = "org/apache/mesos/Protos$Status";
    let value = env.call_static_method(class, "valueOf", signature, &arguments)?;
    Ok(value.l()?.into_raw())
}
