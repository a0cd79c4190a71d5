//! Worlds with something broken in them, to see that the judges of whole runs notice.

use prost::Message;
use tepui_proto::services::{
    self, AgentMessage, MasterMessage, agent_message::Message as FromAgent,
    master_message::Message as ToAgent,
};

use super::*;

const SEED: u64 = 8;

/// Plays a calm run to its end. `meddle` sees everything before it happens, and may take it away.
fn play(mut world: World, mut meddle: impl FnMut(&mut World, &Happening) -> bool) {
    while !matches!(world.stage, Stage::Over) {
        let what = world.scene.next().expect("something happens");
        if !meddle(&mut world, &what) {
            world.step(what);
        }
    }
}

fn calm() -> World {
    World::new(SEED, Weather::Fair)
}

/// The message that is about to arrive at an agent.
fn to_agent(world: &World, what: &Happening) -> Option<ToAgent> {
    let Happening::Arrives(connection, Side::Peer, Packet::Message(bytes)) = what else {
        return None;
    };
    let is_agent = matches!(world.scene.network.peer(*connection), Some(Peer::Agent(_)));
    let message = MasterMessage::decode(bytes.as_slice()).ok();
    message.filter(|_| is_agent)?.message
}

/// The update that is about to arrive at the master, and on which stream.
fn update(world: &World, what: &Happening) -> Option<(u64, services::StatusUpdate)> {
    let Happening::Arrives(connection, Side::Master, Packet::Message(bytes)) = what else {
        return None;
    };
    let is_agent = matches!(world.scene.network.peer(*connection), Some(Peer::Agent(_)));
    let message = AgentMessage::decode(bytes.as_slice()).ok();
    match message.filter(|_| is_agent)?.message {
        Some(FromAgent::StatusUpdate(update)) => Some((*connection, update)),
        _ => None,
    }
}

#[test]
fn a_world_that_nobody_meddles_with_is_well() {
    play(calm(), |_, _| false);
}

#[test]
#[should_panic(expected = "is started twice")]
fn a_task_that_is_sent_to_every_agent_is_noticed() {
    play(calm(), |world, what| {
        let message = to_agent(world, what);
        // The master ends the second task of a name as soon as it hears of it.
        if let Some(ToAgent::Acknowledge(_) | ToAgent::KillTask(_)) = message {
            return true;
        }
        if let Some(ToAgent::RunTask(run)) = message {
            for index in 0..world.agents.len() {
                let id = world.agents[index].core().and_then(|core| core.id());
                let (mut run, id) = (run.clone(), id.map(Into::into));
                run.task
                    .iter_mut()
                    .zip(id)
                    .for_each(|(task, id)| task.agent_id = id);
                let message = MasterMessage {
                    message: Some(ToAgent::RunTask(run)),
                };
                let links = world.scene.network.open(Side::Peer).into_iter();
                let of_agent = |it: &u64| world.scene.network.peer(*it) == Some(Peer::Agent(index));
                let links: Vec<u64> = links.filter(of_agent).collect();
                for link in links {
                    world.agents[index].hear(link, &message.encode_to_vec(), &mut world.scene);
                }
            }
        }
        false
    });
}

#[test]
#[should_panic(expected = "its framework never had it")]
fn an_update_that_is_swallowed_on_its_way_is_noticed() {
    play(calm(), |world, what| {
        let Some((connection, update)) = update(world, what) else {
            return false;
        };
        let status = update.status.unwrap_or_default();
        let acknowledge = services::Acknowledge {
            framework_id: update.framework_id,
            task_id: Some(status.task_id),
            uuid: status.uuid.unwrap_or_default(),
        };
        let message = MasterMessage {
            message: Some(ToAgent::Acknowledge(acknowledge)),
        };
        let (scene, bytes) = (&mut world.scene, message.encode_to_vec());
        scene.send(connection, Side::Peer, bytes, false);
        true
    });
}

#[test]
#[should_panic(expected = "not done in time")]
fn work_that_is_never_done_is_noticed() {
    let mut world = calm();
    for index in 0..world.agents.len() {
        world.asleep.insert(Node::Agent(index), Time::MAX);
    }
    play(world, |_, _| false);
}

#[test]
#[should_panic(expected = "the master knows agents")]
fn an_agent_that_only_the_master_knows_is_noticed() {
    play(calm(), |world, _| {
        if let Stage::Resting(_) = world.stage {
            let held = rest::agree(&world.master, &[], &world.frameworks);
            world.scene.hold(held);
        }
        false
    });
}

#[test]
#[should_panic(expected = "are left on machine")]
fn a_container_that_is_never_removed_is_noticed() {
    let mut world = calm();
    world.agents.iter_mut().for_each(AgentNode::break_removal);
    play(world, |_, _| false);
}
