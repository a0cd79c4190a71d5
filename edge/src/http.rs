//! Mesos' HTTP, as far as master and agent share it: calls in one of two forms, streams of records,
//! refusals, and answers in JSON to a GET.

pub mod amounts;
pub mod body;
pub mod call;
pub mod gzip;
pub mod media;
pub mod page;
pub mod process;
mod refusal;
pub mod shapes;

pub use self::{media::Media, page::Page, refusal::Refusal};
