//! Archives of every kind, and zip archives that are not what they say.

use std::{fs, io::Seek as _, os::unix::fs::MetadataExt as _};

use super::*;

/// A tar with `a/file`, compressed by xz and by bzip2.
const XZ: &[u8] = &[
    0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01,
    0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0xe0, 0x27, 0xff, 0x00, 0x5d, 0x5d, 0x00, 0x30,
    0x8b, 0xc8, 0xc6, 0xd4, 0x0c, 0xa9, 0x86, 0x11, 0x7d, 0xf3, 0xf2, 0xe5, 0x77, 0xd9, 0xae, 0x14,
    0x2b, 0x28, 0x48, 0x68, 0xf3, 0xdb, 0xd0, 0x53, 0x66, 0x6c, 0x42, 0x3e, 0x35, 0xfc, 0x73, 0xdd,
    0x8b, 0xa4, 0x47, 0x91, 0x23, 0x09, 0x4f, 0x43, 0x83, 0x9d, 0xbf, 0x1f, 0x75, 0x87, 0xfe, 0x6c,
    0x7e, 0x7d, 0xdc, 0x45, 0xff, 0x7f, 0x0f, 0xd5, 0x71, 0x25, 0x94, 0x37, 0xd0, 0xff, 0x0d, 0xd0,
    0xf5, 0x60, 0xba, 0x09, 0x35, 0xd1, 0x5d, 0xb5, 0x63, 0x6d, 0xe2, 0x5d, 0x96, 0x32, 0x29, 0x1c,
    0x51, 0xc9, 0xe9, 0x75, 0x03, 0x6a, 0x0b, 0x8d, 0x20, 0xe6, 0x6a, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x83, 0x07, 0x19, 0x2f, 0x6a, 0x29, 0x48, 0xdc, 0x00, 0x01, 0x79, 0x80, 0x50, 0x00, 0x00, 0x00,
    0xe4, 0x37, 0x93, 0x95, 0xb1, 0xc4, 0x67, 0xfb, 0x02, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
];
const BZIP2: &[u8] = &[
    0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0xdd, 0xc6, 0x82, 0xc0, 0x00, 0x00,
    0x6d, 0x7b, 0x80, 0xc9, 0x80, 0x00, 0x02, 0x40, 0x00, 0xd7, 0x80, 0x00, 0x10, 0x63, 0x64, 0x9e,
    0x00, 0x08, 0x08, 0x20, 0x00, 0x54, 0x34, 0x44, 0xda, 0x86, 0x40, 0x7a, 0x86, 0x9e, 0x53, 0xd4,
    0x12, 0x48, 0x9a, 0x1a, 0x68, 0xd0, 0x32, 0x68, 0x1f, 0x6f, 0x11, 0xc8, 0x41, 0xd5, 0xc8, 0x42,
    0x25, 0x6d, 0x31, 0x27, 0x28, 0xe0, 0x81, 0x0c, 0x0c, 0x73, 0x37, 0x89, 0xec, 0x23, 0x87, 0x20,
    0xb3, 0xb1, 0xd5, 0x78, 0x4c, 0x0c, 0x72, 0xed, 0xef, 0x90, 0xce, 0xc8, 0x16, 0x22, 0x35, 0x22,
    0x20, 0x3f, 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, 0xdd, 0xc6, 0x82, 0xc0,
];

/// A zip in the making, in which everything may be wrong.
#[derive(Default)]
struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

/// One entry of a zip.
#[derive(Clone)]
struct Member {
    name: &'static str,
    /// The name that stands before the contents.
    local_name: &'static str,
    contents: Vec<u8>,
    mode: u32,
    method: u16,
    flags: u16,
    crc: u32,
    size: u32,
}

impl Member {
    fn new(name: &'static str, contents: &[u8], mode: u32) -> Self {
        Self {
            name,
            local_name: name,
            contents: contents.to_vec(),
            mode,
            method: 0,
            flags: 0,
            crc: crc32fast::hash(contents),
            size: contents.len() as u32,
        }
    }

    fn deflated(name: &'static str, contents: &[u8]) -> Self {
        let mut deflate =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        deflate.write_all(contents).unwrap();
        Self {
            method: 8,
            contents: deflate.finish().unwrap(),
            ..Self::new(name, contents, 0o100_644)
        }
    }
}

impl Zip {
    fn push(mut self, member: &Member) -> Self {
        let offset = self.bytes.len() as u32;
        let packed = member.contents.len() as u32;
        let common = |name: &str| {
            let mut bytes = Vec::new();
            for number in [20, member.flags, member.method, 0, 0] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            for number in [member.crc, packed, member.size] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
            bytes.extend_from_slice(&[0; 2]);
            bytes
        };
        self.bytes.extend_from_slice(b"PK\x03\x04");
        self.bytes.extend_from_slice(&common(member.local_name));
        self.bytes.extend_from_slice(member.local_name.as_bytes());
        self.bytes.extend_from_slice(&member.contents);
        // Written on Unix.
        self.directory.extend_from_slice(b"PK\x01\x02\x14\x03");
        self.directory.extend_from_slice(&common(member.name));
        self.directory.extend_from_slice(&[0; 6]);
        self.directory
            .extend_from_slice(&(member.mode << 16).to_le_bytes());
        self.directory.extend_from_slice(&offset.to_le_bytes());
        self.directory.extend_from_slice(member.name.as_bytes());
        self.count += 1;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.bytes.clone(), self.directory.clone()].concat();
        bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        for _ in 0..2 {
            bytes.extend_from_slice(&self.count.to_le_bytes());
        }
        bytes.extend_from_slice(&(self.directory.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(self.bytes.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&7_u16.to_le_bytes());
        bytes.extend_from_slice(b"comment");
        bytes
    }
}

/// Unpacks into a new folder.
fn unpacked(bytes: &[u8], form: Form, limit: u64) -> Result<tempfile::TempDir, Error> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    let into = File::open(folder.path().join("in")).unwrap().into();
    let done = extract(&file, (form, "x.gz"), into, limit, &Arc::default());
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing outside");
    done.map(|_| folder)
}

#[test]
fn what_is_an_archive_is_said_by_the_end_of_its_name() {
    for name in ["a.tar", "a.tar.gz", "a.tgz", "a.tbz2", "a.txz", "a.tar.zst"] {
        assert_eq!(Form::of(name), Some(Form::Tar), "{name}");
    }
    assert_eq!(Form::of("a.zip"), Some(Form::Zip));
    assert_eq!(Form::of("a.gz"), Some(Form::Single));
    for name in ["a", "tar", ".gz", "a.jar", "a.tar.gz.asc", "a.rpm"] {
        assert_eq!(Form::of(name), None, "{name}");
    }
}

#[test]
fn a_tar_may_be_compressed_in_any_of_the_known_ways() {
    let mut plain = Vec::new();
    decompress_any(XZ).unwrap().read_to_end(&mut plain).unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = ruzstd::encoding::compress_to_vec(plain.as_slice(), level);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let gzip = gzip.finish().unwrap();
    for bytes in [&plain, XZ, BZIP2, &zstd, &gzip] {
        let folder = unpacked(bytes, Form::Tar, 1 << 20).unwrap();
        let text = fs::read(folder.path().join("in/a/file")).unwrap();
        assert_eq!(text, b"hello");
        let half = unpacked(&bytes[..bytes.len() / 2], Form::Tar, 1 << 20);
        // Of the plain one only empty blocks are missing.
        assert!(half.is_err() || bytes == plain);
        assert!(matches!(
            unpacked(bytes, Form::Tar, 100),
            Err(Error::TooLarge(_))
        ));
    }
    for bytes in [XZ, BZIP2] {
        for at in [10, 30, bytes.len() - 20] {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 0x55;
            assert!(unpacked(&damaged, Form::Tar, 1 << 20).is_err(), "{at}");
        }
    }
}

#[test]
fn a_zip_has_files_folders_links_and_permissions() {
    let zip = Zip::default()
        .push(&Member::new("folder/", b"", 0o040_755))
        .push(&Member::new("folder/tool", b"tool", 0o104_755))
        .push(&Member::deflated("text", &b"text ".repeat(10_000)))
        .push(&Member::new("link", b"folder/tool", 0o120_777));
    let folder = unpacked(&zip.bytes(), Form::Zip, 1 << 20).unwrap();
    let at = |name: &str| folder.path().join("in").join(name);
    assert_eq!(fs::read(at("link")).unwrap(), b"tool");
    assert_eq!(at("folder/tool").metadata().unwrap().mode() & 0o7777, 0o755);
    assert_eq!(at("text").metadata().unwrap().len(), 50_000);
    assert!(matches!(
        unpacked(&zip.bytes(), Form::Zip, 1000),
        Err(Error::TooLarge(_))
    ));
}

/// Zips of one entry that mean harm.
fn hostile() -> Vec<(&'static str, Member)> {
    let good = Member::new("a", b"a", 0o100_644);
    let bomb = Member {
        size: 10,
        ..Member::deflated("a", &[0; 100_000])
    };
    vec![
        (
            "up",
            Member {
                name: "../a",
                local_name: "../a",
                ..good.clone()
            },
        ),
        (
            "two names",
            Member {
                local_name: "b",
                ..good.clone()
            },
        ),
        (
            "device",
            Member {
                mode: 0o060_644,
                ..good.clone()
            },
        ),
        (
            "encrypted",
            Member {
                flags: 1,
                ..good.clone()
            },
        ),
        (
            "unknown compression",
            Member {
                method: 99,
                ..good.clone()
            },
        ),
        (
            "checksum",
            Member {
                crc: 7,
                ..good.clone()
            },
        ),
        (
            "two sizes",
            Member {
                size: 2,
                ..good.clone()
            },
        ),
        ("more than it says", bomb),
        (
            "endless link",
            Member {
                mode: 0o120_777,
                ..Member::new("a", &[b'x'; 5000], 0)
            },
        ),
    ]
}

#[test]
fn l01_to_l14_zips_that_lead_out_or_lie_are_refused() {
    for (what, member) in hostile() {
        let zip = Zip::default().push(&member);
        assert!(
            unpacked(&zip.bytes(), Form::Zip, 1 << 20).is_err(),
            "{what}"
        );
    }
}

#[test]
fn l03_a_link_of_a_zip_that_leads_out_means_the_folder_that_is_unpacked_into() {
    let zip = Zip::default()
        .push(&Member::new("out", b"/", 0o120_777))
        .push(&Member::new("out/file", b"a", 0o100_644));
    let folder = unpacked(&zip.bytes(), Form::Zip, 1 << 20).unwrap();
    assert_eq!(fs::read(folder.path().join("in/file")).unwrap(), b"a");
}

#[test]
fn whatever_is_cut_off_or_damaged_in_a_zip_nothing_breaks() {
    let good = Member::new("a", b"a", 0o100_644);
    let bytes = Zip::default()
        .push(&good)
        .push(&Member::deflated("b", b"bb"))
        .bytes();
    for length in 0..bytes.len() {
        assert!(
            unpacked(&bytes[..length], Form::Zip, 1 << 20).is_err(),
            "{length}"
        );
        let mut damaged = bytes.clone();
        damaged[length] = 0xff;
        let _ = unpacked(&damaged, Form::Zip, 1 << 20);
    }
}
