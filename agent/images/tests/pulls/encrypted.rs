//! A registry behind TLS: only a certificate that is trusted, for the right name, will do.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Store, build, layer,
    registry::{Fake, with},
};

/// An authority, and a server's certificate by it.
struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    /// For a server of this name. None, and why less is tested, without the tool.
    fn new(name: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        let lines = [
            format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority"),
            format!(
                "req {key} -keyout key.pem -out request.pem -subj /CN=registry \
                 -addext subjectAltName=DNS:{name}"
            ),
            "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -copy_extensions copy -out certificate.pem"
                .to_owned(),
        ];
        for line in lines {
            let mut command = Command::new("openssl");
            command.args(line.split_whitespace());
            let Ok(done) = command.current_dir(folder.path()).output() else {
                eprintln!("no registry behind TLS is tested: there is no openssl");
                return None;
            };
            assert!(done.status.success(), "{line}: {done:?}");
        }
        Some(Self { folder })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Lets a registry be reached by TLS as well; gives the address.
async fn encrypt(fake: &Fake, certificates: &Certificates) -> String {
    let read = |path: &Path| CertificateDer::pem_file_iter(path).unwrap();
    let chain = read(&certificates.at("certificate.pem"));
    let key = PrivateKeyDer::from_pem_file(certificates.at("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = fake.address.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                // Clients that trust it not end here.
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let mut server = TcpStream::connect(behind).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    format!("https://localhost:{port}")
}

#[tokio::test]
async fn a_registry_is_trusted_by_its_certificate() {
    let Some(certificates) = Certificates::new("localhost") else {
        return;
    };
    let fake = Fake::start();
    fake.push("a", "1", &build(&[layer("x", b"text")]));
    let home = encrypt(&fake, &certificates).await;
    let store = |trusted: Option<PathBuf>| {
        Store::with(|options| {
            options.home = home.parse().unwrap();
            options.trusted = trusted;
        })
    };
    let error = store(None).pull("a:1").await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
    assert!(fake.asked.lock().unwrap().is_empty(), "not a word was said");
    let trusting = store(Some(certificates.at("ca.pem")));
    trusting.pull("a:1").await.unwrap();
    assert_eq!(trusting.entries("layers"), 1);
}

#[tokio::test]
async fn a_certificate_for_another_name_and_a_way_out_of_tls_are_refused() {
    let (Some(other), Some(right)) = (
        Certificates::new("elsewhere.example"),
        Certificates::new("localhost"),
    ) else {
        return;
    };
    let fake = Fake::start();
    fake.push("a", "1", &build(&[layer("x", b"text")]));
    for (certificates, expected) in [(&other, "certificate"), (&right, "not encrypted")] {
        let address = fake.address.clone();
        let lead = expected == "not encrypted";
        fake.rule(move |asked| {
            let to = format!("http://{address}{}", asked.path);
            lead.then(|| with(307, "Location", to))
        });
        let home = encrypt(&fake, certificates).await;
        let store = Store::with(|options| {
            options.home = home.parse().unwrap();
            options.trusted = Some(certificates.at("ca.pem"));
        });
        let error = store.pull("a:1").await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_file_without_certificates_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.pem");
    std::fs::write(&file, "").unwrap();
    let mut options = tepui_images::Options::new(folder.path().join("images"));
    options.trusted = Some(file);
    let error = tepui_images::Images::open(options).unwrap_err().to_string();
    assert!(error.contains("empty.pem"), "{error}");
}
