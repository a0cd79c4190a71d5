//! Containers as they are, on this machine's kernel. Without root, every test here prints why it does nothing.

mod ending;
mod hostile;
mod isolation;
mod launching;
mod less;
mod limits;
mod machine;
mod recovery;
mod remains;
