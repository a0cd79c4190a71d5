//! Bytes on their way: counted, verified and decompressed as they come.

use std::io::{self, BufReader, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use crate::{Digest, Error, digest::Hasher, limits};

const BUFFER_BYTES: usize = 128 << 10;

/// Reads a blob and knows in the end whether it was the one asked for.
#[derive(Debug)]
pub(crate) struct Verified<R> {
    inner: R,
    hasher: Hasher,
    count: u64,
    /// The most that is read. One byte more is an error at once.
    limit: u64,
}

impl<R: Read> Verified<R> {
    pub(crate) fn new(inner: R, limit: u64) -> Self {
        Self {
            inner,
            hasher: Hasher::default(),
            count: 0,
            limit,
        }
    }

    /// Reads what is left, and gives the digest and the size of all.
    pub(crate) fn finish(mut self) -> io::Result<(Digest, u64)> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while self.read(&mut buffer)? > 0 {}
        Ok((self.hasher.finish(), self.count))
    }
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.count += count as u64;
        if self.count > self.limit {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it has more than {} bytes", self.limit),
            ));
        }
        Ok(count)
    }
}

/// Reads what was compressed by gzip, by zstd, or not at all, whatever it is said to be.
pub(crate) fn decompress<'a>(source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut source = Peeked {
        ahead: Vec::new(),
        inner: BufReader::with_capacity(BUFFER_BYTES, source),
    };
    Ok(match source.peek()? {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(source)),
        start if is_zstd(start) => Box::new(Frames::Between(source)),
        _ => Box::new(source),
    })
}

/// Reads also what was compressed by xz or bzip2, in which no layers are, but archives are.
pub(crate) fn decompress_any<'a>(source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut source = Peeked {
        ahead: Vec::new(),
        inner: BufReader::with_capacity(BUFFER_BYTES, source),
    };
    Ok(match source.peek()? {
        [0xfd, b'7', b'z', b'X'] => {
            let limit = limits::MAX_DICTIONARY_KILOBYTES;
            Box::new(XzReader::new_mem_limit(source, true, limit))
        }
        [b'B', b'Z', b'h', b'1'..=b'9'] => Box::new(MultiBzDecoder::new(source)),
        _ => return decompress(source),
    })
}

fn is_zstd(start: &[u8]) -> bool {
    start == [0x28, 0xb5, 0x2f, 0xfd] || is_skippable(start)
}

fn is_skippable(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

/// Bytes of which the next few can be looked at.
struct Peeked<R> {
    ahead: Vec<u8>,
    inner: BufReader<R>,
}

impl<R: Read> Peeked<R> {
    /// The next four bytes, or fewer if there are no more.
    fn peek(&mut self) -> io::Result<&[u8]> {
        const WIDTH: usize = 4;
        let missing = WIDTH.saturating_sub(self.ahead.len()) as u64;
        self.inner
            .by_ref()
            .take(missing)
            .read_to_end(&mut self.ahead)?;
        Ok(&self.ahead)
    }
}

impl<R: Read> Read for Peeked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            return self.inner.read(buffer);
        }
        let count = buffer.len().min(self.ahead.len());
        buffer[..count].copy_from_slice(&self.ahead[..count]);
        self.ahead.drain(..count);
        Ok(count)
    }
}

/// One frame of zstd after the other: tools that want to find files again write many.
enum Frames<R: Read> {
    Between(Peeked<R>),
    Within(Box<StreamingDecoder<Peeked<R>, FrameDecoder>>),
    Over,
}

impl<R: Read> Frames<R> {
    fn next(self) -> io::Result<Self> {
        let mut source = match self {
            Self::Between(source) => source,
            Self::Within(decoder) => decoder.into_inner(),
            Self::Over => return Ok(Self::Over),
        };
        while is_skippable(source.peek()?) {
            let mut header = [0; 8];
            source.read_exact(&mut header)?;
            let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
            io::copy(&mut source.by_ref().take(length.into()), &mut io::sink())?;
        }
        if source.peek()?.is_empty() {
            return Ok(Self::Over);
        }
        let decoder = StreamingDecoder::new(source);
        decoder
            .map(|decoder| Self::Within(Box::new(decoder)))
            .map_err(io::Error::other)
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                Self::Over => return Ok(0),
                Self::Within(decoder) => match decoder.read(buffer)? {
                    0 if !buffer.is_empty() => {}
                    count => return Ok(count),
                },
                Self::Between(_) => {}
            }
            *self = std::mem::replace(self, Self::Over).next()?;
        }
    }
}

/// What went wrong while a layer was read, for the one who wanted it.
pub(crate) fn failed(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::FileTooLarge => Error::TooLarge(error.to_string()),
        _ => Error::Broken(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn all(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut read = Vec::new();
        decompress(bytes)?.read_to_end(&mut read)?;
        Ok(read)
    }

    #[test]
    fn what_is_compressed_is_told_by_its_first_bytes() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"some text").unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(all(&gzip).unwrap(), b"some text");
        let twice = [gzip.clone(), gzip].concat();
        assert_eq!(all(&twice).unwrap(), b"some textsome text");
        for text in [&b""[..], b"a", b"some text"] {
            assert_eq!(all(text).unwrap(), text);
        }
    }

    #[test]
    fn frames_of_zstd_follow_each_other_and_some_are_skipped() {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let frame = ruzstd::encoding::compress_to_vec(&b"some text"[..], level);
        let skipped = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
        let bytes = [skipped.clone(), frame.clone(), skipped, frame.clone()].concat();
        assert_eq!(all(&bytes).unwrap(), b"some textsome text");
        assert!(all(&frame[..frame.len() - 3]).is_err(), "cut short");
    }

    #[test]
    fn l14_every_byte_counts_for_digest_and_size() {
        let verified = Verified::new(&b"abc"[..], 3);
        assert_eq!(verified.finish().unwrap(), (Digest::of(b"abc"), 3));
        let error = Verified::new(&b"abcd"[..], 3).finish().unwrap_err();
        assert!(matches!(failed(&error), Error::TooLarge(_)));
    }
}
