//! The first stage: reads files or lines, and writes what the builtin or the command makes of them.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::PathBuf,
};

use super::{Failure, command, output::Outputs};
use crate::{
    limits::BUFFER_BYTES,
    paths,
    spec::{Builtin, Work},
    words::Splitter,
};

/// Maps every file of a list.
pub(super) fn files(list: &str, work: &Work, outputs: &mut Outputs) -> Result<(), Failure> {
    let texts = paths::decode(list).map(|path| {
        let path = PathBuf::from(path?);
        let file = File::open(&path).map_err(Failure::io("open", &path))?;
        Ok((path, file))
    });
    texts_through(texts, work, outputs)
}

/// Maps every line.
pub(super) fn lines(lines: &[String], work: &Work, outputs: &mut Outputs) -> Result<(), Failure> {
    let texts = lines.iter().enumerate().map(|(index, line)| {
        Ok((
            PathBuf::from(format!("line {index} of the input")),
            line.as_bytes(),
        ))
    });
    texts_through(texts, work, outputs)
}

/// A named text, or why it cannot be had.
type Text<R> = Result<(PathBuf, R), Failure>;

fn texts_through<R: Read>(
    texts: impl Iterator<Item = Text<R>> + Send,
    work: &Work,
    outputs: &mut Outputs,
) -> Result<(), Failure> {
    match (&work.command, work.builtin) {
        (Some(command), _) => {
            let feed = |stdin: &mut dyn Write| copy(texts, stdin);
            command::run(command, feed, |line| outputs.write(line))
        }
        (None, Some(Builtin::Words)) => words(texts, outputs),
        (None, _) => Err(Failure::NoPlan),
    }
}

fn words<R: Read>(
    texts: impl Iterator<Item = Text<R>>,
    outputs: &mut Outputs,
) -> Result<(), Failure> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut splitter = Splitter::new();
    let mut count = |word: &[u8]| outputs.count(word, 1);
    for text in texts {
        let (name, mut text) = text?;
        loop {
            let length = read(&mut text, &mut buffer).map_err(Failure::io("read", &name))?;
            if length == 0 {
                break;
            }
            splitter.feed(&buffer[..length], &mut count)?;
        }
        splitter.end(&mut count)?;
    }
    Ok(())
}

/// Gives the texts to a command, each one ending in a line end.
fn copy<R: Read>(
    texts: impl Iterator<Item = Text<R>>,
    stdin: &mut dyn Write,
) -> Result<(), Failure> {
    let mut buffer = vec![0; BUFFER_BYTES];
    for text in texts {
        let (name, mut text) = text?;
        let mut last = b'\n';
        loop {
            let length = read(&mut text, &mut buffer).map_err(Failure::io("read", &name))?;
            let Some(&byte) = buffer[..length].last() else {
                break;
            };
            last = byte;
            stdin
                .write_all(&buffer[..length])
                .map_err(Failure::Command)?;
        }
        // An empty line of the input is a line; an empty file has none.
        if last != b'\n' {
            stdin.write_all(b"\n").map_err(Failure::Command)?;
        }
    }
    Ok(())
}

/// Reads once more when a signal came between.
fn read(text: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match text.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
