//! Defaults, names and refusals of the options.

use clap::{Args as _, CommandFactory, Parser};

use super::*;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    options: Options,
}

fn parse(arguments: &[&str]) -> Options {
    Program::parse_from(std::iter::once(&"master").chain(arguments)).options
}

#[test]
fn no_flag_means_the_defaults() {
    assert_eq!(parse(&[]), Options::default());
    Options::default().validate().unwrap();
}

#[test]
fn every_flag_is_an_environment_variable_and_has_a_manual() {
    let shown = Options::default().flags();
    for argument in Options::augment_args(Program::command()).get_arguments() {
        let Some(flag) = argument.get_long() else {
            continue;
        };
        if ["help", "version"].contains(&flag) {
            continue;
        }
        let name = format!("TEPUI_{}", flag.replace('-', "_").to_uppercase());
        assert_eq!(argument.get_env().unwrap().to_string_lossy(), name);
        assert!(argument.get_help().is_some(), "{flag}");
        let told = flag.replace('-', "_");
        assert!(shown.iter().any(|shown| shown.name == told), "{flag}");
    }
}

#[test]
fn values_are_read_as_written() {
    let options = parse(&["--offer-timeout", "2min", "--weights", "prod=2,dev=0.5"]);
    assert_eq!(options.offer_timeout, Duration::from_secs(120));
    assert_eq!(options.weights.to_string(), "prod=2,dev=0.5");
}

#[test]
fn the_allocator_is_set_by_name() {
    let options = parse(&["--role-sorter", "random", "--placement", "binpack"]);
    assert_eq!(options.role_sorter.to_string(), "random");
    assert_eq!(options.framework_sorter.to_string(), "drf");
    assert_eq!(options.placement.to_string(), "binpack");
    for wrong in [["--role-sorter", "fair"], ["--placement", "best"]] {
        let arguments = std::iter::once("master").chain(wrong);
        assert!(Program::try_parse_from(arguments).is_err());
    }
}

#[test]
fn values_that_make_no_sense_are_refused_by_name() {
    type Spoil = fn(&mut Options);
    let cases: [(&str, Spoil); 9] = [
        ("--allocator-agent-recovery-factor", |o| {
            o.allocator_agent_recovery_factor = f64::NAN
        }),
        ("--offer-timeout", |o| {
            o.offer_timeout = Duration::from_millis(1)
        }),
        ("--allocation-window", |o| {
            o.allocation_window = Duration::from_secs(2)
        }),
        ("--agent-ping-timeout", |o| {
            o.agent_ping_timeout = Duration::ZERO
        }),
        ("--max-agent-ping-timeouts", |o| {
            o.max_agent_ping_timeouts = 0
        }),
        ("--offer-constraints-re2-max-mem", |o| {
            o.offer_constraints_re2_max_mem = ByteSize(2 << 20)
        }),
        ("--offer-constraints-re2-max-program-size", |o| {
            o.offer_constraints_re2_max_program_size = 0
        }),
        ("--require-agent-domain", |o| o.require_agent_domain = true),
        ("--hostname", |o| o.hostname = Some(" ".to_owned())),
    ];
    for (flag, spoil) in cases {
        let mut options = Options::default();
        spoil(&mut options);
        let text = options.validate().unwrap_err().to_string();
        assert!(text.starts_with(flag), "{text}");
    }
}
