//! Java, and what it runs here: Mesos' own classes and Spark.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use crate::PATIENCE;

/// A Spark with Mesos' classes, and the library that these load.
#[derive(Debug)]
pub struct Spark {
    environment: PathBuf,
    home: PathBuf,
}

impl Spark {
    /// The one of this machine, installed if need be. Says why not when it cannot be had.
    ///
    /// # Panics
    /// When it is there without being whole.
    pub fn find() -> Option<Self> {
        let script = root().join("tools/spark.sh");
        let made = Command::new(script).output();
        let made = made.unwrap_or_else(|error| panic!("no bash: {error}"));
        if !made.status.success() {
            let text = String::from_utf8_lossy(&made.stderr);
            let last = text.lines().last().unwrap_or_default();
            println!("not done: Spark or Java cannot be installed here: {last}");
            return None;
        }
        let environment = PathBuf::from(String::from_utf8_lossy(&made.stdout).trim());
        let libraries = entry(&environment.join("lib"), "python", "");
        let home = libraries.join("site-packages/pyspark");
        Some(Self { environment, home })
    }

    /// Its folder, `SPARK_HOME`.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// A program of Spark's or Python's.
    pub fn program(&self, name: &str) -> PathBuf {
        self.environment.join("bin").join(name)
    }

    /// Mesos' classes.
    ///
    /// # Panics
    /// When they are not there.
    pub fn mesos_jar(&self) -> PathBuf {
        entry(&self.home.join("jars"), "mesos-", ".jar")
    }

    /// Compiles these programs of `tests/cluster/jvm` into `folder`, and gives the path on which
    /// Java finds them. Says why not when there is no compiler.
    ///
    /// # Panics
    /// When they do not compile.
    pub fn compile(&self, sources: &[&str], folder: &Path) -> Option<String> {
        let jar = self.mesos_jar().display().to_string();
        let programs = root().join("tests/cluster/jvm");
        let sources = sources.iter().map(|name| programs.join(name));
        let compiler = Command::new("javac")
            .args(["-J-XX:TieredStopAtLevel=1", "-nowarn", "-cp", &jar, "-d"])
            .arg(folder)
            .args(sources)
            .output();
        let Ok(compiled) = compiler else {
            println!("not done: there is no compiler for Java (openjdk-17-jdk-headless)");
            return None;
        };
        let text = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "{text}");
        Some(format!("{}:{jar}", folder.display()))
    }
}

/// The library for Java, which lies beside the running test.
///
/// # Panics
/// When it has not been built.
pub fn library() -> PathBuf {
    let running = std::env::current_exe().unwrap_or_else(|error| panic!("{error}"));
    let folders = running.ancestors().skip(1).take(2);
    let library = folders
        .map(|folder| folder.join("libmesos.so"))
        .find(|it| it.is_file());
    library.unwrap_or_else(|| panic!("build the library first: cargo build -p tepui-libmesos"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn entry(folder: &Path, start: &str, end: &str) -> PathBuf {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(start) && name.ends_with(end)
    };
    let found = entries.map(|it| it.path()).find(named);
    found.unwrap_or_else(|| panic!("there is no {start}*{end} in {}", folder.display()))
}

/// A program that is told what to do by lines, and tells by lines what happens.
#[derive(Debug)]
pub struct Told {
    process: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Told {
    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (heard, lines) = channel();
        let output = process.stdout.take().map(BufReader::new);
        thread::spawn(move || {
            let lines = output.into_iter().flat_map(BufRead::lines);
            for line in lines.map_while(Result::ok) {
                // Shown when the test fails.
                println!("    {line}");
                if heard.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            input: process.stdin.take(),
            process,
            lines,
            heard: Vec::new(),
        }
    }

    /// Tells it to do something.
    ///
    /// # Panics
    /// When it is gone.
    pub fn tell(&mut self, line: &str) {
        let input = self.input.as_mut();
        let told = input.map(|input| writeln!(input, "{line}"));
        assert!(matches!(told, Some(Ok(()))), "{line}: it is gone");
    }

    /// Waits for a line that begins like this and was not awaited before; the words of it.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn hear(&mut self, start: &str) -> Vec<String> {
        self.hear_within(start, PATIENCE)
    }

    /// As [`hear`](Self::hear), with so much time between two lines.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn hear_within(&mut self, start: &str, patience: Duration) -> Vec<String> {
        let is_wanted = |line: &String| line.starts_with(start);
        let line = match self.heard.iter().position(is_wanted) {
            Some(at) => self.heard.remove(at),
            None => loop {
                let line = self.lines.recv_timeout(patience);
                let line = line.unwrap_or_else(|_| panic!("not heard: {start}"));
                if is_wanted(&line) {
                    break line;
                }
                self.heard.push(line);
            },
        };
        line.split(' ').map(str::to_owned).collect()
    }

    /// Whether it has said a line that begins like this, and that was not awaited.
    pub fn has_said(&mut self, start: &str) -> bool {
        self.heard.extend(self.lines.try_iter());
        self.heard.iter().any(|line| line.starts_with(start))
    }

    /// What it has said and was not awaited, forgotten.
    pub fn forget(&mut self, start: &str) {
        self.heard.extend(self.lines.try_iter());
        self.heard.retain(|line| !line.starts_with(start));
    }

    /// Tells it that nothing follows, and waits for its end: its exit code.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn end(&mut self) -> Option<i32> {
        self.input = None;
        let status = self.process.wait();
        status.unwrap_or_else(|error| panic!("{error}")).code()
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // A test that fails must not leave it behind; there is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
