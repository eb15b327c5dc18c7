//! Reads the keys of a table: each key has a name, a form of its value, and a function that stores the value.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigurationError, shorten};
use super::suggestion::{Section, unknown};

/// What the value of a key must be.
pub(super) struct Form {
    /// The key, such as `store.load`.
    pub(super) key: &'static str,
    /// Follows "must be".
    what: &'static str,
    /// A value, as TOML.
    example: &'static str,
}

impl Form {
    pub(super) const fn new(key: &'static str, what: &'static str, example: &'static str) -> Self {
        Self { key, what, example }
    }

    /// Returns what the value must be, with an example.
    pub(super) fn description(&self) -> String {
        match self.what.contains(self.example) {
            true => self.what.to_owned(), // it lists all values
            false => format!("{}, such as {}", self.what, self.example),
        }
    }

    /// Returns an example of a line that sets the key.
    pub(super) fn line(&self) -> String {
        format!("{} = {}", self.key, self.example)
    }

    /// Returns whether the value is a string.
    pub(super) fn is_string(&self) -> bool {
        self.example.starts_with('"')
    }

    /// Reports a value that does not have this form.
    pub(super) fn not_valid(&self, span: Range<usize>, value: &str) -> ConfigurationError {
        self.must(span, value, &format!("be {}", self.description()))
    }

    /// Reports a value that has this form but is not valid. `must` says what it must be or do.
    pub(super) fn must(&self, span: Range<usize>, value: &str, must: &str) -> ConfigurationError {
        ConfigurationError::not_valid(span, self.key, value, must).example(self.line())
    }
}

/// A key that a table `T` can have.
pub(super) struct Key<T> {
    pub(super) form: Form,
    read: fn(&mut T, &Entry<'_>) -> Result<(), ConfigurationError>,
}

impl<T> Key<T> {
    pub(super) const fn new(
        key: &'static str,
        what: &'static str,
        example: &'static str,
        read: fn(&mut T, &Entry<'_>) -> Result<(), ConfigurationError>,
    ) -> Self {
        Self { form: Form::new(key, what, example), read }
    }
}

/// A key with its value, as written.
pub(super) struct Entry<'a> {
    pub(super) form: &'static Form,
    pub(super) value: &'a Spanned<DeValue<'a>>,
}

impl Entry<'_> {
    /// Returns the value as a string.
    pub(super) fn string(&self) -> Result<Spanned<String>, ConfigurationError> {
        let text = self.value.get_ref().as_str().ok_or_else(|| self.not_valid())?;
        Ok(Spanned::new(self.value.span(), text.to_owned()))
    }

    /// Returns the value that `parse` finds for a string.
    pub(super) fn choice<T>(&self, parse: fn(&str) -> Option<T>) -> Result<T, ConfigurationError> {
        self.value.get_ref().as_str().and_then(parse).ok_or_else(|| self.not_valid())
    }

    /// Returns the value as true or false.
    pub(super) fn boolean(&self) -> Result<Spanned<bool>, ConfigurationError> {
        let boolean = self.value.get_ref().as_bool().ok_or_else(|| self.not_valid())?;
        Ok(Spanned::new(self.value.span(), boolean))
    }

    /// Returns the value as a whole number that is not negative.
    pub(super) fn number(&self) -> Result<Spanned<u64>, ConfigurationError> {
        let number = self.value.get_ref().as_integer();
        let number = number.and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
        Ok(Spanned::new(self.value.span(), number.ok_or_else(|| self.not_valid())?))
    }

    /// Returns the value as a list of strings.
    pub(super) fn list(&self) -> Result<Spanned<Vec<String>>, ConfigurationError> {
        let items = self.value.get_ref().as_array().ok_or_else(|| self.not_valid())?;
        let strings = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
        let strings = strings.collect::<Option<_>>().ok_or_else(|| self.not_valid())?;
        Ok(Spanned::new(self.value.span(), strings))
    }

    /// Returns the value as a path.
    pub(super) fn path(&self) -> Result<PathBuf, ConfigurationError> {
        let text = self.string()?;
        self.ensure_full_path(text.get_ref())?;
        Ok(PathBuf::from(text.into_inner()))
    }

    /// Returns the value as a list of paths.
    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, ConfigurationError> {
        let texts = self.list()?.into_inner();
        texts.iter().try_for_each(|text| self.ensure_full_path(text))?;
        Ok(texts.into_iter().map(PathBuf::from).collect())
    }

    /// Returns the value as a program and its arguments.
    pub(super) fn command(&self) -> Result<Vec<String>, ConfigurationError> {
        if let Some(line) = self.value.get_ref().as_str().filter(|line| !line.trim().is_empty()) {
            let words: Vec<String> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
            return Err(self.not_valid().hint_in_file(shorten(&format!("write it as a list: [{}]", words.join(", ")))));
        }
        let command = self.list()?.into_inner();
        command.iter().try_for_each(|argument| self.ensure_full_path(argument))?;
        Ok(command)
    }

    /// Fails for a path that begins with `~/`. Only a shell expands it; programs are run without one, and systemd and
    /// cron do not expand it either.
    fn ensure_full_path(&self, text: &str) -> Result<(), ConfigurationError> {
        let Some(rest) = text.strip_prefix("~/") else { return Ok(()) };
        let home = std::env::var("HOME").unwrap_or_else(|_| "/home/ada".to_owned());
        let must = format!("contain full paths, because {text:?} is not expanded");
        Err(self
            .form
            .must(self.value.span(), &shown(self.value.get_ref()), &must)
            .hint_in_file(format!("write the full path: \"{home}/{rest}\"")))
    }

    /// Returns the value as a table.
    pub(super) fn table(&self) -> Result<&DeTable<'_>, ConfigurationError> {
        self.value.get_ref().as_table().ok_or_else(|| self.not_valid())
    }

    pub(super) fn not_valid(&self) -> ConfigurationError {
        self.form.not_valid(self.value.span(), &shown(self.value.get_ref()))
    }
}

/// Reads the keys of a table into `target`. Of several mistakes, reports the one in the first line.
pub(super) fn read<T>(
    table: &DeTable<'_>,
    keys: &'static [Key<T>],
    section: Section<'_>,
    target: &mut T,
) -> Result<(), ConfigurationError> {
    let errors = table.iter().filter_map(|(key, value)| {
        let is_written = |known: &&Key<T>| known.form.key.strip_prefix(section.prefix()) == Some(key.get_ref());
        match keys.iter().find(is_written) {
            Some(known) => (known.read)(target, &Entry { form: &known.form, value }).err(),
            None => Some(unknown(section, key, value.get_ref(), keys.iter().map(|known| known.form.key))),
        }
    });
    errors.min_by_key(ConfigurationError::start).map_or(Ok(()), Err)
}

/// Returns the value as TOML. The content of a table is left out, because it may be a client secret.
pub(super) fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Table(_) => "{…}".to_owned(),
        DeValue::Array(items) => {
            let mut list = String::new();
            for item in items.iter() {
                let separator = if list.is_empty() { "" } else { ", " };
                _ = write!(list, "{separator}{}", shown(item.get_ref()));
            }
            format!("[{list}]")
        }
    }
}
