//! Archives of `docker save`: a tar with a list of images and their layers.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read, Seek as _, SeekFrom, Take},
    sync::Arc,
};

use serde::Deserialize;

use super::layout;
use crate::{
    Digest, Error, Reference,
    config::Config,
    limits::{MAX_DOCUMENT_BYTES, MAX_MEMBERS},
};

/// An archive, and where in it its members are.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    file: Arc<File>,
    place: String,
    members: BTreeMap<String, Member>,
}

/// Where a member begins, and how long it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Member {
    File(u64, u64),
    /// The same as another member.
    Link(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// An image of an archive.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) config: Config,
    /// The digest of its configuration, which is its name.
    pub(super) digest: Digest,
    /// The members with its layers, the lowest first, with their sizes.
    pub(super) layers: Vec<(String, u64)>,
}

impl Archive {
    /// Finds the members of an archive beneath a folder. None if there is no archive.
    pub(super) fn find(
        folder: impl std::os::fd::AsFd,
        name: &std::path::Path,
        place: String,
    ) -> Result<Option<Self>, Error> {
        let file = match layout::open_file(folder, name) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(Error::refusal(place, error)),
        };
        let members = members(&file).map_err(|error| match error {
            Error::Broken(text) => Error::Broken(format!("{place}: {text}")),
            other => other,
        })?;
        Ok(Some(Self {
            file: Arc::new(file),
            place,
            members,
        }))
    }

    /// The image of a reference.
    pub(super) fn image(&self, reference: &Reference) -> Result<Image, Error> {
        let bytes = self.document("manifest.json")?;
        let listed: Vec<Listed> = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Broken(format!("the list of {}: {error}", self.place)))?;
        let name = format!("{}:{}", reference.repository, reference.tag);
        let named = |it: &&Listed| {
            let mut tags = it.repo_tags.iter().flatten();
            tags.any(|tag| *tag == name || tag.ends_with(&format!("/{name}")))
        };
        // An archive with one image need not say what it is called: the file has the name.
        let found = listed.iter().find(named).or(match listed.as_slice() {
            [one] => Some(one),
            _ => None,
        });
        let found = found.ok_or_else(|| Error::NotFound {
            image: reference.to_string(),
            place: self.place.clone(),
        })?;
        let config = self.document(&found.config)?;
        let digest = Digest::of(&config);
        let sized = found.layers.iter().map(|layer| {
            let (_, size) = self.member(layer)?;
            Ok((layer.clone(), size))
        });
        Ok(Image {
            config: Config::read(&config)?,
            digest,
            layers: sized.collect::<Result<_, Error>>()?,
        })
    }

    /// A layer.
    pub(super) fn layer(&self, name: &str) -> Result<Take<BufReader<File>>, Error> {
        let (offset, size) = self.member(name)?;
        // A position of its own: layers are read side by side.
        let path = format!(
            "/proc/self/fd/{}",
            std::os::fd::AsRawFd::as_raw_fd(&*self.file)
        );
        let opened = File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            Ok(BufReader::new(file).take(size))
        });
        opened.map_err(|error| Error::Broken(format!("{}: {error}", self.place)))
    }

    fn document(&self, name: &str) -> Result<Vec<u8>, Error> {
        let (_, size) = self.member(name)?;
        if size > MAX_DOCUMENT_BYTES as u64 {
            let text = format!(
                "a document in {} has more than {MAX_DOCUMENT_BYTES} bytes",
                self.place
            );
            return Err(Error::TooLarge(text));
        }
        let mut bytes = Vec::new();
        let read = self.layer(name)?.read_to_end(&mut bytes);
        read.map_err(|error| Error::Broken(format!("{}: {error}", self.place)))?;
        Ok(bytes)
    }

    /// Where a member is. A link leads to a file, and no further.
    fn member(&self, name: &str) -> Result<(u64, u64), Error> {
        let found = match self.members.get(name) {
            Some(Member::Link(to)) => self.members.get(to),
            found => found,
        };
        match found {
            Some(Member::File(offset, size)) => Ok((*offset, *size)),
            _ => Err(Error::Broken(format!(
                "{} has no member '{}'; was it written by `docker save`, and not compressed?",
                self.place,
                name.chars().take(200).collect::<String>().escape_debug()
            ))),
        }
    }
}

fn members(file: &File) -> Result<BTreeMap<String, Member>, Error> {
    let broken = |error: std::io::Error| Error::Broken(error.to_string());
    let mut archive = tar::Archive::new(file);
    let mut members = BTreeMap::new();
    for entry in archive.entries_with_seek().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        if members.len() >= MAX_MEMBERS {
            let text = format!("an archive has more than {MAX_MEMBERS} members");
            return Err(Error::TooLarge(text));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.strip_prefix("./").map(str::to_owned).unwrap_or(name);
        let kind = entry.header().entry_type();
        if kind.is_file() {
            members.insert(name, Member::File(entry.raw_file_position(), entry.size()));
        } else if let (true, Some(to)) = (
            kind.is_symlink() || kind.is_hard_link(),
            entry.link_name_bytes(),
        ) {
            let to = String::from_utf8_lossy(&to).into_owned();
            let to = if kind.is_symlink() {
                beside(&name, &to)
            } else {
                to
            };
            members.insert(name, Member::Link(to));
        }
    }
    Ok(members)
}

/// Where a link leads, by names alone: these are names of members, and of no files.
fn beside(name: &str, to: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in to.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_an_archive_lead_to_members() {
        assert_eq!(beside("a/layer.tar", "../b/layer.tar"), "b/layer.tar");
        assert_eq!(beside("a", "../../etc/passwd"), "etc/passwd");
    }
}
