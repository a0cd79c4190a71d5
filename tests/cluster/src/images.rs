//! Images built on the spot, and a real registry to keep them in: Debian's.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tepui_images::Digest;

use crate::{eventually, free_address};

/// A name and a password, and the same as the registry keeps it.
const LOGIN: (&str, &str) = ("tester", "secret");
const LOGIN_KEPT: &str = "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

/// What is got from the distribution: a registry, and a shell in one file.
#[derive(Clone, Debug)]
pub struct Tools(PathBuf);

impl Tools {
    /// None, and why less is tested, where they cannot be got or images cannot be used.
    pub fn get() -> Option<Self> {
        if !crate::can_isolate() {
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/images.sh");
        let ran = Command::new(script).output();
        let ran = ran.unwrap_or_else(|error| panic!("tools/images.sh: {error}"));
        if !ran.status.success() {
            let why = String::from_utf8_lossy(&ran.stderr);
            println!("done in part: no registry to test with: {why}");
            return None;
        }
        Some(Self(String::from_utf8_lossy(&ran.stdout).trim().into()))
    }

    /// A layer with a shell and some programs.
    pub fn busybox(&self) -> Vec<u8> {
        let program = fs::read(self.0.join("bin/busybox"));
        let program = program.unwrap_or_else(|error| panic!("busybox: {error}"));
        let mut layer = Layer::default().file("bin/busybox", 0o755, &program);
        for name in [
            "sh", "ls", "cat", "echo", "id", "sleep", "pwd", "env", "touch", "true", "dd",
        ] {
            layer = layer.link(&format!("bin/{name}"), "busybox");
        }
        layer
            .file(
                "etc/passwd",
                0o644,
                b"root:x:0:0::/:/bin/sh\nweb:x:1033:1034::/:/bin/sh\n",
            )
            .file(
                "etc/group",
                0o644,
                b"root:x:0:\nweb:x:1034:\nlogs:x:1004:web\n",
            )
            .folder("tmp", 0o1777)
            .bytes()
    }
}

/// A layer in the making.
pub struct Layer(tar::Builder<Vec<u8>>);

impl std::fmt::Debug for Layer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Layer")
    }
}

impl Default for Layer {
    fn default() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }
}

impl Layer {
    fn add(mut self, kind: tar::EntryType, name: &str, mode: u32, bytes: &[u8], to: &str) -> Self {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(bytes.len() as u64);
        let added = match to {
            "" => self.0.append_data(&mut header, name, bytes),
            to => self.0.append_link(&mut header, name, to),
        };
        added.unwrap_or_else(|error| panic!("{name}: {error}"));
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, name: &str, mode: u32, bytes: &[u8]) -> Self {
        self.add(tar::EntryType::Regular, name, mode, bytes, "")
    }

    /// Adds a folder.
    #[must_use]
    pub fn folder(self, name: &str, mode: u32) -> Self {
        self.add(tar::EntryType::Directory, name, mode, b"", "")
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(self, name: &str, to: &str) -> Self {
        self.add(tar::EntryType::Symlink, name, 0o777, b"", to)
    }

    /// The tar.
    ///
    /// # Panics
    /// When it cannot be written, which memory always can.
    pub fn bytes(self) -> Vec<u8> {
        self.0
            .into_inner()
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

/// An image: its manifest, and the blobs by their digests.
#[derive(Clone, Debug)]
pub struct Image {
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The configuration, and the compressed layers.
    pub blobs: Vec<(Digest, Vec<u8>)>,
}

impl Image {
    /// Makes an image of layers, the lowest first, which is run as `config` says.
    ///
    /// # Panics
    /// When a layer cannot be compressed, which memory always can.
    pub fn new(config: &Value, layers: &[Vec<u8>]) -> Self {
        let ids: Vec<_> = layers
            .iter()
            .map(|layer| Digest::of(layer).to_string())
            .collect();
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": config,
            "rootfs": { "type": "layers", "diff_ids": ids },
        });
        let config = config.to_string().into_bytes();
        let packed = layers.iter().map(|layer| {
            let level = flate2::Compression::fast();
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
            let packed = gzip.write_all(layer).and_then(|()| gzip.finish());
            packed.unwrap_or_else(|error| panic!("{error}"))
        });
        let packed: Vec<_> = packed.collect();
        let described = |kind: &str, bytes: &Vec<u8>| {
            let digest = Digest::of(bytes).to_string();
            json!({ "mediaType": kind, "digest": digest, "size": bytes.len() })
        };
        let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described("application/vnd.oci.image.config.v1+json", &config),
            "layers": packed.iter().map(|it| described(layer, it)).collect::<Vec<_>>(),
        });
        let blobs = std::iter::once(config).chain(packed);
        Self {
            manifest: manifest.to_string().into_bytes(),
            blobs: blobs.map(|bytes| (Digest::of(&bytes), bytes)).collect(),
        }
    }
}

/// Debian's registry, on this machine alone; it ends with the value.
#[derive(Debug)]
pub struct Registry {
    address: String,
    login: bool,
    process: Child,
    _folder: TempDir,
}

impl Registry {
    /// Starts a registry that everybody may use.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(tools: &Tools) -> Self {
        Self::start_with(tools, false)
    }

    /// Starts a registry that wants a name and a password.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_private(tools: &Tools) -> Self {
        Self::start_with(tools, true)
    }

    fn start_with(tools: &Tools, login: bool) -> Self {
        let folder = TempDir::new().unwrap_or_else(|error| panic!("{error}"));
        let at = |name: &str| folder.path().join(name);
        let address = free_address();
        let mut config = json!({
            "version": "0.1",
            "log": { "level": "error" },
            "storage": { "filesystem": { "rootdirectory": at("data") } },
            "http": { "addr": address },
        });
        if login {
            let users = format!("{}:{LOGIN_KEPT}\n", LOGIN.0);
            fs::write(at("users"), users).unwrap_or_else(|error| panic!("{error}"));
            config["auth"] = json!({ "htpasswd": { "realm": "test", "path": at("users") } });
        }
        // Every JSON is YAML.
        let written = fs::write(at("config.yml"), config.to_string());
        written.unwrap_or_else(|error| panic!("{error}"));
        let log = File::create(at("log")).unwrap_or_else(|error| panic!("{error}"));
        let process = Command::new(tools.0.join("usr/bin/docker-registry"))
            .arg("serve")
            .arg(at("config.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let process = process.unwrap_or_else(|error| panic!("the registry: {error}"));
        eventually("a registry", || TcpStream::connect(&address).ok());
        Self {
            address,
            login,
            process,
            _folder: folder,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A file of credentials for it, as `docker login` writes it.
    pub fn docker_config(&self) -> String {
        let (username, password) = LOGIN;
        let login = json!({ "username": username, "password": password });
        json!({ "auths": { &self.address: login } }).to_string()
    }

    /// Puts an image there; gives the name by which tasks have it.
    ///
    /// # Panics
    /// When the registry does not take it.
    pub fn push(&self, name: &str, tag: &str, image: &Image) -> String {
        for (digest, bytes) in &image.blobs {
            let begun = self.ask("POST", &format!("/v2/{name}/blobs/uploads/"), "", b"");
            let to = begun.lines().find_map(|line| {
                let (key, value) = line.split_once(": ")?;
                key.eq_ignore_ascii_case("location")
                    .then(|| value.trim().to_owned())
            });
            let to = to.unwrap_or_else(|| panic!("no place for a blob: {begun}"));
            let path = to
                .split_once(&self.address)
                .map_or(to.as_str(), |(_, path)| path);
            self.ask(
                "PUT",
                &format!("{path}&digest={digest}"),
                "application/octet-stream",
                bytes,
            );
        }
        let path = format!("/v2/{name}/manifests/{tag}");
        self.ask(
            "PUT",
            &path,
            "application/vnd.oci.image.manifest.v1+json",
            &image.manifest,
        );
        format!("{}/{name}:{tag}", self.address)
    }

    fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> String {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(&self.address)?;
            write!(
                stream,
                "{method} {path} HTTP/1.1\r\nHost: {}\r\n",
                self.address
            )?;
            if self.login {
                // "tester:secret".
                write!(stream, "Authorization: Basic dGVzdGVyOnNlY3JldA==\r\n")?;
            }
            let length = body.len();
            write!(
                stream,
                "Content-Type: {kind}\r\nContent-Length: {length}\r\n"
            )?;
            write!(stream, "Connection: close\r\n\r\n")?;
            stream.write_all(body)?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        let answer = ask().unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!(
            answer.starts_with("HTTP/1.1 2"),
            "{method} {path}: {answer}"
        );
        answer
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
