//! Holds our descriptors against a table of every field and enum value of the Mesos v1 API.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

const TABLE: &str = include_str!("data/v1-wire.tsv");

/// The rows that our descriptors give, in the table's own form.
#[derive(Default)]
struct Rows(BTreeSet<String>);

impl Rows {
    fn add(&mut self, columns: [&str; 8], notes: &[String]) {
        self.0
            .insert(format!("{}\t{}", columns.join("\t"), notes.join(",")));
    }

    fn add_enum(&mut self, file: &str, scope: &str, it: &EnumDescriptorProto) {
        let full = format!("{scope}.{}", it.name());
        for (index, value) in it.value.iter().enumerate() {
            let deprecated = value.options.as_ref().is_some_and(|it| it.deprecated());
            let mut notes = Vec::new();
            notes.extend((index == 0).then(|| "enum_default".to_owned()));
            notes.extend(deprecated.then(|| "deprecated".to_owned()));
            let number = value.number().to_string();
            self.add(
                ["enum_value", file, &full, "", "", &number, value.name(), ""],
                &notes,
            );
        }
    }

    fn add_message(&mut self, file: &str, scope: &str, it: &DescriptorProto) {
        let full = format!("{scope}.{}", it.name());
        let is_entry = it.options.as_ref().is_some_and(|it| it.map_entry());
        if it.field.is_empty() && it.nested_type.is_empty() && it.enum_type.is_empty() {
            self.add(
                ["message", file, &full, "", "", "", "", ""],
                &["empty message".to_owned()],
            );
        }
        for field in it.field.iter().filter(|field| !is_ours(field)) {
            self.add_field(file, &full, is_entry, it, field);
        }
        let nested = it.nested_type.iter();
        nested
            .filter(|inner| !inner.name().starts_with("Tepui"))
            .for_each(|inner| self.add_message(file, &full, inner));
        it.enum_type
            .iter()
            .for_each(|inner| self.add_enum(file, &full, inner));
    }

    fn add_field(
        &mut self,
        file: &str,
        message: &str,
        is_entry: bool,
        parent: &DescriptorProto,
        field: &FieldDescriptorProto,
    ) {
        let kind = match field.r#type() {
            Type::Message | Type::Enum => field.type_name().trim_start_matches('.').to_owned(),
            other => other
                .as_str_name()
                .trim_start_matches("TYPE_")
                .to_lowercase(),
        };
        let label = match field.label() {
            Label::Optional => "optional",
            Label::Required => "required",
            Label::Repeated => "repeated",
        };
        let deprecated = field.options.as_ref().is_some_and(|it| it.deprecated());
        let mut notes = Vec::new();
        notes.extend((field.r#type() == Type::Message).then(|| "message".to_owned()));
        notes.extend((field.r#type() == Type::Enum).then(|| "enum".to_owned()));
        notes.extend(is_entry.then(|| "map_entry".to_owned()));
        notes.extend(
            field
                .oneof_index
                .map(|index| format!("oneof:{}", parent.oneof_decl[index as usize].name())),
        );
        notes.extend(deprecated.then(|| "deprecated".to_owned()));
        let number = field.number().to_string();
        let default = field.default_value();
        let columns = [
            "field",
            file,
            message,
            label,
            &kind,
            &number,
            field.name(),
            default,
        ];
        self.add(columns, &notes);
    }
}

/// Fields that Mesos does not have and so ignores. They are told apart by number and by name, and
/// their messages by name.
const OURS: std::ops::Range<i32> = 50_000..50_100;

fn is_ours(field: &FieldDescriptorProto) -> bool {
    field.name().starts_with("tepui_") && OURS.contains(&field.number())
}

fn rows_of(set: &FileDescriptorSet) -> BTreeSet<String> {
    let mut rows = Rows::default();
    for file in set
        .file
        .iter()
        .filter(|it| it.package().starts_with("mesos.v1"))
    {
        file.enum_type
            .iter()
            .for_each(|it| rows.add_enum(file.name(), file.package(), it));
        file.message_type
            .iter()
            .for_each(|it| rows.add_message(file.name(), file.package(), it));
    }
    rows.0
}

/// What is in Mesos' answers, though its v1 messages do not have it: a field that is left of the
/// ones before.
const LEFT: &str =
    "field\tmesos/v1/mesos.proto\tmesos.v1.AgentInfo\toptional\tbool\t7\tcheckpoint\t\t";

#[test]
fn every_row_of_the_v1_table_is_in_our_descriptors_and_none_besides() {
    let rows = TABLE.lines().skip(1).chain([LEFT]);
    let table: BTreeSet<String> = rows.map(str::to_owned).collect();
    let ours = rows_of(&FileDescriptorSet::decode(tepui_proto::DESCRIPTORS).unwrap());
    assert!(
        table.len() > 1_600,
        "the table is cut short: {} rows",
        table.len()
    );
    let missing: Vec<_> = table.difference(&ours).collect();
    let surplus: Vec<_> = ours.difference(&table).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "missing {missing:#?}\nsurplus {surplus:#?}"
    );
}
