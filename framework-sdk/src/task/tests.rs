//! Tests of the module that this one belongs to.

use super::*;
use crate::tests::offer;

fn place(task: TaskBuilder, free: &str) -> Result<Placed, Misfit> {
    let offer = offer(free, "");
    task.build().unwrap().place(&offer, &offer.resources)
}

fn small() -> TaskBuilder {
    TaskBuilder::new("t").cpus(0.5).memory(64.0).shell("true")
}

#[test]
fn what_is_reserved_is_used_first() {
    let placed = place(small().cpus(0.7), "cpus:4;cpus(web):1;mem(web):32;mem:64").unwrap();
    assert_eq!(
        placed.resources.to_string(),
        "cpus:0.2;mem:32;cpus(web):1;mem(web):32"
    );
    assert_eq!(placed.info.agent_id.value, "agent-1");
    let roles = placed
        .info
        .resources
        .iter()
        .map(|r| r.allocation_info.clone().unwrap().role);
    assert!(roles.into_iter().all(|role| role.as_deref() == Some("web")));
}

#[test]
fn named_ports_are_told_to_the_task_and_to_the_world() {
    let task = small().port("http").ports(1).port("admin-2");
    let placed = place(task, "cpus:1;mem:64;ports:[31005-31006,31001-31001]").unwrap();
    assert_eq!(placed.ports, [31001, 31005, 31006]);
    let variables = placed.info.command.unwrap().environment.unwrap().variables;
    let variables: Vec<_> = variables
        .into_iter()
        .map(|v| (v.name, v.value.unwrap_or_default()))
        .collect();
    let expected = [("PORT_HTTP", "31001"), ("PORT_ADMIN_2", "31006")];
    assert_eq!(
        variables,
        expected.map(|(n, v)| (n.to_owned(), v.to_owned()))
    );
    let discovered = placed.info.discovery.unwrap().ports.unwrap().ports;
    assert_eq!(
        (discovered[1].number, discovered[1].name.as_deref()),
        (31006, Some("admin-2"))
    );
}

#[test]
fn a_published_port_leads_to_the_task_s_first_network() {
    let task = small().network("web").network("db").port("x").publish(80);
    let placed = place(task, "cpus:1;mem:64;ports:[31001-31002]").unwrap();
    let networks = placed.info.container.unwrap().network_infos;
    assert_eq!((networks[0].name(), networks[1].name()), ("web", "db"));
    let mapping = &networks[0].port_mappings[0];
    assert_eq!((mapping.host_port, mapping.container_port), (31002, 80));
    assert!(networks[1].port_mappings.is_empty());
    let lost = place(small().publish(80), "cpus:1;mem:64;ports:[31001-31001]").unwrap();
    assert!(
        lost.info.container.is_none(),
        "the host's network needs no mapping"
    );
}

#[test]
fn a_health_check_is_made_at_the_port_of_its_name() {
    let check = v1::HealthCheck {
        tcp: Some(v1::health_check::TcpCheckInfo::default()),
        ..v1::HealthCheck::default()
    };
    let task = small().port("a").port("b").health_check("b", check);
    let placed = place(task, "cpus:1;mem:64;ports:[31001-31002]").unwrap();
    assert_eq!(placed.info.health_check.unwrap().tcp.unwrap().port, 31002);
}

#[test]
fn the_first_missing_thing_is_named() {
    let free = "cpus:0.5;mem:64;ports:[1-1]";
    assert!(place(small(), free).is_ok());
    let cases = [
        (small().memory(1.0), "too little mem"),
        (small().gpus(1), "too little gpus"),
        (small().ports(2), "too few ports"),
        (small().constraint(Constraint::exists("ssd")), "not ssd"),
    ];
    for (task, reason) in cases {
        assert_eq!(place(task, free).unwrap_err().to_string(), reason);
    }
}

#[test]
fn a_task_that_the_master_would_refuse_is_not_built() {
    let cases = [
        (TaskBuilder::new("a/b").cpus(1.0).shell("x"), "task id"),
        (TaskBuilder::new("a").cpus(1.0), "nothing to run"),
        (
            TaskBuilder::new("a")
                .cpus(1.0)
                .command(Vec::<String>::new()),
            "nothing to run",
        ),
        (TaskBuilder::new("a").shell("x"), "no resources"),
        (
            TaskBuilder::new("a").cpus(-1.0).shell("x"),
            "`cpus` of task \"a\": it is negative",
        ),
        (
            TaskBuilder::new("a").cpus(f64::NAN).shell("x"),
            "`cpus` of task \"a\"",
        ),
    ];
    for (task, expected) in cases {
        let error = task.build().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_program_is_run_without_a_shell() {
    let placed = place(small().command(["/bin/echo", "a b"]), "cpus:1;mem:64").unwrap();
    let command = placed.info.command.unwrap();
    assert_eq!(
        (command.shell, command.value.as_deref()),
        (Some(false), Some("/bin/echo"))
    );
    assert_eq!(command.arguments, ["/bin/echo", "a b"]);
}

#[test]
fn a_task_in_an_executor_needs_no_command() {
    let id = tepui_model::ExecutorId::new("e").unwrap();
    let command = v1::CommandInfo::default();
    let executor = crate::custom_executor(&id, &"cpus:0.1;mem:32".parse().unwrap(), command);
    let task = TaskBuilder::new("t")
        .cpus(0.1)
        .memory(32.0)
        .executor(executor)
        .data("x");
    let mut task = task.build().unwrap();
    let info = &mut task.info;
    assert_eq!(
        (info.command.take(), info.data.take()),
        (None, Some(b"x".to_vec()))
    );
    assert_eq!(info.executor.take().unwrap().executor_id.value, "e");
}
