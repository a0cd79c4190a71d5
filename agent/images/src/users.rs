//! Users as an image knows them.

use std::{
    fs::File,
    io::Read as _,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, fgetxattr, fstat, openat2},
    io::Errno,
};

use crate::{Error, limits::MAX_DOCUMENT_BYTES};

/// A user of an image, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The user's first group.
    pub gid: u32,
    /// The other groups.
    pub groups: Vec<u32>,
}

/// Finds a user, as in `name`, `1000` or `name:group`, in an image's layers, the topmost first.
pub(crate) fn find(layers: &[PathBuf], text: &str) -> Result<User, Error> {
    let (name, group) = match text.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (text, None),
    };
    let (passwd, groups) = (read(layers, "etc/passwd")?, read(layers, "etc/group")?);
    user(&passwd, &groups, name, group).ok_or_else(|| {
        let text = text.chars().take(100).collect::<String>();
        Error::Broken(format!(
            "it is to be run by '{}', whom it does not know",
            text.escape_debug()
        ))
    })
}

fn user(passwd: &str, groups: &str, name: &str, group: Option<&str>) -> Option<User> {
    let number: Option<u32> = name.parse().ok();
    let known = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let known = known
        .into_iter()
        .find_map(|fields| match fields.as_slice() {
            [own, _, uid, gid, ..] => {
                let (uid, gid): (u32, u32) = (uid.parse().ok()?, gid.parse().ok()?);
                let same = *own == name || number == Some(uid);
                same.then(|| ((*own).to_owned(), uid, gid))
            }
            _ => None,
        });
    let (own_name, uid, gid) = match (known, number) {
        (Some(known), _) => known,
        // A number needs no name.
        (None, Some(number)) => (String::new(), number, 0),
        (None, None) => return None,
    };
    let group_lines = || {
        groups
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
    };
    if let Some(group) = group {
        let by_name = group_lines().find_map(|fields| match fields.as_slice() {
            [name, _, gid, ..] if *name == group => gid.parse().ok(),
            _ => None,
        });
        let gid = group.parse().ok().or(by_name)?;
        return valid(User {
            uid,
            gid,
            groups: Vec::new(),
        });
    }
    let member = group_lines().filter_map(|fields| match fields.as_slice() {
        [_, _, gid, members, ..]
            if members
                .split(',')
                .any(|it| !it.is_empty() && it == own_name) =>
        {
            gid.parse().ok()
        }
        _ => None,
    });
    let groups = member.take(64).collect();
    valid(User { uid, gid, groups })
}

/// The highest number stands for nobody in particular.
fn valid(user: User) -> Option<User> {
    (user.uid != u32::MAX && user.gid != u32::MAX).then_some(user)
}

/// Reads a file as a container would see it, looking through the layers. Empty if there is none.
fn read(layers: &[PathBuf], path: &str) -> Result<String, Error> {
    for layer in layers {
        let tree = File::open(layer).map_err(Error::store("open", layer))?;
        match open(&tree, path) {
            Ok(file) if is_file(&file) => {
                let mut bytes = Vec::new();
                let read = file.take(MAX_DOCUMENT_BYTES as u64).read_to_end(&mut bytes);
                read.map_err(Error::store("read", layer.join(path)))?;
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
            // This layer hides it.
            Ok(_) | Err(Errno::NXIO | Errno::NOTDIR) => return Ok(String::new()),
            Err(Errno::NOENT) if is_opaque(&tree, path) => return Ok(String::new()),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(Error::store("open", layer.join(path))(error.into())),
        }
    }
    Ok(String::new())
}

/// Links of the image mean the image.
fn open(tree: impl AsFd, path: &str) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(tree, path, flags, Mode::empty(), resolve).map(File::from)
}

fn is_file(file: &File) -> bool {
    fstat(file).is_ok_and(|there| FileType::from_raw_mode(there.st_mode) == FileType::RegularFile)
}

fn is_opaque(tree: impl AsFd, path: &str) -> bool {
    let Some(folder) = Path::new(path).parent().and_then(Path::to_str) else {
        return false;
    };
    let mut value = [0; 1];
    let opened = open(tree, folder);
    opened.is_ok_and(|it| fgetxattr(&it, "trusted.overlay.opaque", &mut value).is_ok())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nbroken\nweb:x:33:34::/:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nweb:x:34:\nlogs:x:4:web,other\n";

    fn found(text: &str) -> Option<(u32, u32, Vec<u32>)> {
        let (name, group) = match text.split_once(':') {
            Some((name, group)) => (name, Some(group)),
            None => (text, None),
        };
        let user = user(PASSWD, GROUP, name, group)?;
        Some((user.uid, user.gid, user.groups))
    }

    #[test]
    fn a_user_is_known_by_name_or_number_and_has_groups() {
        assert_eq!(found("web"), Some((33, 34, vec![4])));
        assert_eq!(found("33"), Some((33, 34, vec![4])));
        assert_eq!(found("web:logs"), Some((33, 4, vec![])));
        assert_eq!(found("1000"), Some((1000, 0, vec![])));
        assert_eq!(found("1000:1001"), Some((1000, 1001, vec![])));
        for text in ["nobody", "", "web:none", "-1", "4294967295"] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn the_topmost_layer_that_has_the_file_counts_and_links_stay_inside() {
        let folder = tempfile::tempdir().unwrap();
        let layer = |name: &str| folder.path().join(name);
        for name in ["top/etc", "middle", "bottom/etc", "leads/etc"] {
            fs::create_dir_all(layer(name)).unwrap();
        }
        fs::write(layer("bottom/etc/passwd"), PASSWD).unwrap();
        let layers = [layer("top"), layer("middle"), layer("bottom")];
        assert_eq!(find(&layers, "web").unwrap().uid, 33);
        fs::write(layer("top/etc/passwd"), "web:x:7:8::/:/\n").unwrap();
        assert_eq!(find(&layers, "web").unwrap().uid, 7);
        std::os::unix::fs::symlink("/etc/shadow", layer("leads/etc/passwd")).unwrap();
        assert!(find(&[layer("leads")], "root").is_err());
    }
}
