//! A registry of a few lines that does what a test wants, and the good ways to use one.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::json;
use tepui_images::{Credentials, Digest};

use crate::{Built, Store, architecture, build, described, layer, wanted};

/// A question, as far as tests look.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) host: String,
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// Only so much of the body is sent.
    pub(crate) cut: Option<usize>,
    /// Then the connection stays, and nothing comes.
    pub(crate) hang: bool,
}

pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Answer {
    let body = body.into();
    Answer {
        status: 200,
        body,
        ..Answer::default()
    }
}

pub(crate) fn status(status: u16) -> Answer {
    Answer {
        status,
        ..Answer::default()
    }
}

pub(crate) fn with(status: u16, name: &'static str, value: impl Into<String>) -> Answer {
    let headers = vec![(name, value.into())];
    Answer {
        status,
        headers,
        ..Answer::default()
    }
}

type Rule = Arc<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>;

/// A registry on this machine.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) address: String,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    contents: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    rule: Arc<Mutex<Option<Rule>>>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let fake = Self {
            address: listener.local_addr().unwrap().to_string(),
            asked: Arc::default(),
            contents: Arc::default(),
            rule: Arc::default(),
        };
        let serving = fake.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(client));
            }
        });
        fake
    }

    /// Answers in its own way what the rule answers.
    pub(crate) fn rule(&self, rule: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) {
        *self.rule.lock().unwrap() = Some(Arc::new(rule));
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        self.contents
            .lock()
            .unwrap()
            .insert(path.to_owned(), bytes.to_vec());
    }

    /// Has an image; gives its name.
    pub(crate) fn push(&self, name: &str, tag: &str, image: &Built) -> String {
        let digest = Digest::of(&image.manifest);
        for version in [tag.to_owned(), digest.to_string()] {
            self.put(&format!("/v2/{name}/manifests/{version}"), &image.manifest);
        }
        for (digest, bytes) in &image.blobs {
            self.put(&format!("/v2/{name}/blobs/{digest}"), bytes);
        }
        format!("{}/{name}:{tag}", self.address)
    }

    /// How often something was asked for whose path holds this.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| asked.path.contains(part))
            .count()
    }

    fn serve(&self, client: TcpStream) {
        let mut reader = BufReader::new(client.try_clone().unwrap());
        let mut client = client;
        while let Some(asked) = read(&mut reader) {
            self.asked.lock().unwrap().push(asked.clone());
            let rule = self.rule.lock().unwrap().clone();
            let answer = rule.and_then(|rule| rule(&asked)).unwrap_or_else(|| {
                let contents = self.contents.lock().unwrap();
                contents
                    .get(&asked.path)
                    .map_or_else(|| status(404), |body| ok(body.clone()))
            });
            // Whoever asked may be gone.
            if send(&mut client, &answer).is_err() {
                return;
            }
            if answer.hang {
                // Until the other side has enough.
                let _ = read(&mut reader);
                return;
            }
            if answer.cut.is_some() {
                return;
            }
        }
    }
}

fn read(reader: &mut impl std::io::BufRead) -> Option<Asked> {
    let mut lines = reader
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty());
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<_> = lines.collect();
    let header = |name: &str| {
        headers.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    Some(Asked {
        path,
        authorization: header("authorization"),
        host: header("host").unwrap_or_default(),
    })
}

fn send(client: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    let length = answer.body.len();
    write!(
        client,
        "HTTP/1.1 {} x\r\nContent-Length: {length}\r\n",
        answer.status
    )?;
    for (name, value) in &answer.headers {
        write!(client, "{name}: {value}\r\n")?;
    }
    write!(client, "\r\n")?;
    client.write_all(&answer.body[..answer.cut.unwrap_or(length)])?;
    client.flush()
}

#[tokio::test]
async fn an_image_is_fetched_once_and_its_layers_are_shared() {
    let (fake, store) = (Fake::start(), Store::new());
    let base = layer("base", b"b");
    let first = fake.push("a", "1", &build(&[base.clone(), layer("x", b"1")]));
    let second = fake.push("b", "1", &build(&[base.clone(), layer("y", b"2")]));
    let image = store.pull(&first).await.unwrap();
    assert_eq!(image.run.command, ["/bin/it"]);
    let asked = fake.count("");
    assert_eq!(store.pull(&first).await.unwrap().digest, image.digest);
    assert_eq!(
        fake.count(""),
        asked,
        "one that is there is taken without asking"
    );
    store.pull(&second).await.unwrap();
    assert_eq!((store.entries("layers"), store.entries("images")), (3, 2));
    assert_eq!(store.file(&base, "base"), b"b");
    let mut always = wanted(&first);
    always.cached = false;
    store
        .images
        .pull(&always, std::future::ready(()), |_, _| {})
        .await
        .unwrap();
    assert!(fake.count("/manifests/1") > 2, "the registry is asked");
    assert_eq!(
        fake.count("/a/blobs") - fake.count("config"),
        4,
        "layers are not fetched again"
    );
}

#[tokio::test]
async fn of_an_index_the_image_for_this_machine_is_taken() {
    let (fake, store) = (Fake::start(), Store::new());
    let image = build(&[layer("x", b"1")]);
    fake.push("a", "direct", &image);
    let platform = |name: &str| json!({ "os": "linux", "architecture": name });
    let mut own = described(&image.manifest);
    own["platform"] = platform(architecture());
    let mut other = described(b"other");
    other["platform"] = platform("s390x");
    let index = json!({ "schemaVersion": 2, "manifests": [other, own] }).to_string();
    fake.put("/v2/a/manifests/many", index.as_bytes());
    let name = format!("{}/a:many", fake.address);
    assert_eq!(
        store.pull(&name).await.unwrap().digest,
        Digest::of(&image.manifest)
    );
}

/// A login, in the file's form.
fn login(address: &str) -> Credentials {
    let login = json!({ "auths": { address: { "username": "u", "password": "p" } } });
    Credentials::read(login.to_string().as_bytes()).unwrap()
}

#[tokio::test]
async fn a_registry_that_wants_a_token_is_brought_one() {
    let fake = Fake::start();
    let name = fake.push("a", "1", &build(&[layer("x", b"1")]));
    let address = fake.address.clone();
    fake.rule(move |asked| {
        let said = asked.authorization.as_deref();
        if asked.path.starts_with("/token") {
            assert_eq!(asked.path, "/token?service=reg&scope=repository:a:pull");
            return Some(match said {
                Some("Basic dTpw") => ok(r#"{"token":"t0k3n"}"#),
                _ => status(401),
            });
        }
        let challenge = format!(r#"Bearer realm="http://{address}/token",service="reg""#);
        (said != Some("Bearer t0k3n")).then(|| with(401, "WWW-Authenticate", challenge))
    });
    let stranger = Store::new();
    let error = stranger.pull(&name).await.unwrap_err().to_string();
    assert!(error.contains("--docker-config"), "{error}");
    let known = Store::with(|options| options.credentials = login(&fake.address));
    known.pull(&name).await.unwrap();
    assert_eq!(fake.count("/token"), 2);
    // A framework's own credentials do too.
    let own = tepui_images::Wanted {
        credentials: login(&fake.address),
        ..wanted(&name)
    };
    stranger
        .images
        .pull(&own, std::future::ready(()), |_, _| {})
        .await
        .unwrap();
}

#[tokio::test]
async fn credentials_go_to_no_other_host() {
    let (fake, other) = (Fake::start(), Fake::start());
    let image = build(&[layer("x", b"1")]);
    let name = fake.push("a", "1", &image);
    other.push("a", "1", &image);
    let elsewhere = other.address.clone();
    fake.rule(move |asked| {
        if asked.authorization.is_none() {
            return Some(with(401, "WWW-Authenticate", "Basic realm=\"x\""));
        }
        let to = format!("http://{elsewhere}{}", asked.path);
        asked
            .path
            .contains("/blobs/")
            .then(|| with(307, "Location", to))
    });
    let store = Store::with(|options| options.credentials = login(&fake.address));
    store.pull(&name).await.unwrap();
    let told = other.asked.lock().unwrap();
    assert!(!told.is_empty() && told.iter().all(|asked| asked.authorization.is_none()));
    assert!(told.iter().all(|asked| asked.host == other.address));
}

#[tokio::test]
async fn mirrors_are_asked_first_and_need_not_have_everything() {
    let (mirror, home) = (Fake::start(), Fake::start());
    mirror.push("library/a", "1", &build(&[layer("x", b"mirror")]));
    mirror.push("a", "1", &build(&[layer("x", b"mirror")]));
    home.push("a", "1", &build(&[layer("x", b"home")]));
    home.push("b", "1", &build(&[layer("y", b"home")]));
    let store = Store::with(|options| {
        options.mirrors = vec![mirror.address.parse().unwrap()];
        options.home = home.address.parse().unwrap();
    });
    store.pull("a:1").await.unwrap();
    assert_eq!(home.count(""), 0);
    store.pull("b:1").await.unwrap();
    assert!(mirror.count("/v2/b/") > 0 && home.count("/v2/b/") > 0);
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let fake = Fake::start();
    let name = fake.push("a", "1", &build(&[layer("x", b"1")]));
    let failures = Mutex::new(2);
    fake.rule(move |_| {
        let mut left = failures.lock().unwrap();
        *left -= i32::from(*left > 0);
        (*left > 0).then(|| status(503))
    });
    Store::new().pull(&name).await.unwrap();
}
