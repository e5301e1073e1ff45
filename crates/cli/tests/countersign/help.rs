//! What the program says of itself.

use super::{run, stderr, stdout};

#[test]
fn help_names_commands_examples_and_exit_codes() {
    for (name, arguments) in [
        ("all", &["--help"][..]),
        ("identify", &["identify", "--help"]),
        ("catalogue-show", &["catalogue", "show", "--help"]),
        ("catalogue-diff", &["catalogue", "diff", "--help"]),
    ] {
        let output = run(arguments, "");
        assert_eq!(output.status.code(), Some(0), "{name}");
        insta::assert_snapshot!(format!("help-{name}"), stdout(&output));
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_writes_nothing_to_stdout() {
    for arguments in [
        &[][..],
        &["identify", "--account", "12"],
        &["identify", "/no/such/file"],
        &["catalogue", "show", "dynamodbb"],
        &["catalogue", "diff", "/no/such/file", "/no/such/file"],
        &["no-such-command"],
    ] {
        let output = run(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!stderr(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn completions_are_those_of_the_shell() {
    for (shell, sign) in [("bash", "complete -F"), ("zsh", "#compdef countersign"), ("fish", "complete -c countersign")]
    {
        let output = run(&["completions", shell], "");
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains(sign), "{shell}");
    }
}
