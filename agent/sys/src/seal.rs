//! Sealed copies of programs: what runs beside containers cannot be changed from inside one.

use std::{
    ffi::CStr,
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::memfd::{MFdFlags, memfd_create},
};

/// The name under which `/proc/PID/exe` shows the copy.
const NAME: &CStr = c"tepui";

/// Copies a program into memory and seals it: nobody can write to it or give it another size.
///
/// A container that runs as root can open the program of its init through `/proc/1/exe`; with the
/// file itself there, it could replace the agent on the host (CVE-2019-5736, CVE-2019-0204).
pub fn seal_program(path: &Path) -> io::Result<OwnedFd> {
    let mut program = File::open(path)?;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let executable = MFdFlags::from_bits_retain(libc::MFD_EXEC);
    let copy = match memfd_create(NAME, flags | executable) {
        // Kernels before 6.3 know no such flag, and make every copy executable.
        Err(nix::Error::EINVAL) => memfd_create(NAME, flags)?,
        made => made?,
    };
    let mut copy = File::from(copy);
    io::copy(&mut program, &mut copy)?;
    let seals = SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SEAL;
    fcntl(copy.as_fd(), FcntlArg::F_ADD_SEALS(seals))?;
    Ok(copy.into())
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::fd::AsRawFd, process::Command};

    use super::*;

    #[test]
    fn a_sealed_program_runs_and_cannot_be_written() {
        let sealed = seal_program(Path::new("/bin/true")).unwrap();
        let path = format!("/proc/self/fd/{}", sealed.as_raw_fd());
        assert!(Command::new(&path).status().unwrap().success());
        let mut copy = File::from(sealed);
        assert_eq!(
            copy.write(b"#!").unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        assert!(copy.set_len(0).is_err());
    }
}
