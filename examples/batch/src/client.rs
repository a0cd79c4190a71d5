//! A client of the framework's API, which finds it through the master.

use tepui_sdk::{Operator, dial};
use tonic::{Streaming, transport::Channel};

use crate::{
    FRAMEWORK_NAME,
    api::{self, batch_client::BatchClient},
    check::{Counts, Unreadable, Verdict},
    limits,
    paths::{self, Damaged},
};

/// Why the API gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The master, or the framework, cannot be reached.
    #[error(transparent)]
    Unreachable(#[from] tepui_sdk::Error),
    /// No batch framework is subscribed.
    #[error("no batch framework is connected to the master at {master}: start one")]
    NotRunning {
        /// Where it was looked for.
        master: String,
    },
    /// The framework answered with a refusal.
    #[error("{message}")]
    Refused {
        /// Its kind.
        code: tonic::Code,
        /// Its text.
        message: String,
    },
    /// The job's result is no count of words.
    #[error(
        "job {0} cannot be verified: only `words` summed up by `sum` can be counted again here"
    )]
    NotWords(String),
    /// A file of the input cannot be read here.
    #[error("the words cannot be counted here: {0}")]
    Input(#[from] Unreadable),
    /// The answer makes no sense.
    #[error("the framework's answer is damaged: {0}")]
    Damaged(#[from] Damaged),
    /// An answer without what it is about.
    #[error("the framework answered without the job")]
    Incomplete,
    /// The plain count broke down.
    #[error("the plain count broke down: {0}")]
    Internal(String),
}

impl From<tonic::Status> for ClientError {
    fn from(status: tonic::Status) -> Self {
        Self::Refused {
            code: status.code(),
            message: status.message().to_owned(),
        }
    }
}

/// What a job reads, as the framework tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inputs {
    /// These files, in order.
    Files(Vec<String>),
    /// These lines.
    Lines(Vec<String>),
}

/// A connection to the framework's API. A cheap clone.
#[derive(Debug, Clone)]
pub struct Client(BatchClient<Channel>);

impl Client {
    /// Connects to the framework that is subscribed with one of `masters`.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`] when there is none.
    pub async fn discover(masters: &str) -> Result<Self, ClientError> {
        let operator = Operator::connect(masters).await?;
        match operator.framework_address(FRAMEWORK_NAME).await? {
            Some(address) => Self::connect(&address).await,
            None => Err(ClientError::NotRunning {
                master: operator.address().to_owned(),
            }),
        }
    }

    /// Connects to the framework at `HOST:PORT`.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn connect(address: &str) -> Result<Self, ClientError> {
        let client = BatchClient::new(dial(address).await?);
        Ok(Self(
            client.max_decoding_message_size(limits::API_MESSAGE_BYTES),
        ))
    }

    /// Begins the job of a file, given as its text.
    ///
    /// # Errors
    /// [`ClientError::Refused`] says what is wrong with the file.
    pub async fn submit(&mut self, file: &str) -> Result<api::Job, ClientError> {
        let request = api::SubmitRequest {
            file: file.to_owned(),
        };
        self.0
            .submit(request)
            .await?
            .into_inner()
            .job
            .ok_or(ClientError::Incomplete)
    }

    /// Every job that is remembered, in the order of submission, without its tasks.
    ///
    /// # Errors
    /// As the framework answers.
    pub async fn list(&mut self) -> Result<Vec<api::Job>, ClientError> {
        Ok(self.0.list(api::ListRequest {}).await?.into_inner().jobs)
    }

    /// One job with its tasks.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `NOT_FOUND` when there is no such job.
    pub async fn status(&mut self, job_id: &str) -> Result<api::Job, ClientError> {
        let request = api::StatusRequest {
            job_id: job_id.to_owned(),
        };
        self.0
            .status(request)
            .await?
            .into_inner()
            .job
            .ok_or(ClientError::Incomplete)
    }

    /// One job without its tasks: now, after each change, and last when it has ended.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn watch(
        &mut self,
        job_id: &str,
    ) -> Result<Streaming<api::WatchResponse>, ClientError> {
        let request = api::WatchRequest {
            job_id: job_id.to_owned(),
        };
        Ok(self.0.watch(request).await?.into_inner())
    }

    /// What the tasks of a job wrote.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn logs(
        &mut self,
        request: api::LogsRequest,
    ) -> Result<Streaming<api::LogsResponse>, ClientError> {
        Ok(self.0.logs(request).await?.into_inner())
    }

    /// The result of a job that succeeded, in pieces.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with `FAILED_PRECONDITION` when the job did not succeed.
    pub async fn result(
        &mut self,
        job_id: &str,
    ) -> Result<Streaming<api::ResultResponse>, ClientError> {
        let request = api::ResultRequest {
            job_id: job_id.to_owned(),
        };
        Ok(self.0.result(request).await?.into_inner())
    }

    /// What a job reads.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn inputs(&mut self, job_id: &str) -> Result<Inputs, ClientError> {
        let request = api::InputsRequest {
            job_id: job_id.to_owned(),
        };
        let mut parts = self.0.inputs(request).await?.into_inner();
        let (mut files, mut lines) = (Vec::new(), Vec::new());
        while let Some(part) = parts.message().await? {
            for path in paths::decode(&part.files) {
                files.push(path?);
            }
            lines.extend(part.lines);
        }
        Ok(if files.is_empty() {
            Inputs::Lines(lines)
        } else {
            Inputs::Files(files)
        })
    }

    /// Ends a job and its tasks.
    ///
    /// # Errors
    /// As [`status`](Self::status), and `FAILED_PRECONDITION` when it has ended already.
    pub async fn cancel(&mut self, job_id: &str) -> Result<api::Job, ClientError> {
        let request = api::CancelRequest {
            job_id: job_id.to_owned(),
        };
        self.0
            .cancel(request)
            .await?
            .into_inner()
            .job
            .ok_or(ClientError::Incomplete)
    }

    /// Counts the words of a job's input again, here, plainly and alone, and compares.
    ///
    /// The files must be found here too, unchanged since the job ran; the counts and the result are
    /// held in memory.
    ///
    /// # Errors
    /// [`ClientError::NotWords`] when the job counts no words.
    pub async fn verify(&mut self, job_id: &str) -> Result<Verdict, ClientError> {
        if !self.status(job_id).await?.counts_words {
            return Err(ClientError::NotWords(job_id.to_owned()));
        }
        let mut pieces = self.result(job_id).await?;
        let mut result = Vec::new();
        while let Some(piece) = pieces.message().await? {
            result.extend(piece.data);
        }
        let inputs = self.inputs(job_id).await?;
        let verdict = tokio::task::spawn_blocking(move || {
            let counts = match inputs {
                Inputs::Files(files) => Counts::of_files(files)?,
                Inputs::Lines(lines) => Counts::of_lines(lines)?,
            };
            let lines = result
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty());
            Ok(counts.compare(lines))
        });
        verdict
            .await
            .map_err(|error| ClientError::Internal(error.to_string()))?
    }
}
