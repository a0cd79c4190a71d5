//! Layers that mean harm, each named by its number in our list, and what good ones become.

use std::{
    fs,
    io::Write as _,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _, symlink},
    },
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use tar::{EntryType, Header};

use super::*;

/// A tar in the making, in which everything may be wrong.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn header(kind: EntryType, name: &[u8], link: &[u8], size: u64, mode: u32) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name);
        old.linkname[..link.len()].copy_from_slice(link);
        header.set_cksum();
        header
    }

    fn push(mut self, header: &Header, contents: &[u8]) -> Self {
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(contents);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, contents: &str) -> Self {
        let size = contents.len() as u64;
        let header = Self::header(EntryType::Regular, name.as_bytes(), b"", size, 0o644);
        self.push(&header, contents.as_bytes())
    }

    fn folder(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", 0o755)
    }

    fn symlink(self, name: &str, to: &str) -> Self {
        self.entry(EntryType::Symlink, name, to, 0o777)
    }

    fn hard_link(self, name: &str, to: &str) -> Self {
        self.entry(EntryType::Link, name, to, 0o644)
    }

    fn entry(self, kind: EntryType, name: &str, link: &str, mode: u32) -> Self {
        let header = Self::header(kind, name.as_bytes(), link.as_bytes(), 0, mode);
        self.push(&header, b"")
    }

    fn posix(self, records: &[(&str, &str)]) -> Self {
        let record = |(key, value): &(&str, &str)| {
            let rest = format!(" {key}={value}\n");
            let mut length = rest.len() + 1;
            while length.to_string().len() + rest.len() != length {
                length += 1;
            }
            format!("{length}{rest}")
        };
        let text: String = records.iter().map(record).collect();
        let size = text.len() as u64;
        let header = Self::header(EntryType::XHeader, b"pax", b"", size, 0o644);
        self.push(&header, text.as_bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.clone();
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }
}

/// A folder for a layer, beside what nothing may touch.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// None, and why less is tested, where this is not root.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("layers are not unpacked: only root may give files to others");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("layer")).unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/kept"), "kept").unwrap();
        Some(Self { folder })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join("layer").join(name)
    }

    fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    fn unpack(&self, tar: &Tar) -> Result<Unpacked, Error> {
        self.unpack_bytes(&tar.bytes(), 1 << 30)
    }

    fn unpack_bytes(&self, bytes: &[u8], limit: u64) -> Result<Unpacked, Error> {
        let unpacked = unpack(bytes, fs::File::open(self.at("")).unwrap().into(), limit);
        self.check_outside();
        unpacked
    }

    /// Nothing outside has changed.
    fn check_outside(&self) {
        let names = |path: &Path| {
            let names = fs::read_dir(path).unwrap();
            let mut names: Vec<_> = names.map(|it| it.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(self.folder.path()), ["layer", "outside"]);
        assert_eq!(names(&self.outside()), ["kept"]);
        let kept = fs::metadata(self.outside().join("kept")).unwrap();
        assert_eq!(
            (kept.nlink(), kept.mode() & 0o7777, kept.uid()),
            (1, 0o644, 0)
        );
        assert_eq!(fs::read(self.outside().join("kept")).unwrap(), b"kept");
        assert_eq!(fs::metadata(self.outside()).unwrap().mode() & 0o777, 0o755);
    }

    fn refuses(&self, tar: &Tar, why: &str) {
        let error = self.unpack(tar).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    fn is_whiteout(&self, name: &str) -> bool {
        let there = fs::symlink_metadata(self.at(name)).unwrap();
        there.file_type().is_char_device() && there.rdev() == 0
    }

    fn is_opaque(&self, name: &str) -> bool {
        let opened = fs::File::open(self.at(name)).unwrap();
        let mut value = [0; 8];
        let read = rustix::fs::fgetxattr(&opened, "trusted.overlay.opaque", &mut value);
        read.is_ok_and(|length| &value[..length] == b"y")
    }
}

#[test]
fn a_good_layer_is_there_with_owners_permissions_times_and_links() {
    let Some(place) = Place::new() else { return };
    let mut header = Tar::header(EntryType::Regular, b"bin/su", b"", 2, 0o4755);
    header.set_uid(7);
    header.set_gid(8);
    header.set_cksum();
    let tar = Tar::default()
        .entry(EntryType::Directory, "./", "", 0o711)
        .entry(EntryType::Directory, "bin", "", 0o750)
        .posix(&[
            ("mtime", "1234567890.5"),
            ("SCHILY.xattr.user.mark", "here"),
        ])
        .push(&header, b"su")
        .hard_link("bin/login", "/bin/su")
        .symlink("sbin", "/bin")
        .file("sbin/through", "x")
        .file("missing/on/the/way", "y");
    let unpacked = place.unpack(&tar).unwrap();
    assert_eq!(unpacked.diff_id, Digest::of(&tar.bytes()));
    assert_eq!(
        (unpacked.entries, unpacked.bytes),
        (8, tar.bytes().len() as u64)
    );
    let su = fs::metadata(place.at("bin/su")).unwrap();
    assert_eq!(
        (su.mode() & 0o7777, su.uid(), su.gid(), su.nlink()),
        (0o4755, 7, 8, 2)
    );
    assert_eq!((su.mtime(), su.mtime_nsec()), (1_234_567_890, 500_000_000));
    assert_eq!(fs::read_link(place.at("sbin")).unwrap(), Path::new("/bin"));
    assert_eq!(fs::read(place.at("bin/through")).unwrap(), b"x");
    assert_eq!(fs::read(place.at("missing/on/the/way")).unwrap(), b"y");
    assert_eq!(fs::metadata(place.at("")).unwrap().mode() & 0o777, 0o711);
    let bin = fs::metadata(place.at("bin")).unwrap();
    assert_eq!((bin.mode() & 0o777, bin.mtime()), (0o750, 1_000_000_000));
    let mut value = [0; 8];
    let file = fs::File::open(place.at("bin/su")).unwrap();
    match rustix::fs::fgetxattr(&file, "user.mark", &mut value) {
        Ok(length) => assert_eq!(&value[..length], b"here"),
        Err(error) => eprintln!("user attributes are not tested: {error}"),
    }
}

#[test]
fn l01_l02_entries_stay_in_the_layer() {
    let Some(place) = Place::new() else { return };
    place.refuses(&Tar::default().file("../outside/x", ""), "leads out");
    place.refuses(&Tar::default().file("a/../../outside/x", ""), "leads out");
    place.refuses(&Tar::default().folder("a/.."), "leads out");
    place
        .unpack(&Tar::default().file("/outside/x", "x"))
        .unwrap();
    assert_eq!(fs::read(place.at("outside/x")).unwrap(), b"x");
    let absolute = place.outside().join("x");
    let text = absolute.to_str().unwrap();
    place
        .unpack(&Tar::default().posix(&[("path", text)]).file("a", ""))
        .unwrap();
}

#[test]
fn l03_a_file_through_a_link_stays_in_the_layer() {
    let Some(place) = Place::new() else { return };
    let outside = place.outside();
    for (name, to) in [
        ("a", outside.to_str().unwrap()),
        ("b", "../outside"),
        ("c", "/proc/self/root"),
    ] {
        let tar = Tar::default()
            .symlink(name, to)
            .file(&format!("{name}/kept"), "changed");
        assert!(place.unpack(&tar).is_err(), "{to}");
    }
    // One that leads up leads to the layer's own root.
    let tar = Tar::default()
        .symlink("up", "../../..")
        .file("up/inside", "x");
    place.unpack(&tar).unwrap();
    assert!(place.at("inside").is_file());
    // A link in place of a file is not written through.
    let kept = outside.join("kept");
    let tar = Tar::default()
        .symlink("file", kept.to_str().unwrap())
        .file("file", "x");
    place.unpack(&tar).unwrap();
    assert_eq!(fs::read(place.at("file")).unwrap(), b"x");
}

#[test]
fn l04_a_hard_link_leads_to_nothing_outside() {
    let Some(place) = Place::new() else { return };
    place.refuses(
        &Tar::default().hard_link("a", "../outside/kept"),
        "leads out",
    );
    let kept = place.outside().join("kept");
    let kept = kept.to_str().unwrap();
    assert!(place.unpack(&Tar::default().hard_link("a", kept)).is_err());
    // A hard link to a link is a link, and a file in its place is a file.
    let tar = Tar::default()
        .symlink("l", kept)
        .hard_link("m", "l")
        .file("m", "x");
    place.unpack(&tar).unwrap();
    let outside = place.outside();
    let tar = Tar::default()
        .symlink("d", outside.to_str().unwrap())
        .hard_link("n", "d/kept");
    assert!(place.unpack(&tar).is_err());
    assert!(place.unpack(&Tar::default().hard_link("a", "a")).is_err());
    assert!(place.unpack(&Tar::default().hard_link("a", "")).is_err());
    assert!(place.unpack(&Tar::default().hard_link("a", "/")).is_err());
}

#[test]
fn l05_a_folder_in_place_of_a_link_changes_nothing_behind_the_link() {
    let Some(place) = Place::new() else { return };
    let outside = place.outside();
    let tar = Tar::default()
        .symlink("d", outside.to_str().unwrap())
        .entry(EntryType::Directory, "d", "", 0o777)
        .file("d/x", "x");
    place.unpack(&tar).unwrap();
    assert_eq!(
        fs::symlink_metadata(place.at("d")).unwrap().mode() & 0o777,
        0o777
    );
    assert!(place.at("d/x").is_file());
    // The other way: the folder's time is not set through the link.
    let tar =
        Tar::default()
            .folder("e")
            .entry(EntryType::Symlink, "e", outside.to_str().unwrap(), 0o777);
    place.unpack(&tar).unwrap();
    let modified = fs::metadata(&outside).unwrap().mtime();
    assert_ne!(modified, 1_000_000_000);
}

#[test]
fn l06_two_sizes_are_refused() {
    let Some(place) = Place::new() else { return };
    let hidden = Tar::default().file("hidden", "").bytes();
    let tar = Tar::default().posix(&[("size", &hidden.len().to_string())]);
    let text = "x".repeat(10);
    place.refuses(&tar.file("a", &text), "two sizes");
    let same = Tar::default().posix(&[("size", "10")]).file("a", &text);
    place.unpack(&same).unwrap();
}

#[test]
fn l07_two_extended_headers_and_half_entries_are_refused() {
    let Some(place) = Place::new() else { return };
    let twice = Tar::default()
        .posix(&[("path", "a")])
        .posix(&[("path", "b")]);
    place.refuses(&twice.file("c", ""), "two extended headers");
    place.refuses(&Tar::default().posix(&[("path", "a")]), "half an entry");
}

#[test]
fn l08_device_files_are_left_out_and_pipes_are_harmless() {
    let Some(place) = Place::new() else { return };
    let tar = Tar::default()
        .entry(EntryType::Block, "sda", "", 0o666)
        .entry(EntryType::Char, "mem", "", 0o666)
        .entry(EntryType::Fifo, "pipe", "", 0o622);
    place.unpack(&tar).unwrap();
    assert!(!place.at("sda").exists() && !place.at("mem").exists());
    let pipe = fs::metadata(place.at("pipe")).unwrap();
    assert!(pipe.file_type().is_fifo() && pipe.mode() & 0o777 == 0o622);
    let strange = Tar::default().entry(EntryType::new(b'Z'), "z", "", 0o644);
    place.refuses(&strange, "unknown kind");
}

#[test]
fn l09_whiteouts_become_an_overlays_own_and_hide_nothing_of_their_own_layer() {
    let Some(place) = Place::new() else { return };
    let tar = Tar::default()
        .file("d/.wh.gone", "")
        .file("d/.wh..wh..opq", "")
        .file("kept", "x")
        .file(".wh.kept", "")
        .file(".wh.remade", "")
        .folder("remade")
        .folder("dir")
        .file(".wh.dir", "")
        .file(".wh..wh.plnk", "");
    place.unpack(&tar).unwrap();
    assert!(place.is_whiteout("d/gone") && place.is_opaque("d"));
    assert_eq!(fs::read(place.at("kept")).unwrap(), b"x");
    assert!(place.is_opaque("remade") && place.is_opaque("dir"));
    assert!(!place.at(".wh..wh.plnk").exists());
    for name in [".wh.", ".wh..", ".wh...", "d/.wh..."] {
        place.refuses(&Tar::default().file(name, ""), "hides no name");
    }
}

#[test]
fn l09_a_mark_behind_a_link_marks_nothing_outside() {
    let Some(place) = Place::new() else { return };
    let outside = place.outside();
    for mark in [".wh..wh..opq", ".wh.kept"] {
        let tar = Tar::default().symlink("s", outside.to_str().unwrap());
        assert!(place.unpack(&tar.file(&format!("s/{mark}"), "")).is_err());
    }
}

#[test]
fn l10_ten_gigabytes_of_nothing_end_at_the_limit() {
    let Some(place) = Place::new() else { return };
    let size = 10_u64 << 30;
    let mut header = Tar::header(EntryType::Regular, b"zeros", b"", 0, 0o644);
    header.as_gnu_mut();
    header.set_size(size);
    header.set_cksum();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(header.as_bytes()).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..24 {
        gzip.write_all(&zeros).unwrap();
    }
    let bomb = gzip.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let error = place.unpack_bytes(&bomb, 16 << 20).unwrap_err();
    assert!(matches!(error, Error::TooLarge(_)), "{error}");
    assert!(fs::metadata(place.at("zeros")).unwrap().len() <= 16 << 20);
}

#[test]
fn l11_more_entries_than_anybody_needs_are_refused() {
    let Some(place) = Place::new() else { return };
    /// The same bytes for ever.
    struct Repeated(Vec<u8>, usize);
    impl Read for Repeated {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(self.0.len() - self.1);
            buffer[..count].copy_from_slice(&self.0[self.1..self.1 + count]);
            self.1 = (self.1 + count) % self.0.len();
            Ok(count)
        }
    }
    let one = Tar::header(EntryType::Char, b"tiny", b"", 0, 0o644);
    let many = Repeated(one.as_bytes().repeat(64), 0);
    let folder = fs::File::open(place.at("")).unwrap();
    let error = unpack(many, folder.into(), u64::MAX)
        .unwrap_err()
        .to_string();
    assert!(error.contains("1000000 entries"), "{error}");
}

#[test]
fn l12_names_that_no_file_can_have_are_refused() {
    let Some(place) = Place::new() else { return };
    let long = "a/".repeat(2049);
    place.refuses(
        &Tar::default().posix(&[("path", &long)]).file("x", ""),
        "too long a path",
    );
    let name = "n".repeat(256);
    place.refuses(
        &Tar::default().posix(&[("path", &name)]).file("x", ""),
        "too long a name",
    );
    place.refuses(
        &Tar::default().posix(&[("path", "a\0b")]).file("x", ""),
        "NUL",
    );
    let deep = "d/".repeat(2000) + "x";
    place
        .unpack(&Tar::default().posix(&[("path", &deep)]).file("x", ""))
        .unwrap();
    place
        .unpack(&Tar::default().file("new\nline", "x"))
        .unwrap();
    assert!(place.at("new\nline").is_file());
}

#[test]
fn l13_sparse_files_are_refused_however_they_are_written() {
    let Some(place) = Place::new() else { return };
    place.refuses(
        &Tar::default().entry(EntryType::GNUSparse, "s", "", 0o644),
        "sparse",
    );
    place.refuses(
        &Tar::default()
            .posix(&[("GNU.sparse.size", "9")])
            .file("s", ""),
        "sparse",
    );
}

#[test]
fn l14_a_layer_that_is_cut_short_is_refused_at_every_byte() {
    let Some(place) = Place::new() else { return };
    let whole = Tar::default()
        .folder("d")
        .file("d/a", &"x".repeat(700))
        .file("b", "y")
        .bytes();
    let end = whole.len() - 1024;
    for length in (0..end).step_by(97) {
        let cut = place.unpack_bytes(&whole[..length], 1 << 20);
        // Where an entry ends, only the digest can tell.
        let digest = Digest::of(&whole);
        assert!(
            cut.is_err() || cut.is_ok_and(|cut| cut.diff_id != digest),
            "{length}"
        );
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&whole).unwrap();
    let gzip = gzip.finish().unwrap();
    for length in 3..gzip.len() {
        assert!(
            place.unpack_bytes(&gzip[..length], 1 << 20).is_err(),
            "{length}"
        );
    }
}

#[test]
fn owners_and_headers_that_cannot_be_are_refused() {
    let Some(place) = Place::new() else { return };
    let owner = u32::MAX.to_string();
    place.refuses(
        &Tar::default().posix(&[("uid", &owner)]).file("a", ""),
        "owner",
    );
    let mut damaged = Tar::default().file("a", "x").bytes();
    damaged[3] ^= 1;
    assert!(
        place.unpack_bytes(&damaged, 1 << 20).is_err(),
        "the checksum tells"
    );
    let contents = Tar::header(EntryType::Symlink, b"l", b"x", 5, 0o777);
    place.refuses(&Tar::default().push(&contents, b"12345"), "contents");
    assert!(place.unpack_bytes(&vec![7; 4096], 1 << 20).is_err());
}

#[test]
fn what_is_left_in_a_folder_by_others_is_not_followed() {
    let Some(place) = Place::new() else { return };
    symlink(place.outside(), place.at("there")).unwrap();
    assert!(place.unpack(&Tar::default().file("there/x", "")).is_err());
}

/// One of few names, so that they meet.
fn name() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "b",
        "c",
        ".",
        "..",
        ".wh.a",
        ".wh.b",
        ".wh..wh..opq",
    ]);
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"))
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        name(),
        name().prop_map(|name| format!("/{name}")),
        name().prop_map(|name| format!("../../outside/{name}")),
        Just("../outside/kept".to_owned()),
        Just("../outside".to_owned()),
    ]
}

proptest! {
    #[test]
    fn no_layer_reaches_outside_of_its_folder(
        entries in prop::collection::vec((0..6_u8, name(), target()), 1..24)
    ) {
        if let Some(place) = Place::new() {
            let tar = entries.iter().fold(Tar::default(), |tar, (kind, name, target)| match kind {
                0 => tar.file(name, target),
                1 => tar.folder(name),
                2 => tar.symlink(name, target),
                3 => tar.hard_link(name, target),
                4 => tar.entry(EntryType::Fifo, name, "", 0o777),
                _ => tar.entry(EntryType::Directory, name, "", 0o777),
            });
            // The same twice, into the same folder, is no harm either.
            let first = place.unpack(&tar);
            let second = place.unpack(&tar);
            if let (Ok(first), Ok(second)) = (first, second) {
                prop_assert_eq!(first, second);
            }
            // Nothing in it is a device but what hides a name.
            for entry in fs::read_dir(place.at("")).unwrap() {
                let there = entry.unwrap().path().symlink_metadata().unwrap();
                let kind = there.file_type();
                prop_assert!(!kind.is_block_device() && (!kind.is_char_device() || there.rdev() == 0));
            }
        }
    }

    #[test]
    fn no_bytes_end_the_program(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        if let Some(place) = Place::new() {
            let _ = place.unpack_bytes(&bytes, 1 << 20);
            // A header that is right, but for a few bytes.
            let mut tar = Tar::default().posix(&[("path", "a")]).file("b", "text").bytes();
            for pair in bytes.chunks_exact(3).take(4) {
                let at = usize::from(pair[0]) * 256 + usize::from(pair[1]);
                let length = tar.len();
                tar[at % length] = pair[2];
            }
            let _ = place.unpack_bytes(&tar, 1 << 20);
            let _ = std::ffi::OsStr::from_bytes(&bytes);
        }
    }
}
