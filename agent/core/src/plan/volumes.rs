//! Volumes that a task names itself: of the host, or of its sandbox (Mesos: VOL-08).

use std::path::PathBuf;

use tepui_proto::v1::{
    self, Volume,
    volume::{Mode, Source, source},
};

use super::{ImagePlan, Unplannable, image, secrets};
use crate::{VolumeMount, VolumeOrigin, limits::MAX_IMAGE_VOLUMES, volumes::is_safe};

/// A volume that begins as an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageVolume {
    /// The image.
    pub image: ImagePlan,
    /// The path in the container: absolute, or from the sandbox.
    pub container_path: PathBuf,
    /// Whether the task may only read it. What it writes otherwise goes with the container.
    pub read_only: bool,
}

/// The volumes of `ContainerInfo.volumes` that are images.
pub(super) fn images(
    container: Option<&v1::ContainerInfo>,
) -> Result<Vec<ImageVolume>, Unplannable> {
    let volumes = container.iter().flat_map(|container| &container.volumes);
    let images: Vec<_> = volumes
        .filter_map(|volume| Some((volume, image_of(volume)?)))
        .map(|(volume, image)| {
            Ok(ImageVolume {
                image: image::of_volume(image)?,
                container_path: container_path(volume)?,
                read_only: volume.mode() == Mode::Ro,
            })
        })
        .collect::<Result<_, _>>()?;
    if images.len() > MAX_IMAGE_VOLUMES {
        let text = format!("The task has more than {MAX_IMAGE_VOLUMES} volumes that are images");
        return Err(Unplannable::Invalid(text));
    }
    Ok(images)
}

/// The image that a volume is, if it is nothing else.
fn image_of(volume: &Volume) -> Option<&v1::Image> {
    let other = volume.host_path.is_some() || volume.source.is_some();
    volume.image.as_ref().filter(|_| !other)
}

/// The volumes of `ContainerInfo.volumes`.
pub(super) fn named(
    container: Option<&v1::ContainerInfo>,
) -> Result<Vec<VolumeMount>, Unplannable> {
    let volumes = container.iter().flat_map(|container| &container.volumes);
    let volumes =
        volumes.filter(|volume| !secrets::is_secret(volume) && image_of(volume).is_none());
    volumes.map(mount).collect()
}

fn container_path(volume: &Volume) -> Result<PathBuf, Unplannable> {
    let container_path = PathBuf::from(&volume.container_path);
    if !is_safe(&container_path) {
        let path = volume.container_path.escape_debug();
        return Err(Unplannable::Invalid(format!(
            "The container path '{path}' of a volume must not be empty or contain '..'"
        )));
    }
    Ok(container_path)
}

fn mount(volume: &Volume) -> Result<VolumeMount, Unplannable> {
    let container_path = container_path(volume)?;
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
    fn a_volume_may_be_an_image() {
        let volume = |name: &str, mode: Mode| Volume {
            mode: mode.into(),
            container_path: "data".to_owned(),
            image: Some(v1::Image {
                r#type: v1::image::Type::Docker.into(),
                docker: Some(v1::image::Docker {
                    name: name.to_owned(),
                    ..v1::image::Docker::default()
                }),
                ..v1::Image::default()
            }),
            ..Volume::default()
        };
        let container = |volumes| v1::ContainerInfo {
            volumes,
            ..v1::ContainerInfo::default()
        };
        let two = container(vec![volume("a", Mode::Ro), volume("b:1", Mode::Rw)]);
        let found = images(Some(&two)).unwrap();
        let short = found
            .iter()
            .map(|it| (it.image.name.as_str(), it.read_only));
        assert!(short.eq([("a", true), ("b:1", false)]));
        assert_eq!(named(Some(&two)).unwrap(), []);
        let both = container(vec![Volume {
            host_path: Some("/srv".to_owned()),
            ..volume("a", Mode::Ro)
        }]);
        assert!(named(Some(&both)).is_err());
        let many = vec![volume("a", Mode::Ro); MAX_IMAGE_VOLUMES + 1];
        assert!(images(Some(&container(many))).is_err());
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
