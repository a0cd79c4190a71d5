//! Reading the files that users name.

use std::path::Path;

use crate::failure::Failure;

/// The longest service or job file.
const FILE_BYTES: u64 = 4 << 20;

/// The whole text of a file; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let cannot = |cause: std::io::Error| {
        Failure::Usage(format!(
            "the file {} cannot be read: {cause}",
            path.display()
        ))
    };
    if path == Path::new("-") {
        return std::io::read_to_string(std::io::stdin()).map_err(cannot);
    }
    let length = std::fs::metadata(path).map_err(cannot)?.len();
    if length > FILE_BYTES {
        return Err(Failure::Usage(format!(
            "{} is larger than {FILE_BYTES} bytes",
            path.display()
        )));
    }
    std::fs::read_to_string(path).map_err(cannot)
}
