//! Whole tasks, with the sandboxes of other tasks in folders of this machine.

use std::{collections::BTreeMap, fs};

use tempfile::TempDir;

use super::*;
use crate::{
    check::Counts,
    ids::{JobId, Place},
    part::PartReader,
    paths,
    plan::{Output, RESULT_FILE, Shuffle, Sink, part_file},
    spec::{Builtin, Work},
};

/// One folder per task, named by its id: a cluster for the poor.
struct Sandboxes(TempDir);

impl Sandboxes {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn of(&self, task: &str) -> PathBuf {
        let path = self.0.path().join(task);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn run(&self, plan: &Plan) -> Result<Volume, Failure> {
        run(plan, &self.of(&plan.task().to_string()), self)
    }

    fn records(&self, task: &str, file: &str) -> Vec<String> {
        let bytes = fs::read(self.of(task).join(file)).unwrap();
        let mut part = PartReader::new(bytes.as_slice());
        let mut records = Vec::new();
        while let Some(record) = part.read().unwrap() {
            records.push(String::from_utf8(record.to_vec()).unwrap());
        }
        records
    }
}

impl Fetch for Sandboxes {
    fn fetch(
        &self,
        framework: &str,
        partition: u32,
        wanted: &[(&Output, &Path)],
    ) -> Result<(), Failure> {
        assert_eq!(framework, "f");
        let bring = |(output, path): &(&Output, &Path)| {
            let from = self.of(&output.task.to_string()).join(part_file(partition));
            let cause = fs::copy(from, path).err()?.to_string();
            Some(LostOutput {
                output: (*output).clone(),
                cause,
            })
        };
        let lost: Vec<_> = wanted.iter().filter_map(bring).collect();
        if lost.is_empty() {
            Ok(())
        } else {
            Err(Failure::Lost(lost))
        }
    }
}

fn builtin(builtin: Builtin) -> Work {
    Work {
        builtin: Some(builtin),
        command: None,
    }
}

fn command(command: &str) -> Work {
    Work {
        builtin: None,
        command: Some(command.to_owned()),
    }
}

fn plan(stage: u32, partition: u32, source: Source, work: Work, sink: Sink) -> Plan {
    let place = Place { stage, partition };
    Plan {
        job: JobId::new("job", 1),
        place,
        attempt: 1,
        source,
        work,
        sink,
    }
}

fn map(partition: u32, lines: &[&str], work: Work, sink: Sink) -> Plan {
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    plan(0, partition, Source::Lines(lines), work, sink)
}

fn reduce(stage: u32, partition: u32, maps: u32, work: Work, sink: Sink) -> Plan {
    let outputs = (0..maps).map(|_| (0, 1)).collect();
    let shuffle = Shuffle {
        framework: "f".into(),
        agents: vec!["a:1".into()],
        outputs,
    };
    plan(stage, partition, Source::Shuffle(shuffle), work, sink)
}

const TO_TWO: Sink = Sink::Partitions {
    count: 2,
    sum: true,
};
const RAW_TO_TWO: Sink = Sink::Partitions {
    count: 2,
    sum: false,
};

#[test]
fn a_word_count_of_two_maps_and_two_reduces_agrees_with_the_plain_count() {
    let sandboxes = Sandboxes::new();
    let lines = [["the cat, the dog", "a cat"].as_slice(), &["THE end"]];
    for (partition, lines) in (0..).zip(lines) {
        sandboxes
            .run(&map(partition, lines, builtin(Builtin::Words), TO_TWO))
            .unwrap();
    }
    let mut result = Vec::new();
    for partition in 0..2 {
        let plan = reduce(1, partition, 2, builtin(Builtin::Sum), Sink::Result);
        sandboxes.run(&plan).unwrap();
        let records = sandboxes.records(&plan.task().to_string(), RESULT_FILE);
        assert!(records.is_sorted(), "{records:?}");
        result.extend(records);
    }
    let counts = Counts::of_lines(lines.concat()).unwrap();
    let verdict = counts.compare(result.iter().map(|line| line.as_bytes()));
    assert!(verdict.agrees(), "{verdict:?}");
    assert_eq!(verdict.distinct, 5);
}

#[test]
fn a_map_of_files_reads_each_to_its_end_and_combines() {
    let sandboxes = Sandboxes::new();
    let folder = sandboxes.of("input");
    let names = ["a", "b"].map(|name| folder.join(name).to_str().unwrap().to_owned());
    fs::write(&names[0], "one two").unwrap();
    fs::write(&names[1], "two\nthree two\n").unwrap();
    let list = paths::encode(names.iter().map(String::as_str));
    let sink = Sink::Partitions {
        count: 1,
        sum: true,
    };
    let words = plan(
        0,
        0,
        Source::Files(list.clone()),
        builtin(Builtin::Words),
        sink.clone(),
    );
    sandboxes.run(&words).unwrap();
    let records = sandboxes.records("job-1.0.0.1", &part_file(0));
    assert_eq!(records, ["one\t1", "three\t1", "two\t3"]);
    // A command sees a line end between two files, even where the first has none.
    let count = plan(
        0,
        1,
        Source::Files(list),
        command("wc -l | sed 's/^/lines\\t/'"),
        sink,
    );
    sandboxes.run(&count).unwrap();
    assert_eq!(
        sandboxes.records("job-1.0.1.1", &part_file(0)),
        ["lines\t3"]
    );
}

#[test]
fn commands_map_and_reduce_over_several_shuffles() {
    let sandboxes = Sandboxes::new();
    let letters = command("fold -w 1 | sed 's/$/\\t1/'");
    for (partition, line) in (0..).zip(["banana", "bandana"]) {
        sandboxes
            .run(&map(partition, &[line], letters.clone(), RAW_TO_TWO))
            .unwrap();
    }
    // Counts each letter, then turns the record around, so that the count becomes the key.
    let count = command("cut -f 1 | uniq -c | awk '{print $1 \"\\t\" $2}'");
    for partition in 0..2 {
        sandboxes
            .run(&reduce(1, partition, 2, count.clone(), RAW_TO_TWO))
            .unwrap();
    }
    let mut result = BTreeMap::new();
    for partition in 0..2 {
        let plan = reduce(2, partition, 2, command("cat"), Sink::Result);
        sandboxes.run(&plan).unwrap();
        for record in sandboxes.records(&plan.task().to_string(), RESULT_FILE) {
            let (count, letter) = record.split_once('\t').unwrap();
            result.insert(letter.to_owned(), count.to_owned());
        }
    }
    let expected = [("a", "6"), ("b", "2"), ("d", "1"), ("n", "4")];
    assert_eq!(
        result,
        expected.map(|(l, c)| (l.to_owned(), c.to_owned())).into()
    );
}

#[test]
fn every_output_that_cannot_be_fetched_is_named() {
    let sandboxes = Sandboxes::new();
    for partition in [0, 2, 3] {
        sandboxes
            .run(&map(partition, &["a"], builtin(Builtin::Words), TO_TWO))
            .unwrap();
    }
    fs::remove_file(sandboxes.of("job-1.0.2.1").join(part_file(0))).unwrap();
    let plan = reduce(1, 0, 4, builtin(Builtin::Sum), Sink::Result);
    let failure = sandboxes.run(&plan).unwrap_err();
    assert_eq!(failure.lost(), [(1, 1), (2, 1)]);
    assert!(
        failure.to_string().starts_with("cannot fetch 2 outputs"),
        "{failure}"
    );
}

#[test]
fn an_output_that_was_cut_on_the_way_counts_as_lost() {
    let sandboxes = Sandboxes::new();
    sandboxes
        .run(&map(0, &["a b c d"], builtin(Builtin::Words), TO_TWO))
        .unwrap();
    let path = sandboxes.of("job-1.0.0.1").join(part_file(1));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let plan = reduce(1, 1, 1, builtin(Builtin::Sum), Sink::Result);
    assert_eq!(sandboxes.run(&plan).unwrap_err().lost(), [(0, 1)]);
}

#[test]
fn a_value_that_cannot_be_added_names_its_key() {
    let sandboxes = Sandboxes::new();
    let plan = map(0, &["k\tv"], command("cat"), TO_TWO);
    let failure = sandboxes.run(&plan).unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("key \"k\" has the value \"v\""),
        "{failure}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let list = paths::encode(["/none/such"]);
    for work in [builtin(Builtin::Words), command("cat")] {
        let plan = plan(0, 0, Source::Files(list.clone()), work, TO_TWO);
        let failure = Sandboxes::new().run(&plan).unwrap_err();
        assert!(
            failure.to_string().starts_with("cannot open /none/such: "),
            "{failure}"
        );
    }
}

#[test]
fn a_task_that_failed_leaves_a_report() {
    let sandboxes = Sandboxes::new();
    let sandbox = sandboxes.of("task");
    let output = Output {
        agent: "a:1".into(),
        task: "job-1.0.7.2".parse().unwrap(),
    };
    let lost = vec![LostOutput {
        output,
        cause: "gone".into(),
    }];
    let status = failed(&sandbox, "task", &Failure::Lost(lost));
    assert_eq!(
        format!("{status:?}"),
        format!("{:?}", ExitCode::from(LOST_STATUS))
    );
    let report: Report =
        serde_json::from_slice(&fs::read(sandbox.join(REPORT_FILE)).unwrap()).unwrap();
    assert_eq!(report.lost, [(7, 2)]);
    assert!(
        report.error.contains("job-1.0.7.2 from a:1: gone"),
        "{}",
        report.error
    );
}

#[test]
fn the_plan_comes_from_the_file_that_is_the_only_argument() {
    let sandboxes = Sandboxes::new();
    let plan = map(0, &["a"], builtin(Builtin::Words), TO_TWO);
    let path = sandboxes.of("plans").join("plan");
    fs::write(&path, plan.encode().unwrap()).unwrap();
    assert_eq!(read_plan([path.clone().into()]).unwrap(), plan);
    assert!(matches!(
        read_plan([path.clone().into(), path.into()]),
        Err(Failure::NoPlan)
    ));
}
