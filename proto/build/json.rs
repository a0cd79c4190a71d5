//! Derives the JSON form of every message from its descriptor: which serde attribute each field
//! gets and the functions and trait implementations that those attributes name.
//!
//! The form is that of Mesos' own converter: keys as in the `.proto` file, enums by name, 64-bit
//! integers as numbers, bytes in base64; unset fields and empty lists are left out, but an unset
//! field with an explicit default that is not deprecated prints the default.

use std::fmt::Write;

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto,
    FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use tonic_prost_build::Builder;

/// Attributes to attach to the generated code, and code that they refer to.
#[derive(Default)]
pub(crate) struct Mapping {
    messages: Vec<String>,
    oneofs: Vec<String>,
    fields: Vec<(String, String)>,
    code: String,
    /// The syntax of the file that is being walked.
    proto3: bool,
}

impl Mapping {
    /// Walks every file of the set.
    pub(crate) fn of(descriptors: &FileDescriptorSet) -> Self {
        let mut mapping = Self::default();
        let ours = |file: &&FileDescriptorProto| !file.package().starts_with("google.");
        for file in descriptors.file.iter().filter(ours) {
            mapping.proto3 = file.syntax() == "proto3";
            file.enum_type
                .iter()
                .for_each(|it| mapping.add_enum(file.package(), it));
            file.message_type
                .iter()
                .for_each(|it| mapping.add_message(file.package(), it));
        }
        mapping
    }

    /// The functions and implementations that the attributes name.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// Tells the code generator about every attribute.
    pub(crate) fn attach(&self, builder: Builder) -> Builder {
        let serialize = "#[derive(serde::Serialize)]";
        let snake = "#[derive(serde::Serialize)] #[serde(rename_all = \"snake_case\")]";
        let builder = self
            .messages
            .iter()
            .fold(builder, |it, path| it.message_attribute(path, serialize));
        let builder = self
            .oneofs
            .iter()
            .fold(builder, |it, path| it.enum_attribute(path, snake));
        self.fields.iter().fold(builder, |it, (path, attribute)| {
            it.field_attribute(path, attribute)
        })
    }

    fn add_enum(&mut self, scope: &str, it: &EnumDescriptorProto) {
        let path = rust_path(&format!(".{scope}.{}", it.name()));
        let _ = writeln!(
            self.code,
            "impl crate::json::EnumName for {path} {{ fn name(number: i32) -> Option<&'static str> \
             {{ Self::try_from(number).ok().map(|it| it.as_str_name()) }} }}"
        );
    }

    fn add_message(&mut self, scope: &str, it: &DescriptorProto) {
        if it
            .options
            .as_ref()
            .is_some_and(prost_types::MessageOptions::map_entry)
        {
            return;
        }
        let full = format!("{scope}.{}", it.name());
        self.messages.push(full.clone());
        it.enum_type
            .iter()
            .for_each(|inner| self.add_enum(&full, inner));
        it.nested_type
            .iter()
            .for_each(|inner| self.add_message(&full, inner));
        it.field
            .iter()
            .for_each(|field| self.add_field(&full, it, field));
        for (index, oneof) in it.oneof_decl.iter().enumerate() {
            let is_real = |field: &FieldDescriptorProto| {
                field.oneof_index == Some(index as i32) && !field.proto3_optional()
            };
            if it.field.iter().any(is_real) {
                let path = format!("{full}.{}", oneof.name());
                self.oneofs.push(path.clone());
                self.fields.push((path, "#[serde(flatten)]".to_owned()));
            }
        }
    }

    fn add_field(&mut self, message: &str, parent: &DescriptorProto, field: &FieldDescriptorProto) {
        if field.oneof_index.is_some() && !field.proto3_optional() {
            self.add_oneof_member(message, parent, field);
            return;
        }
        let mut attributes = if field.label() == Label::Repeated {
            repeated(message, parent, field)
        } else if self.prints_default(field) {
            vec![format!(
                "serialize_with = \"{}\"",
                self.add_default(message, field)
            )]
        } else {
            singular(field, self.proto3)
        };
        // The generator changes the case of names that are not in Rust's.
        if field.name() != field.name().to_snake_case() {
            attributes.push(format!("rename = \"{}\"", field.name()));
        }
        if !attributes.is_empty() {
            let path = format!("{message}.{}", field.name());
            self.fields
                .push((path, format!("#[serde({})]", attributes.join(", "))));
        }
    }

    fn add_oneof_member(
        &mut self,
        message: &str,
        parent: &DescriptorProto,
        field: &FieldDescriptorProto,
    ) {
        let oneof = &parent.oneof_decl[field.oneof_index() as usize];
        if field.r#type() == Type::Enum {
            let path = format!("{message}.{}.{}", oneof.name(), field.name());
            let with = format!(
                "crate::json::enumeration::<_, {}>",
                rust_path(field.type_name())
            );
            self.fields
                .push((path, format!("#[serde(serialize_with = \"{with}\")]")));
        }
    }

    fn prints_default(&self, field: &FieldDescriptorProto) -> bool {
        let deprecated = field.options.as_ref().is_some_and(FieldOptions::deprecated);
        field.label() == Label::Optional && field.default_value.is_some() && !deprecated
    }

    /// Writes the function that prints an unset field as its default and returns its path.
    fn add_default(&mut self, message: &str, field: &FieldDescriptorProto) -> String {
        let name = format!("{message}.{}", field.name())
            .replace('.', "_")
            .to_snake_case();
        let text = field.default_value();
        let (kind, body) = match field.r#type() {
            Type::Double => (
                "f64",
                format!("crate::json::double(&value.unwrap_or({text}f64), to)"),
            ),
            Type::Bool => (
                "bool",
                format!("to.serialize_bool(value.unwrap_or({text}))"),
            ),
            Type::Int32 => ("i32", format!("to.serialize_i32(value.unwrap_or({text}))")),
            Type::Uint32 => ("u32", format!("to.serialize_u32(value.unwrap_or({text}))")),
            Type::String => (
                "String",
                format!("to.serialize_str(value.as_deref().unwrap_or({text:?}))"),
            ),
            Type::Enum => {
                let path = rust_path(field.type_name());
                let set = format!("Some(it) => crate::json::enumeration::<_, {path}>(it, to)");
                (
                    "i32",
                    format!("match value {{ {set}, None => to.serialize_str({text:?}) }}"),
                )
            }
            other => panic!(
                "no rule for the default of {message}.{}: {other:?}",
                field.name()
            ),
        };
        let _ = writeln!(
            self.code,
            "pub(crate) fn {name}<S: serde::Serializer>(value: &Option<{kind}>, to: S) \
             -> Result<S::Ok, S::Error> {{ {body} }}"
        );
        format!("crate::json::generated::{name}")
    }
}

/// Answers that Mesos does not print by its converter: their lists are there when they are empty.
const LISTS_THAT_STAY: &[&str] = &[
    "mesos.v1.master.Response.GetAgents",
    "mesos.v1.master.Response.GetExecutors",
    "mesos.v1.master.Response.GetFrameworks",
    "mesos.v1.master.Response.GetTasks",
];

fn repeated(message: &str, parent: &DescriptorProto, field: &FieldDescriptorProto) -> Vec<String> {
    let deprecated = field.options.as_ref().is_some_and(FieldOptions::deprecated);
    if LISTS_THAT_STAY.contains(&message) && !deprecated {
        return Vec::new();
    }
    let entry = field.type_name().rsplit('.').next().unwrap_or_default();
    let is_map = parent.nested_type.iter().any(|it| {
        it.name() == entry
            && it
                .options
                .as_ref()
                .is_some_and(prost_types::MessageOptions::map_entry)
    });
    if is_map {
        return vec!["skip_serializing_if = \"std::collections::BTreeMap::is_empty\"".to_owned()];
    }
    let mut attributes = vec!["skip_serializing_if = \"Vec::is_empty\"".to_owned()];
    match field.r#type() {
        Type::Enum => attributes.push(format!(
            "serialize_with = \"crate::json::enumerations::<_, {}>\"",
            rust_path(field.type_name())
        )),
        Type::Bytes => {
            attributes.push("serialize_with = \"crate::json::list_of_bytes\"".to_owned())
        }
        Type::Double => attributes.push("serialize_with = \"crate::json::doubles\"".to_owned()),
        _ => {}
    }
    attributes
}

fn singular(field: &FieldDescriptorProto, proto3: bool) -> Vec<String> {
    let is_message = field.r#type() == Type::Message;
    let is_optional = field.label() == Label::Optional && !has_no_presence(field, proto3);
    let function = match field.r#type() {
        Type::Enum => Some(format!(
            "enumeration::<_, {}>",
            rust_path(field.type_name())
        )),
        Type::Bytes => Some("bytes".to_owned()),
        Type::Double => Some("double".to_owned()),
        Type::Message if field.type_name() == ".google.protobuf.Duration" => {
            Some("duration".to_owned())
        }
        _ => None,
    };
    let mut attributes = Vec::new();
    if is_optional || is_message && field.label() != Label::Required {
        attributes.push("skip_serializing_if = \"Option::is_none\"".to_owned());
    }
    if let Some(function) = function {
        let prefix = if is_optional { "optional_" } else { "" };
        attributes.push(format!(
            "serialize_with = \"crate::json::{prefix}{function}\""
        ));
    }
    attributes
}

/// Whether the generated struct holds a bare value: a proto3 field that is not marked optional.
fn has_no_presence(field: &FieldDescriptorProto, proto3: bool) -> bool {
    proto3 && !field.proto3_optional() && field.r#type() != Type::Message
}

/// Where the generated type of a message or enum lives, given its full name with the leading dot.
pub(crate) fn rust_path(full: &str) -> String {
    let full = full.trim_start_matches('.');
    let (scope, name) = full.rsplit_once('.').unwrap_or(("", full));
    let modules: Vec<String> = scope.split('.').map(|it| it.to_snake_case()).collect();
    format!(
        "crate::{}::{}",
        modules.join("::"),
        name.to_upper_camel_case()
    )
}
