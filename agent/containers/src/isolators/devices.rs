//! `cgroups/devices`: no device but those that it is given, whoever makes a file for another.
//!
//! The mounts of a container say the same, for tasks that cannot mount; this holds for all.

use tepui_sys::DeviceRule;

use super::{Isolate, Machine, Preparation};
use crate::{Device, LaunchError, cgroups::Controller, init::wire::DevicePlan};

pub(super) struct Devices;

/// The number of the drivers of terminals, and of the device that makes them.
const TERMINALS: (u32, u32) = (136, 143);
const TERMINAL_MAKER: (u32, u32) = (5, 2);

impl Isolate for Devices {
    fn missing(&self, machine: &Machine) -> Option<String> {
        machine.lacks_controller(Controller::Devices)
    }

    fn prepare(&self, container: &mut Preparation<'_>) -> Result<(), LaunchError> {
        // What is inside of it says itself what it has, and could not have more.
        if container.plan.hold {
            return Ok(());
        }
        let gpus = container.machine.gpus.files(&container.granted.gpus);
        let given: Vec<_> = container.policy.devices.iter().chain(&gpus).collect();
        container.plan.more_devices = given.iter().map(|device| file(device)).collect();
        let given = given.into_iter().map(rule);
        let rules: Vec<_> = usual().chain(given).collect();
        container.group()?.allow_devices(&rules)?;
        Ok(())
    }
}

/// What every container has: the devices that all programs expect, its terminals, and files that
/// stand for devices and mean nothing.
fn usual() -> impl Iterator<Item = DeviceRule> {
    let expected = super::files::DEVICES.map(|(_, major, minor)| all_of(major, Some(minor)));
    let terminals = (TERMINALS.0..=TERMINALS.1).map(|major| all_of(major, None));
    let (major, minor) = TERMINAL_MAKER;
    let files = [false, true].map(|block| DeviceRule {
        block,
        major: None,
        minor: None,
        read: false,
        write: false,
        make: true,
    });
    expected
        .into_iter()
        .chain(terminals)
        .chain([all_of(major, Some(minor))])
        .chain(files)
}

const fn all_of(major: u32, minor: Option<u32>) -> DeviceRule {
    DeviceRule {
        block: false,
        major: Some(major),
        minor,
        read: true,
        write: true,
        make: true,
    }
}

fn file(device: &Device) -> DevicePlan {
    let Device {
        path,
        block,
        major,
        minor,
        mode,
    } = device.clone();
    DevicePlan {
        path,
        block,
        major,
        minor,
        mode,
    }
}

fn rule(device: &Device) -> DeviceRule {
    DeviceRule {
        block: device.block,
        ..all_of(device.major, Some(device.minor))
    }
}
