//! An agent with 800 reservations that differ by a label, and 200 frameworks (Mesos:
//! `UpdateAllocation`): a framework is offered all of it, reserves a piece more, and gives the
//! rest back; then the piece is unreserved. Twenty times either.
//!
//! An operation touches the pieces that it converts, O(log reservations) and a move of memory. The
//! offer before it and the return after it each copy all that is reserved, which the framework is
//! to see: O(reservations). The other frameworks cost what a run costs: O(log frameworks).

use tepui_allocator::{Allocation, Allocator, Options};
use tepui_model::{
    Conversion, Kind, Labels, Quantity, Reservation, Resources, Role, Traits, Value,
};
use tepui_proto::v1;

use super::workload::{add_agent, add_framework, give_back, resources, role, time_of};
use crate::{
    Settings,
    report::{Report, Span, timed},
};

const FRAMEWORKS: u32 = 200;
const RESERVATIONS: u32 = 800;
const OPERATIONS: usize = 20;

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let mut allocator = Allocator::new(Options::default());
    let role = role("bench")?;
    (0..FRAMEWORKS).for_each(|key| add_framework(&mut allocator, key, &role));
    let mut total = resources("cpus:1000;mem:100000")?;
    for number in 0..RESERVATIONS {
        total += &reserved(&role, number);
    }
    add_agent(&mut allocator, 0, &total);
    let mut samples = Samples::default();
    for round in 0..settings.samples.min(5) {
        all_operations(&mut allocator, &role, round, &mut samples)?;
    }
    report
        .line()
        .with("reservations", RESERVATIONS)
        .with("frameworks", FRAMEWORKS)
        .with("operations", 2 * OPERATIONS)
        .with_times("all", &samples.all)
        .with_times("operation", &samples.operation)
        .with_times("allocate", &samples.allocate);
    Ok(())
}

#[derive(Default)]
struct Samples {
    /// All operations, with the runs before them and the returns after them.
    all: Vec<Span>,
    /// One operation.
    operation: Vec<Span>,
    /// The run that offers the agent.
    allocate: Vec<Span>,
}

fn all_operations(
    allocator: &mut Allocator,
    role: &Role,
    round: u32,
    samples: &mut Samples,
) -> Result<(), String> {
    let (done, span) = timed(|| {
        for number in 0..OPERATIONS {
            let label = RESERVATIONS + round * OPERATIONS as u32 + number as u32;
            let piece = reserved(role, label);
            let reserve = Conversion {
                consumed: piece.to_plain_quantities(),
                converted: piece,
            };
            operate(allocator, &reserve, samples)?;
            operate(allocator, &reserve.inverse(), samples)?;
        }
        Ok::<(), String>(())
    });
    samples.all.push(span);
    done
}

/// Offers the agent, converts a part of it, and takes it back.
fn operate(
    allocator: &mut Allocator,
    conversion: &Conversion,
    samples: &mut Samples,
) -> Result<(), String> {
    let now = time_of(samples.operation.len());
    let (mut made, span) = timed(|| allocator.allocate(now));
    samples.allocate.push(span);
    let mut offer = made.pop().ok_or("the agent was not offered")?;
    let Allocation {
        framework,
        role,
        agent,
        resources,
        ..
    } = &mut offer;
    let conversions = std::slice::from_ref(conversion);
    let (converted, span) = timed(|| allocator.convert_held(*framework, role, *agent, conversions));
    samples.operation.push(span);
    converted.map_err(|error| error.to_string())?;
    resources
        .apply(conversion)
        .map_err(|error| error.to_string())?;
    give_back(allocator, &offer, None);
    Ok(())
}

/// A tenth of a cpu, reserved with a label of its own.
fn reserved(role: &Role, label: u32) -> Resources {
    let label = v1::Label {
        key: "number".to_owned(),
        value: Some(label.to_string()),
    };
    let labels = v1::Labels {
        labels: vec![label],
    };
    let reservation = Reservation {
        labels: Labels::from(&labels),
        ..Reservation::fixed(role.clone())
    };
    let traits = Traits {
        reservations: vec![reservation],
        ..Traits::plain()
    };
    let tenth = Value::Scalar(Quantity::from_millis(100));
    Resources::from_item(&traits, Kind::Cpus.name(), &tenth)
}
