//! What the tasks of a job wrote, brought from the agents, one task after another.

use tepui_sdk::{Node, Reading, model::FrameworkId};

use super::collect::sandbox_file;
use crate::{
    api,
    core::{Job, Site},
    ids::Attempt,
};

/// The logs of some tasks of a job.
#[derive(Debug)]
pub(super) struct Logs {
    framework: FrameworkId,
    file: &'static str,
    follow: bool,
    tasks: std::vec::IntoIter<(Attempt, Site)>,
    reading: Option<(String, Reading)>,
}

/// The tasks that a request asks about, of those that have been launched, with the places of their
/// last attempts.
pub(super) fn wanted(job: &Job, request: &api::LogsRequest) -> Vec<(Attempt, Site)> {
    let of_stage = |stage| request.stage.is_none_or(|wanted| wanted == stage);
    let of_partition = |partition| request.partition.is_none_or(|wanted| wanted == partition);
    job.tasks()
        .filter(|(place, _)| of_stage(place.stage) && of_partition(place.partition))
        .filter_map(|(place, task)| {
            let number = task.attempt;
            Some((
                Attempt {
                    job: job.id.clone(),
                    place,
                    number,
                },
                task.site()?.clone(),
            ))
        })
        .collect()
}

impl Logs {
    /// Before the first task.
    pub(super) fn of(
        framework: FrameworkId,
        tasks: Vec<(Attempt, Site)>,
        request: &api::LogsRequest,
    ) -> Self {
        Self {
            framework,
            file: if request.stdout { "stdout" } else { "stderr" },
            follow: request.follow,
            tasks: tasks.into_iter(),
            reading: None,
        }
    }

    /// The next piece; none after the last task. A task whose log cannot be read says why, and the
    /// next one follows.
    pub(super) async fn next(&mut self) -> Option<api::LogsResponse> {
        loop {
            let Some((task_id, reading)) = &mut self.reading else {
                let (attempt, site) = self.tasks.next()?;
                let task_id = attempt.to_string();
                match self.open(&attempt, &site).await {
                    Ok(reading) => self.reading = Some((task_id, reading)),
                    Err(error) => {
                        return Some(api::LogsResponse {
                            task_id,
                            data: Vec::new(),
                            error,
                        });
                    }
                }
                continue;
            };
            let task_id = task_id.clone();
            match reading.next().await {
                Ok(Some(data)) => {
                    return Some(api::LogsResponse {
                        task_id,
                        data,
                        error: String::new(),
                    });
                }
                Ok(None) => self.reading = None,
                Err(error) => {
                    self.reading = None;
                    let error = error.to_string();
                    return Some(api::LogsResponse {
                        task_id,
                        data: Vec::new(),
                        error,
                    });
                }
            }
        }
    }

    async fn open(&self, attempt: &Attempt, site: &Site) -> Result<Reading, String> {
        let file = sandbox_file(self.framework.clone(), attempt, self.file)?;
        let node = Node::connect(&site.address)
            .await
            .map_err(|error| error.to_string())?;
        node.read_sandbox(&file, self.follow)
            .await
            .map_err(|error| error.to_string())
    }
}
