//! What every message consists of, as a table that is generated from the `.proto` files.

/// A generated message whose table is known.
pub trait Described {
    /// Whether a server of gRPC takes it from anybody.
    const IS_REQUEST: bool;

    /// Its table.
    fn message() -> &'static Message;
}

/// A message.
#[derive(Debug)]
pub struct Message {
    /// In the order of the `.proto` file.
    fields: &'static [Field],
    /// Indices of the fields, sorted by name.
    by_name: &'static [usize],
    map_entry: bool,
    /// Bytes of a value of it, without what it points to.
    size: usize,
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) number: u32,
    pub(crate) label: Label,
    pub(crate) kind: Kind,
}

/// How often a field may and must occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    Optional,
    Required,
    Repeated,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "a kind that no message has today is still a kind")]
pub(crate) enum Kind {
    Bool,
    Bytes,
    Double,
    /// The names and numbers of its values, sorted by name.
    Enum(&'static [(&'static str, i32)]),
    Float,
    Int32,
    Int64,
    Message(&'static Message),
    String,
    Uint32,
    Uint64,
}

impl Message {
    pub(crate) const fn fields(&self) -> &'static [Field] {
        self.fields
    }

    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// Whether it is the key and the value of a map.
    pub(crate) const fn is_map_entry(&self) -> bool {
        self.map_entry
    }

    /// The field of that number.
    pub(crate) fn numbered(&self, number: u32) -> Option<&'static Field> {
        // Most fields stand where their number says.
        let guess = (number as usize).checked_sub(1);
        let guess = guess.and_then(|index| self.fields.get(index));
        let known = guess.filter(|field| field.number == number);
        known.or_else(|| self.fields.iter().find(|field| field.number == number))
    }

    /// The field of that name.
    pub(crate) fn named(&self, name: &str) -> Option<&'static Field> {
        let found = self
            .by_name
            .binary_search_by(|index| self.fields[*index].name.cmp(name));
        found.ok().map(|place| &self.fields[self.by_name[place]])
    }
}

/// The tables themselves.
#[allow(clippy::wildcard_imports, dead_code)]
pub(crate) mod generated {
    use super::*;

    include!(concat!(env!("OUT_DIR"), "/table.rs"));
}
