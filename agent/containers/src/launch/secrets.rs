//! Secrets as files: what the container's init is told of them.

use std::{io, os::unix::fs::DirBuilderExt, path::Path};

use crate::{
    Isolator, LaunchError, Options, Spec,
    init::wire::{Plan, SecretPlan},
    isolators::SANDBOX_IN_ROOT,
    limits::{MAX_SECRET_BYTES, MAX_SECRET_FILES},
    records::Folder,
};

/// Adds the secrets to a plan, and makes the folder that they are held at for a moment.
pub(super) fn prepare(
    spec: &Spec,
    options: &Options,
    folder: &Folder,
    plan: &mut Plan,
) -> Result<(), LaunchError> {
    if spec.secrets.is_empty() {
        return Ok(());
    }
    check(spec, options)?;
    let sandbox = match spec.root {
        Some(_) => Path::new(SANDBOX_IN_ROOT),
        None => &spec.sandbox,
    };
    let at = folder.path().join("secrets");
    make(&at).map_err(|source| LaunchError::Record {
        path: at.clone(),
        source,
    })?;
    let secret = |secret: &crate::SecretFile| SecretPlan {
        target: sandbox.join(&secret.target),
        content: secret.content.clone(),
        // As with volumes.
        make: spec.root.is_some() || secret.target.is_relative(),
    };
    plan.secrets = spec.secrets.iter().map(secret).collect();
    plan.secrets_at = Some(at);
    Ok(())
}

fn check(spec: &Spec, options: &Options) -> Result<(), LaunchError> {
    let invalid = |message: String| Err(LaunchError::Invalid(message));
    if !options.isolation.has(Isolator::MountNamespace) {
        return invalid("a secret as a file needs namespaces/mnt in --isolation".to_owned());
    }
    if spec.secrets.len() > MAX_SECRET_FILES {
        let count = spec.secrets.len();
        return invalid(format!(
            "a container may have {MAX_SECRET_FILES} secrets as files, and not {count}"
        ));
    }
    let bytes: usize = spec.secrets.iter().map(|it| it.content.len()).sum();
    if bytes > MAX_SECRET_BYTES {
        return invalid(format!(
            "the secrets of a container may have {MAX_SECRET_BYTES} bytes, and not {bytes}"
        ));
    }
    Ok(())
}

fn make(at: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(at)
}
