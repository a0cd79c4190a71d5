//! Files of sandboxes by path: LIST_FILES and READ_FILE (Mesos: SBX-03).
//!
//! Only what is below the folders of all sandboxes is shown; no link leads out of them.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::fs::{FileExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};

use tepui_agent_core::ExecutorKey;
use tepui_model::{ExecutorId, FrameworkId};
use tepui_proto::v1::{
    self,
    agent::{call, response},
};
use tokio::task::spawn_blocking;
use tonic::Status;

use crate::{limits, sandbox};

/// The entries of a folder.
pub(super) async fn list(sandboxes: &Path, path: String) -> Result<response::ListFiles, Status> {
    let sandboxes = sandboxes.to_owned();
    blocking(path, move |path| {
        let folder = open(&sandboxes, path)?;
        if !folder.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        // Through the open descriptor: the path may mean something else by now.
        let opened = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        let mut file_infos = Vec::new();
        for entry in fs::read_dir(&opened)?.take(limits::LIST_FILES_ENTRIES) {
            let entry = entry?;
            // What has just been removed is not there.
            let Ok(status) = fs::symlink_metadata(opened.join(entry.file_name())) else {
                continue;
            };
            file_infos.push(describe(&Path::new(path).join(entry.file_name()), &status));
        }
        file_infos.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(response::ListFiles { file_infos })
    })
    .await
}

/// A part of a file, and how long the file is.
pub(super) async fn read(
    sandboxes: &Path,
    read: call::ReadFile,
) -> Result<response::ReadFile, Status> {
    let sandboxes = sandboxes.to_owned();
    let (offset, length) = (read.offset, read.length);
    blocking(read.path, move |path| {
        let file = open(&sandboxes, path)?;
        let status = file.metadata()?;
        if !status.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let wanted = length
            .unwrap_or(limits::READ_FILE_BYTES)
            .min(limits::READ_FILE_BYTES);
        let wanted = wanted.min(status.len().saturating_sub(offset));
        let mut data = vec![0; usize::try_from(wanted).unwrap_or(0)];
        let count = read_at_most(&file, &mut data, offset)?;
        data.truncate(count);
        Ok(response::ReadFile {
            size: status.len(),
            data,
        })
    })
    .await
}

/// Opens a path that is either below the folder of all sandboxes or relative to it. Containers that
/// stand alone have their sandboxes in a folder beside that.
fn open(sandboxes: &Path, path: &str) -> io::Result<File> {
    let alone = sandboxes.with_file_name(tepui_agent_core::ALONE);
    let full = newest(sandboxes, path)?.unwrap_or_else(|| PathBuf::from(path));
    let (sandboxes, below) = match full.strip_prefix(&alone) {
        Ok(below) => (alone.as_path(), below),
        Err(_) => (sandboxes, full.strip_prefix(sandboxes).unwrap_or(&full)),
    };
    if below.is_absolute() {
        // As if there were nothing else on this machine.
        return Err(io::ErrorKind::NotFound.into());
    }
    let below = if below.as_os_str().is_empty() {
        Path::new(".")
    } else {
        below
    };
    let root = tepui_sys::open_folder(sandboxes)?;
    Ok(File::from(tepui_sys::open_beneath(root.as_fd(), below)?))
}

/// What Mesos' short path of an executor's newest sandbox stands for, whichever agent made that:
/// `/frameworks/F/executors/E/runs/latest`, and what follows.
fn newest(sandboxes: &Path, path: &str) -> io::Result<Option<PathBuf>> {
    let parts: Vec<&str> = path.splitn(8, '/').collect();
    let (framework, executor, below) = match *parts {
        [
            "",
            "frameworks",
            framework,
            "executors",
            executor,
            "runs",
            "latest",
        ] => (framework, executor, ""),
        [
            "",
            "frameworks",
            framework,
            "executors",
            executor,
            "runs",
            "latest",
            below,
        ] => (framework, executor, below),
        _ => return Ok(None),
    };
    let (Ok(framework), Ok(executor)) = (FrameworkId::new(framework), ExecutorId::new(executor))
    else {
        return Ok(None);
    };
    let key = ExecutorKey {
        framework,
        executor,
    };
    Ok(sandbox::find(sandboxes, &key)?.map(|sandbox| sandbox.join(below)))
}

/// Reads until the buffer is full or the file ends.
pub(super) fn read_at_most(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read_at(&mut buffer[count..], offset + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

fn describe(path: &Path, status: &fs::Metadata) -> v1::FileInfo {
    let nanoseconds = status.mtime().saturating_mul(1_000_000_000);
    v1::FileInfo {
        path: path.to_string_lossy().into_owned(),
        nlink: Some(i32::try_from(status.nlink()).unwrap_or(i32::MAX)),
        size: Some(status.len()),
        mtime: Some(v1::TimeInfo {
            nanoseconds: nanoseconds.saturating_add(status.mtime_nsec()),
        }),
        mode: Some(status.mode()),
        uid: Some(status.uid().to_string()),
        gid: Some(status.gid().to_string()),
    }
}

async fn blocking<T: Send + 'static>(
    path: String,
    work: impl FnOnce(&str) -> io::Result<T> + Send + 'static,
) -> Result<T, Status> {
    let done = spawn_blocking(move || work(&path).map_err(|error| refuse(&path, &error))).await;
    done.unwrap_or_else(|error| Err(Status::internal(error.to_string())))
}

/// What a client hears when a file cannot be opened or read.
pub(super) fn refuse(path: &str, error: &io::Error) -> Status {
    let path = path.escape_debug();
    match error.kind() {
        io::ErrorKind::NotFound => Status::not_found(format!("there is no '{path}'")),
        io::ErrorKind::CrossesDevices => {
            Status::permission_denied(format!("'{path}' leads out of the sandbox"))
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::Other => {
            Status::failed_precondition(format!("cannot read '{path}': {error}"))
        }
        io::ErrorKind::InvalidInput => {
            Status::invalid_argument(format!("'{path}' cannot be a path"))
        }
        _ => Status::permission_denied(format!("cannot read '{path}': {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tonic::Code;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::write(run.join("stdout"), "hello").unwrap();
        symlink("/etc/passwd", run.join("out")).unwrap();
        symlink("run", folder.path().join("latest")).unwrap();
        folder
    }

    fn part(path: &str, offset: u64, length: Option<u64>) -> call::ReadFile {
        call::ReadFile {
            path: path.to_owned(),
            offset,
            length,
        }
    }

    #[tokio::test]
    async fn files_are_listed_and_read_by_full_or_short_path() {
        let folder = folder();
        let full = folder.path().join("run").display().to_string();
        for path in [full.as_str(), "run", "latest"] {
            let listed = list(folder.path(), path.to_owned())
                .await
                .unwrap()
                .file_infos;
            let names: Vec<_> = listed.iter().map(|info| info.path.clone()).collect();
            assert_eq!(names, [format!("{path}/out"), format!("{path}/stdout")]);
            assert_eq!(listed[1].size, Some(5));
            let file = format!("{path}/stdout");
            let read = read(folder.path(), part(&file, 1, Some(3))).await.unwrap();
            assert_eq!((read.size, read.data.as_slice()), (5, b"ell".as_slice()));
        }
        let beyond = read(folder.path(), part("run/stdout", 9, None))
            .await
            .unwrap();
        assert_eq!((beyond.size, beyond.data.len()), (5, 0));
    }

    #[tokio::test]
    async fn the_newest_sandbox_of_an_executor_has_a_short_path() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("S0/frameworks/f/executors/t/runs");
        for (run, text) in [("one", "old"), ("two", "new")] {
            crate::sandbox::make(&runs.join(run), &tepui_agent_core::Shown::Latest).unwrap();
            fs::write(runs.join(run).join("stdout"), text).unwrap();
            symlink("/etc", runs.join(run).join("out")).unwrap();
        }
        let path = "/frameworks/f/executors/t/runs/latest";
        let listed = list(folder.path(), path.to_owned()).await.unwrap();
        assert_eq!(listed.file_infos[1].path, format!("{path}/stdout"));
        let stdout = part(&format!("{path}/stdout"), 0, None);
        assert_eq!(read(folder.path(), stdout).await.unwrap().data, b"new");
        let out = part(&format!("{path}/out/passwd"), 0, None);
        let status = read(folder.path(), out).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
        let up = part(&format!("{path}/../../../../../../../../x"), 0, None);
        let status = read(folder.path(), up).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    }

    #[tokio::test]
    async fn files_of_containers_that_stand_alone_are_read_by_their_full_path() {
        let work_dir = tempfile::tempdir().unwrap();
        let alone = work_dir.path().join("containers/one");
        fs::create_dir_all(&alone).unwrap();
        fs::write(alone.join("stdout"), "hello").unwrap();
        let path = alone.join("stdout").display().to_string();
        let sandboxes = work_dir.path().join("slaves");
        let read = read(&sandboxes, part(&path, 0, None)).await.unwrap();
        assert_eq!(read.data, b"hello");
    }

    #[tokio::test]
    async fn what_is_no_file_of_a_sandbox_is_refused() {
        let folder = folder();
        for (path, code) in [
            ("run/none", Code::NotFound),
            ("run/out", Code::PermissionDenied),
            ("../x", Code::PermissionDenied),
            ("/etc/passwd", Code::NotFound),
            ("/frameworks/f/executors/t/runs/latest", Code::NotFound),
            ("run", Code::FailedPrecondition),
            ("run/\0", Code::InvalidArgument),
        ] {
            let status = read(folder.path(), part(path, 0, None)).await.unwrap_err();
            assert_eq!(status.code(), code, "{path}: {status}");
        }
        let status = list(folder.path(), "run/stdout".to_owned())
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
    }
}
