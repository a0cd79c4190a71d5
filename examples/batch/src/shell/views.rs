//! Jobs as the API shows them.

use tepui_sdk::model::Time;

use crate::{
    api,
    core::{Job, JobState, StageProgress, Task},
    ids::{Attempt, Place},
    spec,
};

/// A job without its tasks.
pub(super) fn job(job: &Job) -> api::Job {
    let progress = job.progress();
    let stages = job.spec.stages.iter().zip(&progress.stages);
    api::Job {
        id: job.id.to_string(),
        name: job.spec.name.clone(),
        state: state(job.state).into(),
        reason: job.reason.clone(),
        obstacle: job.obstacle.clone(),
        submitted_us: job.submitted.as_micros(),
        ended_us: job.ended.map(Time::as_micros),
        input_files: job.extent.files,
        input_bytes: job.extent.bytes,
        stages: stages
            .map(|(spec, progress)| stage(spec, *progress))
            .collect(),
        failures: progress.failures,
        losses: progress.losses,
        counts_words: job.spec.counts_words(),
        tasks: Vec::new(),
    }
}

/// A job with its tasks.
pub(super) fn job_with_tasks(of: &Job) -> api::Job {
    let tasks = of
        .tasks()
        .map(|(place, task)| self::task(of, place, task))
        .collect();
    api::Job { tasks, ..job(of) }
}

const fn state(state: JobState) -> api::JobState {
    match state {
        JobState::Running => api::JobState::Running,
        JobState::Succeeded => api::JobState::Succeeded,
        JobState::Failed => api::JobState::Failed,
        JobState::Cancelled => api::JobState::Cancelled,
    }
}

fn stage(spec: &spec::Stage, progress: StageProgress) -> api::Stage {
    let work = spec.work();
    let builtin = work.builtin.map(|builtin| builtin.name().to_owned());
    api::Stage {
        kind: if spec.map.is_some() { "map" } else { "reduce" }.to_owned(),
        work: builtin.or_else(|| work.command.clone()).unwrap_or_default(),
        waiting: progress.waiting,
        running: progress.running,
        done: progress.done,
    }
}

fn task(job: &Job, place: Place, task: &Task) -> api::Task {
    let attempt = Attempt {
        job: job.id.clone(),
        place,
        number: task.attempt,
    };
    let (agent_id, agent_address) = match task.site() {
        Some(site) => (site.agent.to_string(), site.address.clone()),
        None => Default::default(),
    };
    api::Task {
        stage: place.stage,
        partition: place.partition,
        task_id: if task.attempt > 0 {
            attempt.to_string()
        } else {
            String::new()
        },
        state: task.state.name().to_owned(),
        agent_id,
        agent_address,
        failures: task.failures,
        losses: task.losses,
        message: task.message.clone(),
    }
}
