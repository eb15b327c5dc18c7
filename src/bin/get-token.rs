//! Signs a person in to Microsoft 365 and stores the refresh token.

use std::process::ExitCode;

fn main() -> ExitCode {
    m365auth::cli::get_token::main()
}
