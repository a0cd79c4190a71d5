//! A master and an agent that are ill-treated, and how they are afterwards.

use std::{fs, net::SocketAddr};

use serde_json::{Value, json};
use tepui_cluster_tests::{Cluster, Part, eventually};

use crate::http1::{self, Answer};

/// How much a process may have grown when it is over.
const GROWTH: u64 = 64 << 20;
/// Connections of all tests together.
const CONNECTIONS: usize = 12_000;
/// How much log one case may cause: enough to say what happened, not once for each request.
const LOG: usize = 256 << 10;

/// One of the two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Master,
    Agent,
}

impl Role {
    pub const BOTH: [Self; 2] = [Self::Master, Self::Agent];

    /// The endpoint of its operators.
    pub const fn operator(self) -> &'static str {
        "/api/v1"
    }

    /// The endpoint of those who run tasks.
    pub const fn other(self) -> &'static str {
        match self {
            Self::Master => "/api/v1/scheduler",
            Self::Agent => "/api/v1/executor",
        }
    }
}

/// A master and an agent of their own.
#[derive(Debug)]
pub struct Victim {
    cluster: Cluster,
    before: [u64; 2],
    logged: [usize; 2],
}

impl Victim {
    pub fn start() -> Self {
        // Tests run side by side, and some of them open thousands of connections.
        tepui_edge::descriptors::allow(CONNECTIONS);
        let cluster = Cluster::start(1);
        let mut victim = Self {
            cluster,
            before: [0; 2],
            logged: [0; 2],
        };
        // What the first requests allocate for good is not growth.
        for role in Role::BOTH {
            victim.is_well(role);
        }
        victim.before = Role::BOTH.map(|role| victim.resident(role));
        victim.logged = Role::BOTH.map(|role| victim.part(role).log().len());
        victim
    }

    pub fn address(&self, role: Role) -> SocketAddr {
        self.part(role).address().parse().unwrap()
    }

    fn part(&self, role: Role) -> &Part {
        match role {
            Role::Master => &self.cluster.master,
            Role::Agent => &self.cluster.agents[0],
        }
    }

    /// Posts a body to an endpoint.
    pub fn post(&self, role: Role, path: &str, kind: &str, body: &[u8]) -> Answer {
        http1::post(self.address(role), path, &[("Content-Type", kind)], body)
    }

    /// Makes a call of an operator.
    pub fn operate(&self, role: Role, call: &Value) -> Answer {
        let body = call.to_string().into_bytes();
        self.post(role, "/api/v1", http1::JSON, &body)
    }

    /// What a call that only asks is answered with.
    pub fn ask(&self, role: Role, kind: &str) -> Value {
        let answer = self.operate(role, &json!({"type": kind}));
        assert_eq!(answer.status, 200, "{kind}: {answer:?}");
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// It serves others.
    pub fn is_well(&self, role: Role) {
        let health = http1::get(self.address(role), "/health");
        assert_eq!(health.status, 200, "{role:?}: {health:?}");
        self.ask(role, "GET_VERSION");
    }

    /// Both live, as the same processes; they know each other; they have not grown, nor filled
    /// their logs.
    pub fn is_unharmed(&self) {
        for role in Role::BOTH {
            self.is_well(role);
            // What is freed goes back in its own time.
            eventually("the process shrinks again", || {
                let now = self.resident(role);
                let growth = now.saturating_sub(self.before[role as usize]);
                (growth <= GROWTH).then_some(())
            });
            let logged = self.part(role).log().len() - self.logged[role as usize];
            assert!(logged <= LOG, "{role:?} logged {logged} bytes");
            let log = self.part(role).log();
            assert!(!log.contains("panicked"), "{role:?}: {log}");
        }
        self.cluster.await_agents(1);
    }

    /// The bytes of memory that it has.
    pub fn resident(&self, role: Role) -> u64 {
        self.status(role, "VmRSS:")
    }

    /// The most that it has had since [`Self::forget_peak`].
    pub fn peak(&self, role: Role) -> u64 {
        self.status(role, "VmHWM:")
    }

    /// Counts the peak from now on.
    pub fn forget_peak(&self, role: Role) {
        let path = format!("/proc/{}/clear_refs", self.part(role).pid());
        fs::write(path, "5").unwrap();
    }

    fn status(&self, role: Role, key: &str) -> u64 {
        let path = format!("/proc/{}/status", self.part(role).pid());
        let text = fs::read_to_string(path).expect("the process lives");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap();
        let kilobytes = line.trim().trim_end_matches(" kB");
        kilobytes.parse::<u64>().unwrap() << 10
    }
}
