//! The checks that a task asks for, read and found good.

use core::time::Duration;

use tepui_model::TaskInfo;
use tepui_proto::v1::{
    CheckInfo, CommandInfo, HealthCheck, check_info, health_check, network_info::Protocol,
};

use super::{Check, Probe, Target, judge::Purpose};
use crate::{
    limits,
    plan::{self, Environment, Unplannable},
};

/// The checks of a task: the plain one first, then those of its health.
pub(crate) fn checks(task: &TaskInfo) -> Result<Vec<Check>, Unplannable> {
    let wire = &task.wire;
    let health = wire.health_check.iter().chain(&wire.tepui_health_checks);
    let plain = wire.check.iter().map(plain);
    let checks: Vec<_> = plain
        .chain(health.map(of_health))
        .collect::<Result<_, _>>()?;
    if checks.len() > limits::MAX_CHECKS {
        let (count, most) = (checks.len(), limits::MAX_CHECKS);
        return Err(invalid(format!(
            "The task has {count} checks, at most {most} are taken"
        )));
    }
    Ok(checks)
}

fn invalid(message: impl Into<String>) -> Unplannable {
    Unplannable::Invalid(message.into())
}

fn plain(check: &CheckInfo) -> Result<Check, Unplannable> {
    let missing = |what: &str| invalid(format!("'check' is of a type that needs '{what}'"));
    let probe = match check.r#type() {
        check_info::Type::Command => {
            let command = check.command.as_ref().ok_or_else(|| missing("command"))?;
            command_probe(&command.command)?
        }
        check_info::Type::Http => {
            let http = check.http.as_ref().ok_or_else(|| missing("http"))?;
            Probe::Http {
                at: target(http.port, Protocol::IPv4)?,
                path: path(http.path.as_deref())?,
                tls: false,
            }
        }
        check_info::Type::Tcp => {
            let tcp = check.tcp.as_ref().ok_or_else(|| missing("tcp"))?;
            Probe::Tcp {
                at: target(tcp.port, Protocol::IPv4)?,
            }
        }
        check_info::Type::Unknown => return Err(invalid("'check' has no type that is known")),
    };
    let times = [
        seconds("check.delay_seconds", check.delay_seconds())?,
        seconds("check.interval_seconds", check.interval_seconds())?,
        seconds("check.timeout_seconds", check.timeout_seconds())?,
    ];
    Ok(Check::new(probe, Purpose::Inform, times))
}

fn of_health(check: &HealthCheck) -> Result<Check, Unplannable> {
    let times = [
        seconds("health_check.delay_seconds", check.delay_seconds())?,
        seconds("health_check.interval_seconds", check.interval_seconds())?,
        seconds("health_check.timeout_seconds", check.timeout_seconds())?,
    ];
    let grace = seconds(
        "health_check.grace_period_seconds",
        check.grace_period_seconds(),
    )?;
    let failures = check.consecutive_failures();
    let starting = check
        .tepui_starting_interval_seconds
        .map(|starting| seconds("health_check.tepui_starting_interval_seconds", starting));
    let purpose = Purpose::Health { failures, grace };
    Ok(Check::new(health_probe(check)?, purpose, times).starting_with(starting.transpose()?))
}

fn health_probe(check: &HealthCheck) -> Result<Probe, Unplannable> {
    let missing = |what: &str| invalid(format!("'health_check' is of a type that needs '{what}'"));
    if let Some(grpc) = &check.tepui_grpc {
        return Ok(Probe::Grpc {
            at: target(grpc.port, grpc.protocol())?,
            service: grpc.service.clone().unwrap_or_default(),
        });
    }
    match check.r#type() {
        health_check::Type::Command => {
            command_probe(check.command.as_ref().ok_or_else(|| missing("command"))?)
        }
        health_check::Type::Http => {
            let http = check.http.as_ref().ok_or_else(|| missing("http"))?;
            let tls = match http.scheme.as_deref() {
                None | Some("http") => false,
                Some("https") => true,
                Some(other) => {
                    let other = other.escape_debug();
                    let message = format!("'{other}' is no scheme of HTTP health checks");
                    return Err(invalid(message));
                }
            };
            Ok(Probe::Http {
                at: target(http.port, http.protocol())?,
                path: path(http.path.as_deref())?,
                tls,
            })
        }
        health_check::Type::Tcp => {
            let tcp = check.tcp.as_ref().ok_or_else(|| missing("tcp"))?;
            Ok(Probe::Tcp {
                at: target(tcp.port, tcp.protocol())?,
            })
        }
        health_check::Type::Unknown => Err(invalid("'health_check' has no type that is known")),
    }
}

fn command_probe(command: &CommandInfo) -> Result<Probe, Unplannable> {
    let Environment { values, references } = plan::environment_of(command)?;
    Ok(Probe::Command {
        program: plan::program_of(command)?,
        environment: values,
        secrets: references,
    })
}

fn target(port: u32, protocol: Protocol) -> Result<Target, Unplannable> {
    let number = u16::try_from(port).ok().filter(|number| *number > 0);
    Ok(Target {
        port: number.ok_or_else(|| invalid(format!("{port} is no port to check")))?,
        version_6: protocol == Protocol::IPv6,
    })
}

/// It becomes part of a line that a server reads.
fn path(path: Option<&str>) -> Result<String, Unplannable> {
    let path = path.unwrap_or("/");
    let printable = path.chars().all(|letter| letter.is_ascii_graphic());
    if !path.starts_with('/') || !printable || path.len() > limits::MAX_CHECK_PATH_BYTES {
        let path = path.escape_debug();
        return Err(invalid(format!(
            "'{path}' is no path to check: it must begin with '/'"
        )));
    }
    Ok(path.to_owned())
}

fn seconds(field: &str, seconds: f64) -> Result<Duration, Unplannable> {
    // Beyond what fits into a time, it never comes.
    let most = limits::MAX_CHECK_TIME.as_secs_f64();
    if seconds.is_nan() || seconds < 0.0 {
        return Err(invalid(format!("'{field}' must not be negative")));
    }
    Ok(Duration::from_secs_f64(seconds.min(most)))
}

#[cfg(test)]
mod tests {
    use tepui_proto::v1;

    use super::*;
    use crate::{Program, agent::tests::wire_task};

    fn read(change: impl FnOnce(&mut v1::TaskInfo)) -> Result<Vec<Check>, String> {
        let mut wire = wire_task("t");
        change(&mut wire);
        let task = TaskInfo::try_from(wire).unwrap();
        checks(&task).map_err(|error| error.to_string())
    }

    fn health(check: HealthCheck) -> Result<Vec<Check>, String> {
        read(|task| task.health_check = Some(check))
    }

    fn http(path: &str, scheme: &str) -> HealthCheck {
        HealthCheck {
            r#type: Some(health_check::Type::Http.into()),
            http: Some(health_check::HttpCheckInfo {
                port: 8080,
                path: Some(path.to_owned()),
                scheme: Some(scheme.to_owned()),
                ..Default::default()
            }),
            ..HealthCheck::default()
        }
    }

    #[test]
    fn every_kind_of_check_is_understood() {
        let all = read(|task| {
            task.check = Some(CheckInfo {
                r#type: Some(check_info::Type::Command.into()),
                command: Some(check_info::Command {
                    command: CommandInfo {
                        value: Some("test -e ready".to_owned()),
                        ..CommandInfo::default()
                    },
                }),
                ..CheckInfo::default()
            });
            task.health_check = Some(http("/health", "https"));
            task.tepui_health_checks.push(HealthCheck {
                r#type: Some(health_check::Type::Tcp.into()),
                tcp: Some(health_check::TcpCheckInfo {
                    port: 81,
                    protocol: Some(Protocol::IPv6.into()),
                }),
                ..HealthCheck::default()
            });
            task.tepui_health_checks.push(HealthCheck {
                tepui_grpc: Some(health_check::TepuiGrpcCheckInfo {
                    port: 82,
                    service: Some("web".to_owned()),
                    ..Default::default()
                }),
                ..HealthCheck::default()
            });
        });
        let all = all.unwrap();
        let health: Vec<bool> = all.iter().map(Check::is_health).collect();
        assert_eq!(health, [false, true, true, true]);
        let program = Program::Shell("test -e ready".to_owned());
        let plain = Probe::Command {
            program,
            environment: Vec::new(),
            secrets: Vec::new(),
        };
        assert_eq!(all[0].probe, plain);
        let at = |port, version_6| Target { port, version_6 };
        let path = "/health".to_owned();
        let expected = Probe::Http {
            at: at(8080, false),
            path,
            tls: true,
        };
        assert_eq!(all[1].probe, expected);
        assert_eq!(all[2].probe, Probe::Tcp { at: at(81, true) });
        let service = "web".to_owned();
        assert_eq!(
            all[3].probe,
            Probe::Grpc {
                at: at(82, false),
                service
            }
        );
        assert_eq!(all[1].timeout, Some(Duration::from_secs(20)), "as in Mesos");
        let never = HealthCheck {
            timeout_seconds: Some(0.0),
            ..http("/", "http")
        };
        assert_eq!(self::health(never).unwrap()[0].timeout, None);
        assert!(read(|_| {}).unwrap().is_empty());
    }

    #[test]
    fn checks_that_mean_nothing_are_refused_with_the_reason() {
        for (check, problem) in [
            (HealthCheck::default(), "no type"),
            (http("health", "http"), "begin with '/'"),
            (http("/a b", "http"), "begin with '/'"),
            (http("/\r\nX: y", "http"), "begin with '/'"),
            (http("/", "ftp"), "'ftp' is no scheme"),
            (
                HealthCheck {
                    http: None,
                    ..http("/", "http")
                },
                "needs 'http'",
            ),
            (
                HealthCheck {
                    delay_seconds: Some(-1.0),
                    ..http("/", "http")
                },
                "delay_seconds",
            ),
            (
                HealthCheck {
                    interval_seconds: Some(f64::NAN),
                    ..http("/", "http")
                },
                "interval",
            ),
        ] {
            let error = health(check).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
        let endless = HealthCheck {
            delay_seconds: Some(f64::INFINITY),
            grace_period_seconds: Some(1e300),
            ..http("/", "http")
        };
        assert!(health(endless).is_ok());
        let many = read(|task| task.tepui_health_checks = vec![http("/", "http"); 99]);
        assert!(many.unwrap_err().contains("99 checks"));
        let port = read(|task| {
            task.check = Some(CheckInfo {
                r#type: Some(check_info::Type::Tcp.into()),
                tcp: Some(check_info::Tcp { port: 70_000 }),
                ..CheckInfo::default()
            });
        });
        assert!(port.unwrap_err().contains("70000 is no port"));
    }
}
