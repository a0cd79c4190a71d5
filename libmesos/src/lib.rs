//! `libmesos.so`: the native half of `org.apache.mesos`, over Tepui's SDK.
//!
//! Frameworks on the JVM (Spark, Marathon, Chronos) are written against the classes of Mesos' jar,
//! whose methods are native: `MesosSchedulerDriver`, `MesosExecutorDriver`, `MesosNativeLibrary`.
//! `natives` has the names that the JVM looks up, and nothing else; `scheduler` and `executor`
//! are the two drivers. Each has a lifecycle, a session with the master or the agent on a runtime
//! of the library's own, and one thread of the JVM that calls back, one call at a time.
//!
//! Messages cross as bytes: those of Mesos' old API (v0) and of v1 have the same numbers for the
//! same fields, under other names (`slave_id` is `agent_id`). What only v0 has is dropped, as
//! unknown: `CommandInfo.container`, which nobody fills in any more.

mod context;
mod executor;
mod guard;
mod java;
mod lifecycle;
pub mod limits;
mod logs;
mod master;
mod natives;
mod runtime;
mod scheduler;
mod table;
