//! Secrets that tasks name: files of a folder that the operator keeps them in (Mesos: SEC-01).

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use tepui_agent_core::{ContainerPlan, Secret, SecretReference, SecretSource};
use tokio::task::spawn_blocking;

use crate::limits::MAX_SECRET_BYTES;

/// Looks secrets up: `NAME` is a file of the folder, and `NAME` with a key one in a folder there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    folder: Option<PathBuf>,
}

impl Secrets {
    pub(crate) const fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Puts what the plan names into the plan.
    pub(crate) async fn resolve(&self, mut plan: ContainerPlan) -> Result<ContainerPlan, String> {
        let named = |source: &SecretSource| matches!(source, SecretSource::Reference(_));
        let none = !plan.secret_files.iter().any(|file| named(&file.source));
        if plan.secret_variables.is_empty() && plan.check_secrets.is_empty() && none {
            return Ok(plan);
        }
        self.within(move |folder| {
            let found = variables(folder, std::mem::take(&mut plan.secret_variables))?;
            plan.environment.extend(found);
            for file in &mut plan.secret_files {
                if let SecretSource::Reference(reference) = &file.source {
                    file.source = SecretSource::Value(Secret(look_up(folder, reference)?));
                }
            }
            // Checks look theirs up each time; what is not there fails the task all the same.
            variables(folder, std::mem::take(&mut plan.check_secrets))?;
            Ok(plan)
        })
        .await
    }

    /// The values of variables, as they are now.
    pub(crate) async fn variables(
        &self,
        named: Variables,
    ) -> Result<Vec<(String, String)>, String> {
        match named.is_empty() {
            true => Ok(Vec::new()),
            false => self.within(move |folder| variables(folder, named)).await,
        }
    }

    /// Reads in the folder, where the disk keeps nobody waiting.
    async fn within<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Path) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let folder = self.folder.clone().ok_or_else(|| {
            "the task names a secret, and this agent keeps none: start it with --secret-dir"
                .to_owned()
        })?;
        let found = spawn_blocking(move || read(&folder)).await;
        found.unwrap_or_else(|error| Err(format!("cannot look a secret up: {error}")))
    }
}

/// The names of variables, and of what they hold.
type Variables = Vec<(String, SecretReference)>;

fn variables(folder: &Path, named: Variables) -> Result<Vec<(String, String)>, String> {
    let found = named.into_iter().map(|(name, reference)| {
        let value = look_up(folder, &reference)?;
        Ok((name, text(value, &reference)?))
    });
    found.collect()
}

/// A variable can have no other.
fn text(value: Vec<u8>, reference: &SecretReference) -> Result<String, String> {
    let text = String::from_utf8(value).ok();
    text.filter(|text| !text.contains('\0')).ok_or_else(|| {
        let shown = shown(reference);
        format!("the secret {shown} is not text, and cannot be in a variable: have it as a file")
    })
}

fn look_up(folder: &Path, reference: &SecretReference) -> Result<Vec<u8>, String> {
    let cannot = |error: io::Error| {
        let shown = shown(reference);
        format!("the secret {shown} cannot be had from --secret-dir of this agent: {error}")
    };
    let path = path(reference).map_err(cannot)?;
    read(folder, &path).map_err(cannot)
}

/// Names are names, and lead nowhere else. A dot begins what belongs to others: `..data` of those
/// who fill such folders.
fn path(reference: &SecretReference) -> io::Result<PathBuf> {
    let mut path = PathBuf::new();
    for part in std::iter::once(&reference.name).chain(&reference.key) {
        if part.is_empty() || part.starts_with('.') || part.contains(['/', '\0']) {
            let message = "a name must not be empty, begin with a dot or contain a slash";
            return Err(io::Error::other(message));
        }
        path.push(part);
    }
    Ok(path)
}

fn read(folder: &Path, path: &Path) -> io::Result<Vec<u8>> {
    let folder = File::open(folder)?;
    let file = File::from(tepui_sys::open_beneath(folder.as_fd(), path)?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        let message = format!("it has more than {MAX_SECRET_BYTES} bytes");
        return Err(io::Error::other(message));
    }
    Ok(bytes)
}

fn shown(reference: &SecretReference) -> String {
    let name = reference.name.escape_debug();
    match &reference.key {
        Some(key) => format!("'{name}' with the key '{}'", key.escape_debug()),
        None => format!("'{name}'"),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn reference(name: &str, key: Option<&str>) -> SecretReference {
        SecretReference {
            name: name.to_owned(),
            key: key.map(str::to_owned),
        }
    }

    #[test]
    fn a_secret_is_a_file_by_name_and_key_and_nothing_outside_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("token"), "one").unwrap();
        fs::create_dir(at("db")).unwrap();
        fs::write(at("db/password"), "two").unwrap();
        symlink("db/password", at("linked")).unwrap();
        symlink("/etc/passwd", at("outside")).unwrap();
        fs::write(at(".hidden"), "three").unwrap();
        let found = |name: &str, key: Option<&str>| look_up(folder.path(), &reference(name, key));
        assert_eq!(found("token", None).unwrap(), b"one");
        assert_eq!(found("db", Some("password")).unwrap(), b"two");
        assert_eq!(found("linked", None).unwrap(), b"two");
        for (name, key) in [
            ("none", None),
            ("db", None),
            ("outside", None),
            (".hidden", None),
            ("..", Some("etc")),
            ("db/password", None),
            ("db", Some("../token")),
            ("", None),
            ("token", Some("")),
        ] {
            let error = found(name, key).unwrap_err();
            assert!(error.contains("--secret-dir"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_check_has_secrets_as_they_are_now_or_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::new(Some(folder.path().to_owned()));
        let asked = || vec![("TOKEN".to_owned(), reference("token", None))];
        let error = secrets.variables(asked()).await.unwrap_err();
        assert!(error.contains("'token'"), "{error}");
        for value in ["one", "two"] {
            fs::write(folder.path().join("token"), value).unwrap();
            let found = secrets.variables(asked()).await.unwrap();
            assert_eq!(found, [("TOKEN".to_owned(), value.to_owned())]);
        }
        let none = Secrets::default();
        let error = none.variables(asked()).await.unwrap_err();
        assert!(error.contains("--secret-dir"), "{error}");
        assert_eq!(none.variables(Vec::new()).await, Ok(Vec::new()));
    }

    #[test]
    fn a_secret_that_is_too_long_or_no_text_is_refused_without_being_shown() {
        let folder = tempfile::tempdir().unwrap();
        let long = vec![b'x'; usize::try_from(MAX_SECRET_BYTES).unwrap() + 1];
        fs::write(folder.path().join("long"), &long[1..]).unwrap();
        assert!(look_up(folder.path(), &reference("long", None)).is_ok());
        fs::write(folder.path().join("long"), long).unwrap();
        assert!(look_up(folder.path(), &reference("long", None)).is_err());
        for bad in [b"hush\0".to_vec(), vec![0xff, b'h', b'u', b's', b'h']] {
            let error = text(bad, &reference("s", None)).unwrap_err();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
