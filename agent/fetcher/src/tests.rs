//! The fetcher before servers that are good and servers that are not, and archives of both kinds.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tepui_images::Digest;

use super::*;

/// A server of a few files. What it was asked for is counted.
#[derive(Clone)]
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    /// How many connections their clients have closed before they had everything.
    cut: Arc<Mutex<usize>>,
}

/// What is at a path.
#[derive(Clone)]
enum Page {
    File(Vec<u8>),
    /// So many bytes, without saying how many.
    Endless(usize),
    /// Answers with one byte, and then with nothing.
    Hangs,
    /// Leads elsewhere.
    Leads(String),
    /// Answers this status.
    Fails(u16),
}

impl Server {
    fn start(pages: impl IntoIterator<Item = (&'static str, Page)>) -> Self {
        let pages: BTreeMap<_, _> = pages.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            asked: Arc::default(),
            cut: Arc::default(),
        };
        let own = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (own, pages) = (own.clone(), pages.clone());
                thread::spawn(move || own.serve(stream, &pages));
            }
        });
        server
    }

    fn serve(&self, mut stream: TcpStream, pages: &BTreeMap<&str, Page>) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let path = line.split(' ').nth(1)?.to_owned();
            while line != "\r\n" {
                line.clear();
                reader.read_line(&mut line).ok()?;
            }
            self.asked.lock().unwrap().push(path.clone());
            let head = |status: &str, more: &str| format!("HTTP/1.1 {status}\r\n{more}\r\n");
            match pages.get(path.split('?').next()?) {
                Some(Page::File(bytes)) => {
                    let length = format!("Content-Length: {}\r\n", bytes.len());
                    stream.write_all(head("200 OK", &length).as_bytes()).ok()?;
                    stream.write_all(bytes).ok()?;
                }
                Some(Page::Endless(bytes)) => {
                    let close = head("200 OK", "Connection: close\r\n");
                    stream.write_all(close.as_bytes()).ok()?;
                    for _ in 0..bytes.div_ceil(4096) {
                        stream.write_all(&[b'x'; 4096]).ok()?;
                    }
                    return None;
                }
                Some(Page::Hangs) => {
                    let length = head("200 OK", "Content-Length: 9\r\n");
                    stream.write_all(length.as_bytes()).ok()?;
                    stream.write_all(b"x").ok()?;
                    let mut rest = Vec::new();
                    // Ends when the client does.
                    let _ = reader.read_to_end(&mut rest);
                    *self.cut.lock().unwrap() += 1;
                    return None;
                }
                Some(Page::Leads(to)) => {
                    let to = format!("Location: {to}\r\nContent-Length: 0\r\n");
                    stream.write_all(head("302 Found", &to).as_bytes()).ok()?;
                }
                Some(Page::Fails(status)) => {
                    let text = head(&format!("{status} No"), "Content-Length: 0\r\n");
                    stream.write_all(text.as_bytes()).ok()?;
                }
                None => {
                    let text = head("404 Not Found", "Content-Length: 0\r\n");
                    stream.write_all(text.as_bytes()).ok()?;
                }
            }
        }
    }

    fn at(&self, path: &str) -> Item {
        item(
            Source::Remote(format!("{}{path}", self.address)),
            path.rsplit('/').next().unwrap(),
        )
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn item(source: Source, file: &str) -> Item {
    Item {
        source,
        file: file.split('?').next().unwrap().into(),
        executable: false,
        extract: true,
        cache: false,
        checksum: None,
    }
}

fn local(path: impl Into<PathBuf>) -> Item {
    let path = path.into();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    item(Source::Local(path), &name)
}

fn cached(item: Item) -> Item {
    Item {
        cache: true,
        ..item
    }
}

struct Place {
    folder: tempfile::TempDir,
    fetcher: Fetcher,
}

impl Place {
    fn new(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(folder.path().join("cache"));
        options.stall_timeout = Duration::from_millis(500);
        change(&mut options);
        Self {
            fetcher: Fetcher::open(options).unwrap(),
            folder,
        }
    }

    /// A new sandbox for some things.
    fn job(&self, name: &str, items: Vec<Item>) -> Job {
        let sandbox = self.folder.path().join(name);
        fs::create_dir(&sandbox).unwrap();
        Job {
            sandbox,
            owner: None,
            user: "me".to_owned(),
            room: None,
            items,
        }
    }

    async fn fetch(&self, job: &Job) -> Result<(), String> {
        let fetched = self.fetcher.fetch(job, |_| {}).await;
        fetched.map_err(|error| error.to_string())
    }

    /// Why one thing cannot be had.
    async fn refusal(&self, name: &str, item: Item) -> String {
        self.fetch(&self.job(name, vec![item])).await.unwrap_err()
    }
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, contents) in entries {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0004755");
        for field in [108, 116] {
            header[field..field + 7].copy_from_slice(b"0000001");
        }
        header[124..135].copy_from_slice(format!("{:011o}", contents.len()).as_bytes());
        header[136..147].copy_from_slice(b"00000000000");
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(contents);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap()
}

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("less is tested: only root can give files to others");
    }
    root
}

#[tokio::test]
async fn what_a_task_wants_is_in_its_sandbox_before_it_starts() {
    let archive = gzip(&tar(&[("bin/tool", b"tool"), ("read me", b"text")]));
    let server = Server::start([
        ("/a/plain.txt", Page::File(b"plain".to_vec())),
        ("/tool.tar.gz", Page::File(archive)),
        ("/moved", Page::Leads("/a/plain.txt".to_owned())),
        ("/one.gz", Page::File(gzip(b"one"))),
    ]);
    let place = Place::new(|_| {});
    let program = Item {
        executable: true,
        file: "deep/program".into(),
        ..server.at("/a/plain.txt?x=1")
    };
    let packed = Item {
        extract: false,
        file: "packed.tgz".into(),
        ..server.at("/tool.tar.gz")
    };
    let items = vec![
        server.at("/a/plain.txt"),
        program,
        server.at("/tool.tar.gz"),
        packed,
        server.at("/moved"),
        server.at("/one.gz"),
    ];
    let job = place.job("s", items);
    let mut told = Vec::new();
    let fetched = place
        .fetcher
        .fetch(&job, |progress| told.push(progress))
        .await;
    fetched.unwrap();
    let at = |name: &str| job.sandbox.join(name);
    let mode = |name: &str| at(name).metadata().unwrap().mode() & 0o7777;
    assert_eq!(
        (read(at("plain.txt")), mode("plain.txt")),
        ("plain".into(), 0o644)
    );
    assert_eq!(
        (read(at("deep/program")), mode("deep/program")),
        ("plain".into(), 0o755)
    );
    assert_eq!(
        (read(at("bin/tool")), read(at("read me"))),
        ("tool".into(), "text".into())
    );
    assert_eq!(mode("bin/tool"), 0o755, "nothing runs as somebody else");
    assert_eq!(
        (read(at("moved")), read(at("one"))),
        ("plain".into(), "one".into())
    );
    assert!(at("packed.tgz").exists() && at("tool.tar.gz").exists());
    assert!(
        told.iter()
            .any(|it| it.uri.ends_with("/a/plain.txt") && it.total == Some(5))
    );
    assert_eq!(place.fetcher.figures().succeeded, 1);
}

#[tokio::test]
async fn tasks_of_one_user_share_what_was_fetched_once() {
    let server = Server::start([
        ("/a.tar", Page::File(tar(&[("in/a", b"a")]))),
        ("/b", Page::File(b"b".to_vec())),
    ]);
    let place = Place::new(|_| {});
    let items = || vec![cached(server.at("/a.tar")), cached(server.at("/b"))];
    let jobs: Vec<_> = (0..8)
        .map(|it| place.job(&format!("s{it}"), items()))
        .collect();
    let fetched = futures(&place, &jobs).await;
    assert!(fetched.iter().all(Result::is_ok), "{fetched:?}");
    assert_eq!(server.asked(), 2);
    for job in &jobs {
        assert_eq!(read(job.sandbox.join("in/a")), "a");
        assert_eq!(read(job.sandbox.join("b")), "b");
        assert!(
            !job.sandbox.join("a.tar").exists(),
            "it is unpacked from the cache"
        );
    }
    let other = Job {
        user: "another".to_owned(),
        ..place.job("other", vec![cached(server.at("/b"))])
    };
    place.fetch(&other).await.unwrap();
    assert_eq!(server.asked(), 3, "another user's own");
    assert!(place.fetcher.figures().cache_used > 0);
}

async fn futures(place: &Place, jobs: &[Job]) -> Vec<Result<(), String>> {
    let mut running = tokio::task::JoinSet::new();
    for job in jobs {
        let (fetcher, job) = (place.fetcher.clone(), job.clone());
        running.spawn(async move {
            let fetched = fetcher.fetch(&job, |_| {}).await;
            fetched.map_err(|error| error.to_string())
        });
    }
    running.join_all().await
}

#[tokio::test]
async fn what_the_cache_has_no_room_for_is_fetched_all_the_same() {
    let server = Server::start([
        ("/a", Page::File(vec![b'a'; 5000])),
        ("/b", Page::Endless(8192)),
    ]);
    let place = Place::new(|options| options.cache_size = 4096);
    for (name, path, bytes) in [("s", "/a", 5000), ("t", "/b", 8192)] {
        let job = place.job(name, vec![cached(server.at(path))]);
        place.fetch(&job).await.unwrap();
        let file = job.sandbox.join(&path[1..]);
        assert_eq!(file.metadata().unwrap().len(), bytes);
    }
    assert_eq!(place.fetcher.figures().cache_used, 0);
}

#[tokio::test]
async fn l14_a_file_with_another_checksum_fails_and_is_not_cached() {
    let server = Server::start([("/a", Page::File(b"a".to_vec()))]);
    let place = Place::new(|_| {});
    let with = |text: &[u8]| Item {
        checksum: Some(Digest::of(text)),
        ..cached(server.at("/a"))
    };
    place
        .fetch(&place.job("right", vec![with(b"a")]))
        .await
        .unwrap();
    let text = place.refusal("wrong", with(b"b")).await;
    assert!(
        text.contains("/a'") && text.contains("its checksum is sha256:"),
        "{text}"
    );
    assert_eq!(
        place.fetcher.figures().cache_used,
        0,
        "what was cached was another"
    );
    let plain = Item {
        cache: false,
        ..with(b"b")
    };
    assert!(place.refusal("plain", plain).await.contains("checksum"));
}

#[tokio::test]
async fn l17_l18_servers_that_lie_hang_or_lead_astray_fail_the_fetch() {
    let server = Server::start([
        ("/hangs", Page::Hangs),
        ("/file", Page::Leads("file:///etc/passwd".to_owned())),
        ("/secret", Page::Leads("http://169.254.169.254/".to_owned())),
        ("/loop", Page::Leads("/loop".to_owned())),
        ("/no", Page::Fails(403)),
        ("/large", Page::Endless(1 << 20)),
    ]);
    let place = Place::new(|options| options.size_limit = 100_000);
    for (path, expected) in [
        ("/hangs", "sends fewer than"),
        ("/file", "leads to no address"),
        ("/secret", "clouds keep their secrets"),
        ("/loop", "redirections"),
        ("/no", "403"),
        ("/none", "404"),
        ("/large", "too large"),
    ] {
        let text = place
            .refusal(&format!("s{}", &path[1..]), server.at(path))
            .await;
        let uri = format!("cannot fetch the URI '{}{path}'", server.address);
        assert!(text.starts_with(&uri) && text.contains(expected), "{text}");
    }
    assert_eq!(place.fetcher.figures().failed, 7);
}

#[tokio::test]
async fn a_task_has_room_for_the_disk_that_it_asked_for() {
    let zeros = gzip(&tar(&[("zeros", &[0; 1 << 20])]));
    let server = Server::start([
        ("/a", Page::File(vec![b'a'; 3000])),
        ("/bomb.tgz", Page::File(zeros)),
    ]);
    let place = Place::new(|_| {});
    let twice = |name: &str| Job {
        room: Some(5000),
        ..place.job(
            name,
            vec![
                server.at("/a"),
                Item {
                    file: "b".into(),
                    ..server.at("/a")
                },
            ],
        )
    };
    let text = place.fetch(&twice("s")).await.unwrap_err();
    assert!(text.contains("room for 2000 bytes"), "{text}");
    let bomb = Job {
        room: Some(100_000),
        ..place.job("bomb", vec![server.at("/bomb.tgz")])
    };
    let text = place.fetch(&bomb).await.unwrap_err();
    assert!(text.contains("it is too large"), "{text}");
}

#[tokio::test]
async fn who_gives_up_is_waited_for_no_longer_and_the_server_hears_it() {
    let server = Server::start([("/hangs", Page::Hangs)]);
    let place = Place::new(|options| options.stall_timeout = Duration::from_secs(600));
    let job = place.job("s", vec![cached(server.at("/hangs"))]);
    let (fetcher, own) = (place.fetcher.clone(), job.clone());
    let fetching = tokio::spawn(async move { fetcher.fetch(&own, |_| {}).await });
    while server.asked() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fetching.abort();
    while *server.cut.lock().unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Who waited for the same has its turn.
    while place.fetcher.figures().cache_used > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(fs::read_dir(&job.sandbox).unwrap().next().is_none());
}

#[tokio::test]
async fn l01_l03_an_archive_leads_nowhere_out_of_the_sandbox() {
    let server = Server::start([
        ("/up.tar", Page::File(tar(&[("../up", b"x")]))),
        ("/through.tar", Page::File(tar(&[("out/x", b"x")]))),
    ]);
    let place = Place::new(|_| {});
    let text = place.refusal("s", server.at("/up.tar")).await;
    assert!(text.contains("leads out"), "{text}");
    // A link that was there before means the sandbox.
    let outside = place.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let job = place.job("t", vec![server.at("/through.tar")]);
    symlink(&outside, job.sandbox.join("out")).unwrap();
    let _ = place.fetch(&job).await;
    assert!(fs::read_dir(&outside).unwrap().next().is_none());
    assert!(!place.folder.path().join("up").exists());
}

#[tokio::test]
async fn files_of_the_machine_are_those_that_the_operator_names() {
    let given = tempfile::tempdir().unwrap();
    fs::write(given.path().join("a"), "a").unwrap();
    symlink("/etc/passwd", given.path().join("out")).unwrap();
    nix::unistd::mkfifo(&given.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let place = Place::new(|options| {
        options.host_paths = vec![given.path().to_owned()];
        options.home = Some(given.path().to_owned());
    });
    let items = vec![
        cached(local(given.path().join("a"))),
        Item {
            file: "b".into(),
            ..local("a")
        },
    ];
    let job = place.job("s", items);
    place.fetch(&job).await.unwrap();
    assert_eq!(
        read(job.sandbox.join("a")) + &read(job.sandbox.join("b")),
        "aa"
    );
    let mut number = 0;
    for (path, expected) in [
        (Path::new("/etc/passwd").to_owned(), "--allowed-host-paths"),
        (given.path().join("out"), "cannot be opened"),
        (given.path().join("pipe"), "no regular file"),
        (given.path().join("none"), "cannot be opened"),
    ] {
        number += 1;
        let text = place.refusal(&format!("t{number}"), local(path)).await;
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn the_tasks_user_owns_what_is_fetched_and_reads_only_what_he_may() {
    if !is_root() {
        return;
    }
    let given = tempfile::tempdir().unwrap();
    fs::set_permissions(given.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for (name, mode, gid) in [
        ("open", 0o644, 0),
        ("group", 0o640, 1044),
        ("secret", 0o600, 0),
    ] {
        let path = given.path().join(name);
        fs::write(&path, name).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(&path, Some(0), Some(gid)).unwrap();
    }
    let archive = tar(&[("folder/file", b"x")]);
    let server = Server::start([("/a.tar", Page::File(archive))]);
    let place = Place::new(|options| options.host_paths = vec![given.path().to_owned()]);
    let of_user = |job: Job| Job {
        owner: Some(Owner {
            uid: 1042,
            gid: 1043,
            groups: vec![1043, 1044],
        }),
        ..job
    };
    let items = vec![
        local(given.path().join("open")),
        cached(local(given.path().join("group"))),
        server.at("/a.tar"),
        Item {
            file: "deep/own.tar".into(),
            ..cached(server.at("/a.tar"))
        },
        Item {
            file: "deep/plain".into(),
            ..cached(server.at("/a.tar"))
        },
    ];
    let job = of_user(place.job("s", items));
    place.fetch(&job).await.unwrap();
    for name in [
        ".",
        "open",
        "group",
        "a.tar",
        "folder",
        "folder/file",
        "deep",
        "deep/plain",
    ] {
        let there = job.sandbox.join(name).metadata().unwrap();
        assert_eq!((there.uid(), there.gid()), (1042, 1043), "{name}");
    }
    let secret = of_user(place.job("t", vec![local(given.path().join("secret"))]));
    let text = place.fetch(&secret).await.unwrap_err();
    assert!(text.contains("Permission denied"), "{text}");
    let secret = of_user(place.job("u", vec![cached(local(given.path().join("secret")))]));
    assert!(place.fetch(&secret).await.is_err());
    // The thread's rights were its own.
    assert!(fs::read(given.path().join("secret")).is_ok());
}
