//! What a program says of its version and its build.

use tepui_proto::v1;

/// A version, with what Mesos tells of a build beside it. A binary of ours does not know when and
/// by whom it was built: the same source gives the same bytes. So the time is the start of 1970,
/// and the user has no name; both are of the types that Mesos' clients read.
#[must_use]
pub fn version_info(version: impl Into<String>) -> v1::VersionInfo {
    v1::VersionInfo {
        version: version.into(),
        build_date: Some("1970-01-01 00:00:00".to_owned()),
        build_time: Some(0.0),
        build_user: Some(String::new()),
        ..v1::VersionInfo::default()
    }
}
