//! Files by their address, as images are fetched: everything has a time, and no redirection leads
//! to where it should not.

use std::{path::Path, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::{StatusCode, Uri, header::HeaderValue, http::uri::Authority};
use tokio::sync::mpsc;

use crate::{
    Error,
    limits::CHUNKS_IN_LINE,
    options::is_own_machine,
    source::{
        Piece, Pieces,
        http::{Answer, Http, Question},
        reach::Reach,
    },
};

/// Fetches files over HTTP and HTTPS. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Downloads(Http);

/// A file on its way.
#[derive(Debug)]
pub struct Download(Answer);

impl Downloads {
    /// With the longest time in which less than a kilobyte a second may come, and certificates that
    /// are trusted besides those of this machine.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn new(stall: Duration, trusted: Option<&Path>) -> Result<Self, Error> {
        Http::new(stall, trusted).map(Self)
    }

    /// Asks for a file. An address of this machine leads to this machine's services, and no other
    /// does; none leads to addresses of the link, where clouds keep their secrets.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn get(&self, address: &str) -> Result<Download, Error> {
        let broken = || Error::refusal("the address", "it is none");
        let mut uri: Uri = address.parse().map_err(|_| broken())?;
        let authorization = take_credentials(&mut uri).ok_or_else(broken)?;
        let authority = uri.authority().ok_or_else(broken)?;
        let question = Question {
            reach: if is_own_machine(authority.as_str()) {
                Reach::Near
            } else {
                Reach::Far
            },
            accept: "*/*",
            authorization,
            uri,
        };
        let answer = self.0.ask(question).await?;
        match answer.status() {
            StatusCode::OK => Ok(Download(answer)),
            status => {
                let text = format!("it answers {status}");
                Err(if status.is_server_error() {
                    Error::registry(&answer.place, text)
                } else {
                    Error::refusal(&answer.place, text)
                })
            }
        }
    }
}

impl Download {
    /// How many bytes it has, if the server says so.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.0.header("content-length")?.parse().ok()
    }

    /// Hands what comes to a reader on another thread, which `read` starts; gives what that makes
    /// of it. `came` hears how many bytes there are.
    ///
    /// # Errors
    /// The download broke off, or the reader failed.
    pub async fn read<T, F: Future<Output = Result<T, Error>>>(
        mut self,
        read: impl FnOnce(Pieces) -> F,
        mut came: impl FnMut(u64),
    ) -> Result<T, Error> {
        let (sender, receiver) = mpsc::channel(CHUNKS_IN_LINE);
        let pouring = async {
            let mut count = 0;
            loop {
                let piece = match self.0.piece().await? {
                    Some(bytes) => {
                        count += bytes.len() as u64;
                        came(count);
                        Piece::Bytes(bytes)
                    }
                    None => Piece::End,
                };
                let is_end = matches!(piece, Piece::End);
                // Nobody reads on after an error, which is told below.
                if sender.send(piece).await.is_err() || is_end {
                    break;
                }
            }
            drop(sender);
            Ok(())
        };
        let (poured, done) = tokio::join!(pouring, read(Pieces::new(receiver)));
        // That it was cut off follows from why.
        Result::and(poured, done)
    }
}

/// Takes the name and the password out of an address; none if it is no address without them.
#[expect(clippy::option_option, reason = "without any there is nothing to take")]
fn take_credentials(uri: &mut Uri) -> Option<Option<HeaderValue>> {
    let authority = uri.authority()?.as_str();
    let Some((credentials, host)) = authority.rsplit_once('@') else {
        return Some(None);
    };
    let mut value =
        HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(credentials))).ok()?;
    value.set_sensitive(true);
    let host: Authority = host.parse().ok()?;
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(host);
    *uri = Uri::from_parts(parts).ok()?;
    Some(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_an_address_are_sent_apart_from_it() {
        let mut uri: Uri = "http://me:secret@localhost:1/a?b".parse().unwrap();
        let header = take_credentials(&mut uri).unwrap().unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic bWU6c2VjcmV0");
        assert_eq!(uri.to_string(), "http://localhost:1/a?b");
        let mut plain: Uri = "https://a/b".parse().unwrap();
        assert_eq!(take_credentials(&mut plain), Some(None));
    }

    #[tokio::test]
    async fn l17_no_file_of_this_machine_is_an_address() {
        let downloads = Downloads::new(Duration::from_secs(1), None).unwrap();
        for address in [
            "file:///etc/passwd",
            "ftp://localhost/a",
            "http://169.254.169.254/latest",
            "http:///a",
            "a",
        ] {
            assert!(downloads.get(address).await.is_err(), "{address}");
        }
    }
}
