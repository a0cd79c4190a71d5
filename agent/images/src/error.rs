//! Why an image cannot be had.

use std::{io, path::PathBuf, time::Duration};

use crate::{Digest, InvalidReference};

/// Why an image cannot be had. Nothing half of it is in the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is none.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    /// Nobody knows the image.
    #[error("there is no image {image} in {place}: check its name and tag")]
    NotFound {
        /// The image.
        image: String,
        /// Where it was looked for.
        place: String,
    },
    /// The registry wants to know who asks.
    #[error(
        "{place} does not let this agent have {image}: {problem}; \
         check the name, or give credentials with --docker-config"
    )]
    Unauthorized {
        /// The image.
        image: String,
        /// The registry.
        place: String,
        /// What it said.
        problem: String,
    },
    /// The registry did not answer as a registry does.
    #[error("{place}: {problem}")]
    Registry {
        /// The registry, or the address that it led to.
        place: String,
        /// What went wrong.
        problem: String,
        /// Whether another attempt may do.
        passing: bool,
    },
    /// The registry leads to where the agent does not go.
    #[error("{from} leads to {to}, where nothing is fetched from: {problem}")]
    Forbidden {
        /// Who led there.
        from: String,
        /// Where it led.
        to: String,
        /// Why not.
        problem: &'static str,
    },
    /// There are too few bytes in too long a time.
    #[error("{place} sends fewer than {bytes} bytes in {time:?}: given up")]
    TooSlow {
        /// Who sends.
        place: String,
        /// The least that is waited for.
        bytes: u64,
        /// How long.
        time: Duration,
    },
    /// All of it took too long.
    #[error("the image was not there after {0:?}: see --image-pull-timeout")]
    Timeout(Duration),
    /// The content is not that which was named.
    #[error("{what} has the digest {found}, and not {expected}: it was changed on the way")]
    Mismatch {
        /// What it is.
        what: String,
        /// The digest by which it was asked for.
        expected: Digest,
        /// Its own.
        found: Digest,
    },
    /// The image is of a kind that is not known here.
    #[error("the image cannot be used: {0}")]
    Unsupported(String),
    /// The image is broken or hostile.
    #[error("the image is broken: {0}")]
    Broken(String),
    /// It is larger than it may be.
    #[error("the image is too large: {0}")]
    TooLarge(String),
    /// The process that unpacks it did not do so.
    #[error("the layer was not unpacked: {0}")]
    Unpacker(String),
    /// The store cannot be worked on.
    #[error("cannot {step} {path}: {source}")]
    Store {
        /// The step, as in "make".
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// What was asked for was dropped meanwhile.
    #[error("the pull was given up")]
    Cancelled,
}

impl Error {
    /// Whether another attempt may do.
    pub(crate) const fn is_passing(&self) -> bool {
        match self {
            Self::Registry { passing, .. } => *passing,
            // What was damaged on the way may come whole the next time.
            Self::Mismatch { .. } | Self::TooSlow { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn registry(place: impl Into<String>, problem: impl ToString) -> Self {
        Self::Registry {
            place: place.into(),
            problem: problem.to_string(),
            passing: true,
        }
    }

    pub(crate) fn refusal(place: impl Into<String>, problem: impl ToString) -> Self {
        Self::Registry {
            place: place.into(),
            problem: problem.to_string(),
            passing: false,
        }
    }

    /// A step on the store that failed.
    pub(crate) fn store(
        step: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Store { step, path, source }
    }
}
