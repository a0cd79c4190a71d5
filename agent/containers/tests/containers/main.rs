//! Containers as they are, on this machine's kernel. Without root, every test here prints why it
//! does nothing.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod breakout;
mod ending;
mod gpus;
mod hostile;
mod isolation;
mod launching;
mod less;
mod limits;
mod machine;
mod networks;
mod offers;
mod pods;
mod processors;
mod projects;
mod quota;
mod recovery;
mod remains;
mod rights;
mod roots;
mod seats;
mod secrets;
mod sessions;
mod shares;
mod users;
mod volumes;
