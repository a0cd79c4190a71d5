//! What a command runs.

use tepui_proto::v1;

use super::{Program, Unplannable};

/// What a command runs: a line of shell unless it says `shell: false`.
/// In an image, no program means the image's own.
pub(super) fn program(command: &v1::CommandInfo, in_image: bool) -> Result<Program, Unplannable> {
    let value = command.value.clone().unwrap_or_default();
    let shell = command.shell();
    if value.is_empty() && (shell || !in_image) {
        return Err(Unplannable::Invalid("The command has no value".to_owned()));
    }
    if command
        .arguments
        .iter()
        .chain([&value])
        .any(|text| text.contains('\0'))
    {
        return Err(Unplannable::Invalid(
            "The command contains a NUL character".to_owned(),
        ));
    }
    if shell {
        return Ok(Program::Shell(value));
    }
    if value.is_empty() {
        let arguments = command.arguments.clone();
        return Ok(Program::Image { arguments });
    }
    let arguments = match command.arguments.as_slice() {
        [] => vec![value.clone()],
        arguments => arguments.to_vec(),
    };
    Ok(Program::Exec {
        path: value,
        arguments,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(shell: Option<bool>, arguments: &[&str]) -> v1::CommandInfo {
        v1::CommandInfo {
            shell,
            value: Some("/bin/echo".to_owned()),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            ..v1::CommandInfo::default()
        }
    }

    #[test]
    fn a_command_is_a_line_of_shell_unless_it_says_otherwise() {
        let line = Program::Shell("/bin/echo".to_owned());
        assert_eq!(program(&command(None, &["x"]), false).unwrap(), line);
        assert_eq!(program(&command(Some(true), &[]), false).unwrap(), line);
        let exec = |arguments: &[&str]| Program::Exec {
            path: "/bin/echo".to_owned(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(
            program(&command(Some(false), &["echo", "a b"]), false).unwrap(),
            exec(&["echo", "a b"])
        );
        assert_eq!(
            program(&command(Some(false), &[]), false).unwrap(),
            exec(&["/bin/echo"])
        );
    }

    #[test]
    fn a_command_that_cannot_be_run_is_invalid() {
        assert!(program(&v1::CommandInfo::default(), false).is_err());
        assert!(program(&command(Some(false), &["a\0b"]), false).is_err());
    }
}
