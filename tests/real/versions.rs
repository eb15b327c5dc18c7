//! Versions of the programs that the tests run.

use crate::login::program;
use crate::support::finish;

/// Returns the numbers of a program's version, which is the first word of its output that starts with a digit.
#[track_caller]
pub fn version(name: &str, package: &str, argument: &str) -> Vec<u32> {
    let run = finish(program(name, package).arg(argument));
    let word = run.stdout.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    let word = word.unwrap_or_else(|| panic!("{name} {argument} prints no version: {run:?}"));
    let numbers = word.split('.').map_while(|number| number.split('-').next()?.parse().ok());
    numbers.collect()
}
