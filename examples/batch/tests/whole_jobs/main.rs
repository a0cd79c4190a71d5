//! Whole jobs: the real framework, its real API and real workers, on a master and agents that are
//! played.

#[cfg(test)]
mod agent;
#[cfg(test)]
mod framework;
#[cfg(test)]
mod master;

use std::{path::PathBuf, time::Duration};

use framework::{Framework, PATIENCE};
use master::Master;
use tempfile::TempDir;
use tepui_batch::{
    api::{self, JobState},
    client::{Client, ClientError},
};
use tokio::time::timeout;
use tonic::Code;

/// The words of this crate's own text and of the licences of the machine, if it has any.
fn word_count() -> String {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let (source, proto) = (here.join("src"), here.join("proto/**/*.proto"));
    format!(
        "name: words\n\
         input: {{files: ['{}', '{}', /usr/share/common-licenses], missing: skip}}\n\
         stages:\n\
         - {{map: {{builtin: words}}, partitions: 4}}\n\
         - {{reduce: {{builtin: sum}}, partitions: 3}}\n\
         cpus: 1\n",
        source.display(),
        proto.display(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn words_counted_on_two_agents_are_those_of_the_plain_count() {
    let (master, work_dir) = (Master::start(&["a", "b"]).await, TempDir::new().unwrap());
    let mut framework = Framework::start(&master, &work_dir).await;
    let id = framework.submit(&word_count()).await;
    assert_eq!(id, "words-1");
    let job = framework.succeeds(&id).await;
    assert_eq!((job.failures, job.losses), (0, 0));
    assert_eq!(job.stages.iter().map(|stage| stage.done).sum::<u32>(), 7);
    let verdict = framework.verify(&id).await;
    assert!(
        verdict.distinct > 500 && verdict.total > 5000,
        "{verdict:?}"
    );
    assert_eq!(verdict.bytes, job.input_bytes);
    // The shuffle went between agents.
    assert_eq!(master.agents_of(0), ["a", "b"]);
    assert_eq!(master.agents_of(1), ["a", "b"]);
    let status = framework.client.status(&id).await.unwrap();
    assert_eq!(status.tasks.len(), 7);
    assert!(
        status
            .tasks
            .iter()
            .all(|task| task.state == "done" && !task.agent_id.is_empty())
    );
    framework.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_that_die_with_their_agent_are_made_again() {
    let (master, work_dir) = (Master::start(&["a", "b"]).await, TempDir::new().unwrap());
    let mut framework = Framework::start(&master, &work_dir).await;
    // The four maps and no more, so that the agent dies before a reduce is launched.
    master.offer_until_launched(4);
    let id = framework.submit(&word_count()).await;
    framework.until(&id, |job| job.stages[0].done == 4).await;
    master.lose_agent("a");
    master.offer_until_launched(usize::MAX);
    let job = framework.succeeds(&id).await;
    assert!(job.losses > 0, "{job:?}");
    assert_eq!(job.failures, 0);
    framework.verify(&id).await;
    framework.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_framework_that_comes_back_goes_on_with_its_jobs_and_keeps_their_results() {
    let (master, work_dir) = (Master::start(&["a", "b"]).await, TempDir::new().unwrap());
    let mut framework = Framework::start(&master, &work_dir).await;
    let slow = "{name: slow, cpus: 1, input: {lines: [a, b, c, d, e, f]}, stages: [\
                {map: {command: 'sleep 0.5; cat'}, partitions: 6}, \
                {reduce: {command: 'sort -r'}, partitions: 1}]}";
    let id = framework.submit(slow).await;
    framework.until(&id, |job| job.stages[0].done > 0).await;
    framework.stop().await;
    let mut framework = Framework::start(&master, &work_dir).await;
    framework.succeeds(&id).await;
    assert_eq!(framework.result(&id).await, "f\ne\nd\nc\nb\na\n");
    framework.stop().await;
    let mut framework = Framework::start(&master, &work_dir).await;
    assert_eq!(framework.result(&id).await, "f\ne\nd\nc\nb\na\n");
    // No attempt was made twice.
    assert_eq!(master.tasks().len(), 7);
    assert_eq!(framework.submit(slow).await, "slow-2");
    framework.stop().await;
}

/// What a launch means is on disk before it is sent: a framework that dies in between must ask what
/// became of it, and try again.
#[tokio::test(flavor = "multi_thread")]
async fn a_launch_that_is_lost_with_the_framework_is_made_again() {
    let (master, work_dir) = (Master::start(&["a"]).await, TempDir::new().unwrap());
    let mut framework = Framework::start(&master, &work_dir).await;
    master.ignore_launches();
    let file = "{name: lost, cpus: 1, input: {lines: [a]}, stages: [{map: {command: cat}}]}";
    let id = framework.submit(file).await;
    timeout(PATIENCE, master.hear_launches_after_one())
        .await
        .unwrap();
    framework.stop().await;
    let mut framework = Framework::start(&master, &work_dir).await;
    let job = framework.succeeds(&id).await;
    assert_eq!((job.failures, job.losses), (0, 1));
    assert_eq!(master.tasks(), ["lost-1.0.0.2"]);
    assert_eq!(framework.result(&id).await, "a\n");
    framework.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_ends_the_job_with_its_reason_and_its_log() {
    let (master, work_dir) = (Master::start(&["a"]).await, TempDir::new().unwrap());
    let mut framework = Framework::start(&master, &work_dir).await;
    let file = "{name: bad, cpus: 1, retries: 1, input: {lines: [a]}, stages: [\
                {map: {command: 'echo no such luck >&2; exit 9'}}]}";
    let id = framework.submit(file).await;
    let job = framework
        .until(&id, |job| job.state() == JobState::Failed)
        .await;
    assert_eq!(
        job.reason,
        "task 0 of stage 0 failed 2 times; at last: the command ended with exit status: 9"
    );
    assert_eq!(master.tasks(), ["bad-1.0.0.1", "bad-1.0.0.2"]);
    let request = api::LogsRequest {
        job_id: id.clone(),
        ..Default::default()
    };
    let mut logs = framework.client.logs(request).await.unwrap();
    let log = logs.message().await.unwrap().unwrap();
    assert_eq!(
        (log.task_id.as_str(), log.error.as_str()),
        ("bad-1.0.0.2", "")
    );
    let text = String::from_utf8(log.data).unwrap();
    assert!(
        text.starts_with("no such luck\nbad-1.0.0.2: the command ended"),
        "{text}"
    );
    let (code, message) = framework.refusal(&id).await;
    assert_eq!(
        (code, message.as_str()),
        (
            Code::FailedPrecondition,
            "job bad-1 has no result: it is failed"
        )
    );
    framework.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_ends_its_processes() {
    let (master, work_dir) = (Master::start(&["a"]).await, TempDir::new().unwrap());
    let mut framework = Framework::start(&master, &work_dir).await;
    let file =
        "{name: long, cpus: 1, input: {lines: [a]}, stages: [{map: {command: 'sleep 100'}}]}";
    let id = framework.submit(file).await;
    framework.until(&id, |job| job.stages[0].running == 1).await;
    let job = framework.client.cancel(&id).await.unwrap();
    assert_eq!(job.state(), JobState::Cancelled);
    let again = framework.client.cancel(&id).await.unwrap_err();
    assert_eq!(again.to_string(), "job long-1 has ended already");
    assert_eq!(framework.client.list().await.unwrap().len(), 1);
    framework.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_by_name() {
    let (master, work_dir) = (Master::start(&[]).await, TempDir::new().unwrap());
    let mut framework = Framework::start(&master, &work_dir).await;
    for (file, expected) in [
        ("colour: red", "unknown field `colour`"),
        (
            "{name: a, input: {files: [/none]}, stages: [{map: {command: cat}}]}",
            "no /none",
        ),
    ] {
        match framework.client.submit(file).await.unwrap_err() {
            ClientError::Refused {
                code: Code::InvalidArgument,
                message,
            } => {
                assert!(message.contains(expected), "{message}");
            }
            other => panic!("{other}"),
        }
    }
    let (code, message) = framework.refusal("none-1").await;
    assert_eq!(
        (code, message.as_str()),
        (Code::NotFound, "there is no job none-1")
    );
    framework.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_finds_the_framework_through_the_master() {
    let (master, work_dir) = (Master::start(&[]).await, TempDir::new().unwrap());
    let nobody = Client::discover(&master.address).await.unwrap_err();
    assert!(
        nobody.to_string().contains("no batch framework"),
        "{nobody}"
    );
    let framework = Framework::start(&master, &work_dir).await;
    let found = async {
        loop {
            if let Ok(client) = Client::discover(&master.address).await {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let mut client = timeout(PATIENCE, found).await.unwrap();
    assert!(client.list().await.unwrap().is_empty());
    framework.stop().await;
}
