//! Dense handles by which the master's core and its allocator speak of agents and frameworks.

use std::fmt;

macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The handle as an index into a vector.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

key! {
    /// An agent, numbered by the core that registered it.
    AgentKey, "agent#"
}
key! {
    /// A framework, numbered by the core that subscribed it.
    FrameworkKey, "framework#"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_ordered_and_indexed_by_its_number() {
        assert!(AgentKey(2) < AgentKey(10));
        assert_eq!(FrameworkKey(7).index(), 7);
        assert_eq!(AgentKey(3).to_string(), "agent#3");
    }
}
