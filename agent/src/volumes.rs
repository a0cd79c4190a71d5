//! The folders of persistent volumes: made, set aside and deleted (Mesos: VOL-01, VOL-02).
//!
//! What is removed is first moved, whole, under a name of its own. That name stays until the core
//! has written down that the removal is over, so a removal that is begun again after a crash finds
//! it and leaves alone what was put in the old place meanwhile.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tepui_agent_core::VolumePlace;

/// Makes the folder of a volume, if it is not there.
pub(crate) fn make(place: &VolumePlace) -> io::Result<()> {
    if place.whole_disk {
        // It is mounted there, or it is not: a folder in its stead would fill another disk.
        return fs::metadata(&place.folder).map(drop);
    }
    fs::create_dir_all(&place.folder)
}

/// Moves the data of a volume into the trash, unless that was done before.
pub(crate) fn set_aside(place: &VolumePlace, removal: &str) -> io::Result<()> {
    let aside = place.trash.join(removal);
    if fs::symlink_metadata(&aside).is_ok() {
        return Ok(());
    }
    fs::create_dir_all(&place.trash)?;
    if place.whole_disk {
        return set_contents_aside(place, removal, &aside);
    }
    match fs::rename(&place.folder, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(&aside),
        renamed => renamed,
    }
}

/// What is mounted cannot be moved, but what is in it can. The name appears when all has moved.
fn set_contents_aside(place: &VolumePlace, removal: &str, aside: &Path) -> io::Result<()> {
    let moving = place.trash.join(format!("{removal}.moving"));
    fs::create_dir_all(&moving)?;
    for entry in fs::read_dir(&place.folder)? {
        let path = entry?.path();
        if path == place.trash {
            continue;
        }
        if let Some(name) = path.file_name() {
            fs::rename(&path, moving.join(name))?;
        }
    }
    fs::rename(moving, aside)
}

/// Deletes what was set aside, but for the empty folder that holds its name. No link in it is
/// followed.
pub(crate) fn delete(place: &VolumePlace, removal: &str) -> io::Result<()> {
    let aside = place.trash.join(removal);
    if !fs::symlink_metadata(&aside)?.is_dir() {
        // Something that is no folder stood in the volume's place.
        fs::remove_file(&aside)?;
        return fs::create_dir(&aside);
    }
    for entry in fs::read_dir(&aside)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes the name of a removal that is over.
pub(crate) fn forget(place: &VolumePlace, removal: &str) -> io::Result<()> {
    let aside: PathBuf = place.trash.join(removal);
    match fs::remove_dir(aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn place(folder: &Path, whole_disk: bool) -> VolumePlace {
        let base = folder.join("volumes");
        VolumePlace {
            folder: base.join(if whole_disk { "" } else { "roles/a/v" }),
            trash: base.join("trash"),
            whole_disk,
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_volume_loses_its_data_and_nothing_beyond_its_links() {
        for whole_disk in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let place = place(folder.path(), whole_disk);
            fs::create_dir_all(&place.folder).unwrap();
            make(&place).unwrap();
            let outside = folder.path().join("outside");
            fs::create_dir(&outside).unwrap();
            fs::write(outside.join("kept"), "kept").unwrap();
            fs::create_dir(place.folder.join("deep")).unwrap();
            fs::write(place.folder.join("deep/data"), "gone").unwrap();
            symlink(&outside, place.folder.join("link")).unwrap();
            symlink(&outside, place.folder.join("deep/link")).unwrap();
            set_aside(&place, "r").unwrap();
            make(&place).unwrap();
            delete(&place, "r").unwrap();
            assert_eq!(names(&place.trash), ["r"]);
            forget(&place, "r").unwrap();
            forget(&place, "r").unwrap();
            assert!(names(&place.trash).is_empty());
            assert!(!place.folder.join("deep").exists());
            assert_eq!(names(&outside), ["kept"]);
        }
    }

    #[test]
    fn a_removal_that_is_repeated_leaves_a_new_volume_alone() {
        for whole_disk in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let place = place(folder.path(), whole_disk);
            fs::create_dir_all(&place.folder).unwrap();
            fs::write(place.folder.join("data"), "old").unwrap();
            set_aside(&place, "r").unwrap();
            make(&place).unwrap();
            fs::write(place.folder.join("data"), "new").unwrap();
            set_aside(&place, "r").unwrap();
            delete(&place, "r").unwrap();
            let data = fs::read_to_string(place.folder.join("data"));
            assert_eq!(data.unwrap(), "new");
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_volume_is_removed_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path(), false);
        fs::create_dir_all(place.folder.parent().unwrap()).unwrap();
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "kept").unwrap();
        symlink(&outside, &place.folder).unwrap();
        set_aside(&place, "r").unwrap();
        delete(&place, "r").unwrap();
        forget(&place, "r").unwrap();
        assert_eq!(names(&outside), ["kept"]);
        assert!(fs::symlink_metadata(&place.folder).is_err());
    }

    #[test]
    fn a_volume_that_never_was_is_removed_without_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path(), false);
        set_aside(&place, "r").unwrap();
        delete(&place, "r").unwrap();
        forget(&place, "r").unwrap();
    }

    #[test]
    fn a_disk_that_is_not_mounted_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let place = VolumePlace {
            folder: folder.path().join("disk"),
            trash: folder.path().join("disk/.tepui-trash"),
            whole_disk: true,
        };
        assert!(make(&place).is_err());
        assert!(!place.folder.exists());
    }
}
