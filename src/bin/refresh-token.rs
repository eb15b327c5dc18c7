//! Prints an access token.

use std::process::ExitCode;

fn main() -> ExitCode {
    m365auth::cli::refresh_token::main()
}
