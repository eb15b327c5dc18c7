//! Signs a person in to Microsoft 365 and stores the refresh token.

use std::process::ExitCode;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    m365auth::cli::get_token::main()
}
