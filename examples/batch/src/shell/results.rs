//! The results of jobs, in files of the framework's own: `results/<job>/<partition>`.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use tokio::io::AsyncReadExt;

use crate::{
    core::Job,
    ids::{JobId, Place},
    limits::{BUFFER_BYTES, CHUNK_BYTES},
    part::{PartError, PartReader},
};

/// The folder of all results.
#[derive(Debug, Clone)]
pub(super) struct Results(PathBuf);

impl Results {
    /// In the work dir.
    pub(super) fn new(work_dir: &Path) -> Self {
        Self(work_dir.join("results"))
    }

    fn folder(&self, job: &JobId) -> PathBuf {
        // The id of a job that was taken has no slash in it; see `ids`.
        self.0.join(job.as_str())
    }

    /// Where a partition of a job's result is.
    pub(super) fn file(&self, job: &JobId, partition: u32) -> PathBuf {
        self.folder(job).join(partition.to_string())
    }

    /// Where a partition may be put while it is not yet known to be whole.
    pub(super) fn draft(&self, job: &JobId, partition: u32) -> io::Result<PathBuf> {
        fs::create_dir_all(self.folder(job))?;
        Ok(self.folder(job).join(format!("{partition}.draft")))
    }

    /// Checks a draft, and makes it the partition. Blocks.
    pub(super) fn accept(
        &self,
        job: &JobId,
        partition: u32,
        draft: &Path,
    ) -> Result<(), PartError> {
        let mut part = PartReader::new(BufReader::with_capacity(BUFFER_BYTES, File::open(draft)?));
        let plain = draft.with_extension("plain");
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(&plain)?);
        while let Some(record) = part.read()? {
            out.write_all(record)?;
            out.write_all(b"\n")?;
        }
        let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        // On disk before the job is said to have succeeded.
        out.sync_all()?;
        fs::rename(&plain, self.file(job, partition))?;
        File::open(self.folder(job))?.sync_all()?;
        fs::remove_file(draft)?;
        Ok(())
    }

    /// Removes a job's result, if it has any. Blocks.
    pub(super) fn forget(&self, job: &JobId) {
        let folder = self.folder(job);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(?folder, %error, "cannot remove an old result");
            }
            _ => {}
        }
    }

    /// The files of a job's result, partition by partition.
    pub(super) fn files(&self, job: &Job) -> Vec<PathBuf> {
        let last = job.stages.len().saturating_sub(1) as u32;
        let places = job.tasks().map(|(place, _)| place);
        places
            .filter(|Place { stage, .. }| *stage == last)
            .map(|Place { partition, .. }| self.file(&job.id, partition))
            .collect()
    }
}

/// Files one after another, piece by piece.
#[derive(Debug)]
pub(super) struct Pieces {
    files: std::vec::IntoIter<PathBuf>,
    open: Option<tokio::fs::File>,
}

impl Pieces {
    /// Before the first file.
    pub(super) fn of(files: Vec<PathBuf>) -> Self {
        Self {
            files: files.into_iter(),
            open: None,
        }
    }

    /// The next piece; none after the last file.
    pub(super) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let Some(file) = &mut self.open else {
                let Some(path) = self.files.next() else {
                    return Ok(None);
                };
                self.open = Some(tokio::fs::File::open(path).await?);
                continue;
            };
            let mut piece = vec![0; CHUNK_BYTES];
            let length = file.read(&mut piece).await?;
            if length > 0 {
                piece.truncate(length);
                return Ok(Some(piece));
            }
            self.open = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::PartWriter;

    fn drafted(results: &Results, partition: u32, record: &[u8]) -> PathBuf {
        let draft = results.draft(&JobId::new("j", 1), partition).unwrap();
        let mut part = PartWriter::new(File::create(&draft).unwrap());
        part.write(record).unwrap();
        part.finish().unwrap();
        draft
    }

    #[tokio::test]
    async fn a_result_is_the_plain_records_of_every_partition_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let results = Results::new(folder.path());
        let job = JobId::new("j", 1);
        for (partition, record) in [(0, b"a\t1"), (1, b"b\t2")] {
            let draft = drafted(&results, partition, record);
            results.accept(&job, partition, &draft).unwrap();
            assert!(!draft.exists());
        }
        let mut pieces = Pieces::of(vec![results.file(&job, 0), results.file(&job, 1)]);
        let mut text = Vec::new();
        while let Some(piece) = pieces.next().await.unwrap() {
            text.extend(piece);
        }
        assert_eq!(text, b"a\t1\nb\t2\n");
        results.forget(&job);
        results.forget(&job);
        assert!(!results.folder(&job).exists());
    }

    #[test]
    fn a_draft_that_is_not_whole_is_no_result() {
        let folder = tempfile::tempdir().unwrap();
        let results = Results::new(folder.path());
        let draft = drafted(&results, 0, b"a\t1");
        let bytes = fs::read(&draft).unwrap();
        fs::write(&draft, &bytes[..bytes.len() - 3]).unwrap();
        let job = JobId::new("j", 1);
        assert!(matches!(
            results.accept(&job, 0, &draft),
            Err(PartError::Cut { .. })
        ));
        assert!(!results.file(&job, 0).exists());
    }
}
