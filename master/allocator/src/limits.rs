//! The named maxima of the allocator.

/// Keys of agents and of frameworks lie below this: they are indices into vectors, and a wild key
/// must not take all memory.
pub const MAX_KEY: u32 = 1 << 24;

/// Different amounts that one client has refused on one agent and that are remembered side by
/// side. Beyond it the one that would be forgotten first is forgotten at once.
pub const MAX_REFUSALS_PER_CLIENT: usize = 8;

/// Amounts looked at, newest first, for one that equals a newly refused amount, so that refusals
/// of the same amount share its memory.
pub const MAX_AMOUNTS_COMPARED: usize = 16;

/// Clients passed over, in order of their share, before those that are left are looked at
/// directly.
pub const MAX_PASSED_OVER: usize = 32;

/// Clients that want more than before and are remembered by name until the next run; if there are
/// more, all that is free is looked at.
pub const MAX_EAGER: usize = 64;

/// Sets of quantities in a minimum, and quantities in such a set.
pub const MAX_MINIMUM_ITEMS: usize = 64;

/// Offer constraints of one framework in one role.
pub const MAX_CONSTRAINTS: usize = 1024;

/// Regular expressions of one framework in one role: each may have to be tried on every agent.
pub const MAX_EXPRESSIONS: usize = 128;

/// Bytes in a name, a text or a regular expression of an offer constraint.
pub const MAX_CONSTRAINT_TEXT_BYTES: usize = 4096;

/// Different asks of one framework in one role.
pub const MAX_ASKS: usize = 1024;

/// Asks, counted as often as they are made, that one offer is cut to.
pub const MAX_COPIES: u32 = 4096;

/// Holds that stand at a time, over all agents and frameworks.
pub const MAX_HOLDS: usize = 16_384;

/// Gangs of one framework in one role.
pub const MAX_GANGS_PER_CLIENT: usize = 64;

/// Asks of one gang, counted as often as they are made: its offers fit into one event.
pub const MAX_GANG_COPIES: u32 = 512;

/// Gangs that are looked for a place for in one run.
pub const MAX_GANGS_TRIED: usize = 16;

/// Those of them that are the first of the queue; the others are tried in turn.
pub const MAX_GANGS_FIRST: usize = 8;

/// Frameworks that are shown the same resources besides the one that they are charged to.
pub const MAX_VIEWS: usize = 15;

/// Agents that are looked at to explain why a framework waits.
pub const MAX_AGENTS_EXPLAINED: usize = 10_000;

/// Frameworks in roles that are explained at once.
pub const MAX_CLIENTS_EXPLAINED: usize = 64;

/// Different reasons that are counted for a framework in a role.
pub const MAX_REASONS: usize = 32;

/// Those who come before a framework that are named when its waiting is explained.
pub const MAX_AHEAD: usize = 8;
