//! Volumes that a task names itself: of the host, or of its sandbox (Mesos: VOL-08).

use std::path::PathBuf;

use tepui_proto::v1::{
    self, Volume,
    volume::{Mode, Source, source},
};

use super::{Unplannable, secrets};
use crate::{VolumeMount, VolumeOrigin, volumes::is_safe};

/// The volumes of `ContainerInfo.volumes`.
pub(super) fn named(
    container: Option<&v1::ContainerInfo>,
) -> Result<Vec<VolumeMount>, Unplannable> {
    let volumes = container.iter().flat_map(|container| &container.volumes);
    let volumes = volumes.filter(|volume| !secrets::is_secret(volume));
    volumes.map(mount).collect()
}

fn mount(volume: &Volume) -> Result<VolumeMount, Unplannable> {
    let container_path = PathBuf::from(&volume.container_path);
    if !is_safe(&container_path) {
        let path = volume.container_path.escape_debug();
        return Err(Unplannable::Invalid(format!(
            "The container path '{path}' of a volume must not be empty or contain '..'"
        )));
    }
    let (origin, source) = origin(volume)?;
    Ok(VolumeMount {
        origin,
        source,
        container_path,
        read_only: volume.mode() == Mode::Ro,
        shared: false,
    })
}

fn origin(volume: &Volume) -> Result<(VolumeOrigin, PathBuf), Unplannable> {
    match (&volume.host_path, &volume.image, &volume.source) {
        (Some(path), None, None) => host(path),
        (None, Some(_), None) => Err(Unplannable::Unsupported("volumes that are images")),
        (None, None, Some(source)) => of_source(source),
        _ => Err(Unplannable::Invalid(
            "A volume has exactly one of 'host_path', 'image' and 'source'".to_owned(),
        )),
    }
}

fn of_source(source: &Source) -> Result<(VolumeOrigin, PathBuf), Unplannable> {
    let incomplete = || Unplannable::Invalid("The source of a volume is incomplete".to_owned());
    match source.r#type() {
        source::Type::HostPath => {
            let path = source.host_path.as_ref().ok_or_else(incomplete)?;
            if path.mount_propagation.is_some() {
                return Err(Unplannable::Unsupported("mount propagation"));
            }
            host(&path.path)
        }
        source::Type::SandboxPath => {
            let path = source.sandbox_path.as_ref().ok_or_else(incomplete)?;
            let origin = match path.r#type() {
                source::sandbox_path::Type::Parent => VolumeOrigin::Parent,
                _ => VolumeOrigin::Sandbox,
            };
            let inner = PathBuf::from(&path.path);
            if inner.is_absolute() || !is_safe(&inner) {
                let path = path.path.escape_debug();
                return Err(Unplannable::Invalid(format!(
                    "'{path}' is no path inside of a sandbox"
                )));
            }
            Ok((origin, inner))
        }
        source::Type::DockerVolume => Err(Unplannable::Unsupported("docker volumes")),
        source::Type::CsiVolume => Err(Unplannable::Unsupported("CSI volumes")),
        // Secrets are no folders.
        source::Type::Secret | source::Type::Unknown => Err(incomplete()),
    }
}

fn host(path: &str) -> Result<(VolumeOrigin, PathBuf), Unplannable> {
    let path = PathBuf::from(path);
    if !path.is_absolute() {
        return Err(Unplannable::Invalid(
            "The host path of a volume must be absolute; a path of the sandbox is a source of type \
             SANDBOX_PATH"
                .to_owned(),
        ));
    }
    Ok((VolumeOrigin::Host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(change: impl FnOnce(&mut Volume)) -> Result<VolumeMount, Unplannable> {
        let mut volume = Volume {
            mode: Mode::Rw.into(),
            container_path: "data".to_owned(),
            ..Volume::default()
        };
        change(&mut volume);
        mount(&volume)
    }

    fn in_sandbox(path: &str) -> Source {
        Source {
            r#type: Some(source::Type::SandboxPath.into()),
            sandbox_path: Some(source::SandboxPath {
                r#type: Some(source::sandbox_path::Type::Self_.into()),
                path: path.to_owned(),
            }),
            ..Source::default()
        }
    }

    #[test]
    fn a_volume_is_of_the_host_or_of_the_sandbox() {
        let host = asked(|volume| volume.host_path = Some("/srv".to_owned())).unwrap();
        assert_eq!((host.origin, host.read_only), (VolumeOrigin::Host, false));
        let own = asked(|volume| {
            volume.source = Some(in_sandbox("a/b"));
            volume.mode = Mode::Ro.into();
        });
        let own = own.unwrap();
        assert_eq!((own.origin, own.read_only), (VolumeOrigin::Sandbox, true));
        assert_eq!(own.source, PathBuf::from("a/b"));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_invalid() {
        for path in ["/etc", "../x", "", "a/../../b"] {
            let asked = asked(|volume| volume.source = Some(in_sandbox(path)));
            assert!(asked.is_err(), "{path}");
        }
        assert!(asked(|volume| volume.host_path = Some("relative".to_owned())).is_err());
        let up = asked(|volume| {
            volume.host_path = Some("/srv".to_owned());
            volume.container_path = "../up".to_owned();
        });
        assert!(up.is_err());
    }

    #[test]
    fn a_volume_has_exactly_one_origin() {
        assert!(asked(|_| {}).is_err());
        let both = asked(|volume| {
            volume.host_path = Some("/srv".to_owned());
            volume.source = Some(in_sandbox("a"));
        });
        assert!(both.is_err());
    }
}
