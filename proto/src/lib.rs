//! The Mesos v1 messages and Tepui's own gRPC services, generated from the `.proto` files beside
//! this crate.
//!
//! Packages, messages, fields and numbers of `mesos.v1` are Apache Mesos', so that bytes and JSON
//! are the same. [`decode`] takes what comes from outside in either form and refuses messages that
//! lack required fields; a gRPC server gives these their zero value, and the conversions in
//! `tepui-model` check them. [`recordio`] frames the messages of a stream over HTTP.

/// The serialised `FileDescriptorSet` of every file, for gRPC reflection and for tests.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

#[cfg(feature = "grpc")]
pub mod codec;
pub mod decode;
mod json;
pub mod recordio;
mod required;
mod table;
pub mod weight;

pub use required::missing_required;
pub use table::{Described, Message as MessageTable};

macro_rules! include_package {
    ($name:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $name, ".rs"));
    };
}

pub use mesos::v1;
pub use tepui::v1 as services;

// The folders of generated code follow the packages, because the code refers to itself so.
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod mesos {
    /// Package `mesos.v1`: the objects of the v1 API.
    pub mod v1 {
        include_package!("mesos.v1");

        /// Package `mesos.v1.agent`: the operator API of an agent.
        pub mod agent {
            include_package!("mesos.v1.agent");
        }
        /// Package `mesos.v1.allocator`: answers to inverse offers.
        pub mod allocator {
            include_package!("mesos.v1.allocator");
        }
        /// Package `mesos.v1.executor`: the executor API.
        pub mod executor {
            include_package!("mesos.v1.executor");
        }
        /// Package `mesos.v1.maintenance`: maintenance schedules.
        pub mod maintenance {
            include_package!("mesos.v1.maintenance");
        }
        /// Package `mesos.v1.master`: the operator API of the master.
        pub mod master {
            include_package!("mesos.v1.master");
        }
        /// Package `mesos.v1.quota`: quota.
        pub mod quota {
            include_package!("mesos.v1.quota");
        }
        /// Package `mesos.v1.resource_provider`: the resource provider API.
        pub mod resource_provider {
            include_package!("mesos.v1.resource_provider");
        }
        /// Package `mesos.v1.scheduler`: the scheduler API.
        pub mod scheduler {
            include_package!("mesos.v1.scheduler");
        }
    }
}

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod tepui {
    /// Package `tepui.v1`: the gRPC services.
    pub mod v1 {
        include_package!("tepui.v1");
    }
}
