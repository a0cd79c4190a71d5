//! Why a session ended, or a question got no answer.

/// The cause, and what can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No address at all.
    #[error("no master is named: give at least one HOST:PORT")]
    NoMaster,
    /// An address that is not `HOST:PORT`.
    #[error("{0:?} is not the address of a master: write HOST:PORT")]
    Address(String),
    /// Nobody answers there.
    #[error("cannot reach {address}: {cause}")]
    Unreachable {
        /// Where the call went.
        address: String,
        /// What the network said.
        cause: String,
    },
    /// The other side answered with a refusal.
    #[error("{address} refuses: {message}")]
    Refused {
        /// Who refused.
        address: String,
        /// The gRPC status code.
        code: tonic::Code,
        /// The refusal's text.
        message: String,
    },
    /// The master ended this framework: it was removed, failed over, or may not subscribe.
    #[error("the master ended this framework: {0}")]
    Ended(String),
    /// A callback of the framework failed; what it was handling is not acknowledged.
    #[error("the framework stopped: {0}")]
    Framework(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A program in a task's container is over, and takes nothing more.
    #[error("the program is over and takes nothing more")]
    Closed,
    /// An answer lacks what it must have.
    #[error("{address} answered without {what}")]
    Incomplete {
        /// Who answered.
        address: String,
        /// The field that is missing.
        what: &'static str,
    },
}

impl Error {
    /// What a gRPC status from `address` means to the caller.
    pub(crate) fn from_status(address: &str, status: tonic::Status) -> Self {
        let address = address.to_owned();
        match status.code() {
            tonic::Code::Unavailable => Self::Unreachable {
                address,
                cause: status.message().to_owned(),
            },
            code => Self::Refused {
                address,
                code,
                message: status.message().to_owned(),
            },
        }
    }

    /// Whether the same call may succeed later, with nothing changed here.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { code, .. } => !matches!(
                code,
                tonic::Code::InvalidArgument
                    | tonic::Code::PermissionDenied
                    | tonic::Code::Unauthenticated
            ),
            _ => false,
        }
    }
}
