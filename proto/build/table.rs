//! Writes the table of every message: the fields by name and number, for the decoder of JSON and
//! the search for required fields that are missing, which prost does not tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MessageOptions,
    field_descriptor_proto::{Label, Type},
};

use crate::json::rust_path;

/// The table as Rust code.
pub(crate) fn code(descriptors: &FileDescriptorSet) -> String {
    let mut table = Table::default();
    for file in descriptors.file.iter().filter(|file| is_wanted(file)) {
        let scope = format!(".{}", file.package());
        for message in &file.message_type {
            table.add(&scope, message);
        }
        let methods = file.service.iter().flat_map(|service| &service.method);
        let requests = methods.map(|method| method.input_type().to_owned());
        table.requests.extend(requests);
        for it in &file.enum_type {
            table
                .enums
                .insert(format!("{scope}.{}", it.name()), values(it));
        }
    }
    table.print()
}

/// Ours, and the one message of Google's that Mesos uses.
fn is_wanted(file: &FileDescriptorProto) -> bool {
    !file.package().starts_with("google.") || file.name().ends_with("/duration.proto")
}

type Values = Vec<(String, i32)>;

#[derive(Default)]
struct Table {
    messages: BTreeMap<String, DescriptorProto>,
    enums: BTreeMap<String, Values>,
    /// What servers of gRPC are sent.
    requests: BTreeSet<String>,
}

fn values(it: &prost_types::EnumDescriptorProto) -> Values {
    let mut values: Values = it
        .value
        .iter()
        .map(|value| (value.name().to_owned(), value.number()))
        .collect();
    values.sort();
    values
}

impl Table {
    fn add(&mut self, scope: &str, message: &DescriptorProto) {
        let full = format!("{scope}.{}", message.name());
        for it in &message.enum_type {
            self.enums
                .insert(format!("{full}.{}", it.name()), values(it));
        }
        for inner in &message.nested_type {
            self.add(&full, inner);
        }
        self.messages.insert(full, message.clone());
    }

    fn print(&self) -> String {
        let mut code = String::new();
        for (name, values) in &self.enums {
            let list: String = values
                .iter()
                .map(|(name, number)| format!("({name:?}, {number}), "))
                .collect();
            let _ = writeln!(
                code,
                "static {}: &[(&str, i32)] = &[{list}];",
                constant(name)
            );
        }
        for (name, message) in &self.messages {
            let fields: String = message.field.iter().map(field).collect();
            let mut order: Vec<usize> = (0..message.field.len()).collect();
            order.sort_by_key(|index| message.field[*index].name());
            let _ = writeln!(
                code,
                "static {}: Message = Message {{ fields: &[{fields}], by_name: &{order:?}, \
                 map_entry: {}, size: {} }};",
                constant(name),
                is_map_entry(message),
                size(name, message)
            );
        }
        let mut every = String::new();
        for (name, message) in &self.messages {
            if name.starts_with(".google.") || is_map_entry(message) {
                continue;
            }
            let (path, table) = (rust_path(name), constant(name));
            let _ = writeln!(
                code,
                "impl Described for {path} {{ const IS_REQUEST: bool = {}; \
                 fn message() -> &'static Message {{ &{table} }} }}",
                self.requests.contains(name)
            );
            let _ = write!(every, "$with!({path}, {:?}); ", &name[1..]);
        }
        let _ = writeln!(
            code,
            "#[cfg(test)] macro_rules! for_each_message {{ ($with:ident) => {{ {every} }} }}"
        );
        let _ = writeln!(code, "#[cfg(test)] pub(crate) use for_each_message;");
        code
    }
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message
        .options
        .as_ref()
        .is_some_and(MessageOptions::map_entry)
}

/// How many bytes a value of it takes, without what it points to: an entry of a map is none of our
/// types, and Google's are somewhere else.
fn size(name: &str, message: &DescriptorProto) -> String {
    match name.strip_prefix(".google.protobuf.") {
        Some(short) => format!("size_of::<prost_types::{short}>()"),
        None if is_map_entry(message) => "64".to_owned(),
        None => format!("size_of::<{}>()", rust_path(name)),
    }
}

/// The name of a static.
fn constant(full: &str) -> String {
    full[1..].replace('.', "_").to_uppercase()
}

fn field(field: &FieldDescriptorProto) -> String {
    let label = match field.label() {
        Label::Optional => "Optional",
        Label::Required => "Required",
        Label::Repeated => "Repeated",
    };
    let (name, number) = (field.name(), field.number());
    format!(
        "Field {{ name: {name:?}, number: {number}, label: Label::{label}, kind: {} }}, ",
        kind(field)
    )
}

fn kind(field: &FieldDescriptorProto) -> String {
    let scalar = match field.r#type() {
        Type::Message => return format!("Kind::Message(&{})", constant(field.type_name())),
        Type::Enum => return format!("Kind::Enum({})", constant(field.type_name())),
        Type::String => "String",
        Type::Bytes => "Bytes",
        Type::Bool => "Bool",
        Type::Double => "Double",
        Type::Float => "Float",
        Type::Int32 => "Int32",
        Type::Int64 => "Int64",
        Type::Uint32 => "Uint32",
        Type::Uint64 => "Uint64",
        other => panic!("no rule for {other:?} of {}", field.name()),
    };
    format!("Kind::{scalar}")
}
