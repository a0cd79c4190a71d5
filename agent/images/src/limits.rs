//! Every number that bounds something here, by name.

use std::time::Duration;

/// The longest image reference, in bytes.
pub const MAX_REFERENCE_BYTES: usize = 1024;

/// The longest manifest, index or configuration of an image, in bytes (the registries' own limit).
pub const MAX_DOCUMENT_BYTES: usize = 4 << 20;

/// The longest answer of a server that hands out tokens, in bytes.
pub const MAX_TOKEN_BYTES: usize = 64 << 10;

/// The longest file of credentials, in bytes.
pub const MAX_CREDENTIALS_BYTES: u64 = 1 << 20;

/// The layers of one image: as many as a root may have.
pub const MAX_LAYERS: usize = 128;

/// The manifests that one index may list.
pub const MAX_MANIFESTS: usize = 1000;

/// How many indexes may lead from one to the next.
pub const MAX_INDEX_DEPTH: usize = 3;

/// The largest layer when unpacked, in bytes, whatever the store may hold.
pub const MAX_LAYER_BYTES: u64 = 64 << 30;

/// The entries of one layer. Each takes an inode, whatever its size.
pub const MAX_ENTRIES: u64 = 1_000_000;

/// The bytes of all names of one layer's folders, which are held until it is unpacked.
pub const MAX_FOLDER_NAME_BYTES: usize = 64 << 20;

/// The longest path of an entry, in bytes (Linux' own limit).
pub const MAX_PATH_BYTES: usize = 4096;

/// The longest part of a path, in bytes (most file systems' own limit).
pub const MAX_NAME_BYTES: usize = 255;

/// The longest extended header of an entry, in bytes.
pub const MAX_EXTENSION_BYTES: u64 = 1 << 20;

/// The extended attributes of one entry.
pub const MAX_ATTRIBUTES: usize = 64;

/// The memory that an archive may want to be decompressed, in kilobytes: what `xz -9` writes wants
/// 65 MB, and who unpacks it needs that much.
pub const MAX_DICTIONARY_KILOBYTES: u32 = 96 << 10;

/// The longest directory of a zip archive, in bytes.
pub const MAX_ZIP_DIRECTORY_BYTES: u64 = 128 << 20;

/// The longest link in a zip archive, in bytes.
pub const MAX_LINK_BYTES: u64 = 4095;

/// The members of an archive of images.
pub const MAX_MEMBERS: usize = 10_000;

/// What must stay free on the store's disk while a layer is unpacked, in bytes.
pub const MIN_FREE_BYTES: u64 = 256 << 20;

/// How much is written between two looks at the free space, in bytes.
pub const FREE_CHECK_BYTES: u64 = 32 << 20;

/// Layers that are fetched and unpacked at once, of all images.
pub const LAYERS_AT_ONCE: usize = 4;

/// Chunks of a download that wait to be unpacked; then the download waits.
pub const CHUNKS_IN_LINE: usize = 16;

/// Redirections that are followed for one answer.
pub const MAX_REDIRECTS: usize = 5;

/// How often something is asked of a registry that fails in a way that may pass.
pub const ATTEMPTS: u32 = 3;

/// The pause before the second attempt; it doubles from one to the next.
pub const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause that a registry may ask for.
pub const MAX_RETRY_PAUSE: Duration = Duration::from_secs(10);

/// How long a connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a registry may take to begin its answer, at most the stall timeout.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How many bytes a second a download must have on average over the stall timeout.
pub const MIN_BYTES_PER_SECOND: u64 = 1024;

/// Images that are remembered by name.
pub const MAX_IMAGES: usize = 10_000;

/// The memory that a process which unpacks a layer may have for itself, in bytes. What compresses
/// best wants 128 MB of it.
pub const UNPACKER_MEMORY_BYTES: u64 = 512 << 20;

/// The processor time of a process that unpacks a layer, in seconds: the largest takes a quarter.
pub const UNPACKER_SECONDS: u64 = 3600;

/// The files that a process which unpacks a layer may have open.
pub const UNPACKER_FILES: u64 = 32;

/// How long a process that unpacks a layer may take no byte, or may say nothing after the last.
pub const UNPACKER_PATIENCE: Duration = Duration::from_secs(120);

/// The longest verdict of such a process, in bytes.
pub const MAX_VERDICT_BYTES: u64 = 64 << 10;
