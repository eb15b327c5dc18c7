//! The store that consists of the user's programs: one prints the token, one reads it from its stdin and stores it, and
//! one deletes it.

use super::{MalformedToken, TokenStore, parse_token};
use crate::config::{ProfileName, StoreCommands};
use crate::error::{Error, ErrorKind, Result};
use crate::patience::Patience;
use crate::token::RefreshToken;
use crate::user_programs::{Task, UserPrograms};

pub(super) struct CommandStore {
    profile: ProfileName,
    commands: StoreCommands,
    programs: UserPrograms,
}

impl CommandStore {
    pub(super) fn new(profile: &ProfileName, commands: &StoreCommands, patience: Patience) -> Self {
        let programs = UserPrograms::new(profile, patience);
        Self { profile: profile.clone(), commands: commands.clone(), programs }
    }
}

impl TokenStore for CommandStore {
    fn load(&self) -> Result<Option<RefreshToken>> {
        let output = self.programs.run(&self.commands.load, &Task::Load)?;
        parse_token(&output).map_err(|MalformedToken| {
            Error::new(ErrorKind::SignIn, format!("{} did not print a valid token", self.describe())).hint(format!(
                "store.load must print the token and nothing else; run `get-token --profile {:#}` to store a new token",
                self.profile
            ))
        })
    }

    fn save(&self, token: &RefreshToken) -> Result<()> {
        self.programs.run(&self.commands.save, &Task::Save(token)).map(drop)
    }

    fn delete(&self) -> Result<()> {
        if self.commands.delete.is_empty() {
            let message =
                format!("cannot delete the token that {} prints: no delete program is configured", self.describe());
            return Err(Error::new(ErrorKind::Configuration, message)
                .hint("add `delete = [...]` to `store` in the configuration, or delete the token yourself"));
        }
        self.programs.run(&self.commands.delete, &Task::Delete).map(drop)
    }

    fn describe(&self) -> String {
        format!("`{}`", self.programs.for_profile(&self.commands.load).join(" "))
    }
}
