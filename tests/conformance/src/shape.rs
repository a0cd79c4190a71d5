//! The shape of an answer: what is in it by its path, and of which kind.

use std::collections::BTreeSet;

use serde_json::Value;

/// Each path of an answer with the kind of what is there. The elements of a list have one path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape(BTreeSet<(String, &'static str)>);

impl Shape {
    pub fn of(answer: &Value) -> Self {
        let mut shape = Self::default();
        shape.add("", answer);
        shape
    }

    fn add(&mut self, path: &str, value: &Value) {
        self.0.insert((path.to_owned(), kind(value)));
        match value {
            Value::Array(list) => {
                let path = format!("{path}[]");
                list.iter().for_each(|element| self.add(&path, element));
            }
            Value::Object(map) => {
                for (key, value) in map {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.add(&format!("{path}{dot}{key}"), value);
                }
            }
            _ => {}
        }
    }

    /// What is here and not in the other.
    pub fn without(&self, other: &Self) -> Vec<(String, &'static str)> {
        self.0.difference(&other.0).cloned().collect()
    }
}

/// Numbers are told apart as they are written: who reads a whole one may not read another.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a bool",
        Value::Number(number) if number.is_f64() => "a number with a point",
        Value::Number(_) => "a whole number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_merged_and_kinds_told_apart() {
        let theirs = Shape::of(&json!({"a": [{"b": 1}, {"c": "x"}], "d": 1.0, "e": {}}));
        let ours = Shape::of(&json!({"a": [{"c": "y", "b": 2}], "d": 1, "f": true}));
        let missing: Vec<_> = theirs.without(&ours);
        let expected = [("d", "a number with a point"), ("e", "an object")];
        assert!(missing.iter().map(|it| (&*it.0, it.1)).eq(expected));
        assert!(Shape::of(&json!({"a": []})).without(&ours).is_empty());
    }
}
