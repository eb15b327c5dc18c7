//! Sign in to Microsoft 365, and store the refresh token.

use std::process::ExitCode;

fn main() -> ExitCode {
    m365auth::cli::get_token::main()
}
