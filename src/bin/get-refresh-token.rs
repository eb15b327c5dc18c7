//! Prints the stored refresh token.

use std::process::ExitCode;

fn main() -> ExitCode {
    m365auth::cli::get_refresh_token::main()
}
