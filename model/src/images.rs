//! The images that an agent has, by the names that tasks call them by.

use std::{borrow::Cow, sync::Arc};

use crate::limits::{MAX_IMAGE_NAME_BYTES, MAX_IMAGES_TOLD};

/// The tag that is meant when a name has none.
const LATEST: &str = "latest";

/// Images that an agent has in its store, the one that was used last first. Cheap to copy, because
/// every offer has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageNames(Arc<[Arc<str>]>);

impl ImageNames {
    /// These names, as far as they can be ones and there are not too many. It is no error when
    /// there are: whoever knows of fewer images only chooses less well.
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter();
        let names = names.filter(|name| is_name(name.as_ref()));
        names
            .take(MAX_IMAGES_TOLD)
            .map(|name| Arc::from(name.as_ref()))
            .collect()
    }

    /// The names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an image is among them, by a name as people write it: `busybox` is
    /// `busybox:latest`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        if self.is_empty() {
            return false;
        }
        let wanted = full(name);
        self.iter().any(|known| **known == *wanted)
    }

    /// Whether both are copies of one list, or empty.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.is_empty() && other.is_empty()) || Arc::ptr_eq(&self.0, &other.0)
    }

    /// The names for the wire.
    #[must_use]
    pub fn to_proto(&self) -> Vec<String> {
        self.iter().map(|name| name.to_string()).collect()
    }
}

/// Of names that are known to be some.
impl FromIterator<Arc<str>> for ImageNames {
    fn from_iter<I: IntoIterator<Item = Arc<str>>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

fn is_name(text: &str) -> bool {
    let length = 1..=MAX_IMAGE_NAME_BYTES;
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A name with its tag, or with its digest and without a tag, which then says nothing.
fn full(name: &str) -> Cow<'_, str> {
    let (name, digest) = match name.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (name, None),
    };
    // A colon before the last slash belongs to the registry.
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let tag = name[last..].find(':').map(|colon| last + colon);
    match (digest, tag) {
        (Some(digest), Some(tag)) => format!("{}@{digest}", &name[..tag]).into(),
        (Some(digest), None) => format!("{name}@{digest}").into(),
        (None, Some(_)) => name.into(),
        (None, None) => format!("{name}:{LATEST}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_by_the_names_that_people_write() {
        let images = ImageNames::new([
            "localhost:5000/busybox:latest",
            "a/b:1.2",
            "quay.io/c@sha256:77",
        ]);
        for name in [
            "localhost:5000/busybox",
            "localhost:5000/busybox:latest",
            "a/b:1.2",
            "quay.io/c@sha256:77",
            "quay.io/c:v1@sha256:77",
        ] {
            assert!(images.has(name), "{name}");
        }
        for name in ["busybox", "a/b", "a/b:1", "quay.io/c", "c@sha256:77", ""] {
            assert!(!images.has(name), "{name}");
        }
        assert!(!ImageNames::default().has("a/b:1.2"));
    }

    #[test]
    fn names_that_are_too_long_or_too_many_are_left_out() {
        let longest = "a".repeat(MAX_IMAGE_NAME_BYTES);
        let longer = format!("{longest}a");
        let images = ImageNames::new(["", longer.as_str(), "a b", "a\n", longest.as_str()]);
        assert_eq!(images.to_proto(), [longest]);
        let many = (0..2 * MAX_IMAGES_TOLD).map(|number| format!("a:{number}"));
        let images = ImageNames::new(many);
        assert_eq!(images.iter().len(), MAX_IMAGES_TOLD);
        assert!(images.has("a:0"));
    }

    #[test]
    fn lists_are_the_same_when_they_are_copies() {
        let none = ImageNames::new([""]);
        assert!(none.is_empty() && none.is_same(&ImageNames::default()));
        let some = ImageNames::new(["a:1"]);
        assert!(some.is_same(&some.clone()) && !some.is_same(&ImageNames::new(["a:1"])));
    }
}
