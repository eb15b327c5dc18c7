//! The commands in a hint, which stand between backticks.

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// What stands between two backticks, without them.
    Command(&'a str),
    /// Everything else, also a backtick that has no second one.
    Text(&'a str),
}

/// Splits a text at its commands.
pub(crate) fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((before, (command, after))) = split_at_command(rest) {
        parts.extend([Part::Text(before), Part::Command(command)]);
        rest = after;
    }
    parts.push(Part::Text(rest));
    parts
}

fn split_at_command(text: &str) -> Option<(&str, (&str, &str))> {
    let (before, rest) = text.split_once('`')?;
    Some((before, rest.split_once('`')?))
}

#[cfg(test)]
mod tests {
    use super::Part::{Command, Text};
    use super::*;

    #[test]
    fn commands_stand_between_two_backticks() {
        assert_eq!(parts("run `a b`, or `c`"), [Text("run "), Command("a b"), Text(", or "), Command("c"), Text("")]);
        assert_eq!(parts("`a` ` b"), [Text(""), Command("a"), Text(" ` b")]);
        assert_eq!(parts("a b"), [Text("a b")]);
    }
}
