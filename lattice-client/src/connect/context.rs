//! Contexts of the NATS CLI: a JSON file for each, under the XDG configuration directory.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ConnectOptions;

/// A context of the NATS CLI, as far as a connection needs it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct NatsContext {
    /// Addresses, separated by commas.
    #[serde(default)]
    pub url: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    creds: String,
    #[serde(default)]
    nkey: String,
    #[serde(default)]
    cert: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    ca: String,
}

/// Why a NATS context can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// There is no such context.
    #[error("there is no NATS context {name:?} in {}; {}", folder.display(), hint(known))]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// Where contexts are looked for.
        folder: PathBuf,
        /// Those that exist.
        known: Vec<String>,
    },
    /// The name can't be that of a context.
    #[error("{0:?} can't be the name of a NATS context")]
    Name(String),
    /// The file can't be read, or is no context.
    #[error("the NATS context in {} can't be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The context names no address.
    #[error("the NATS context in {} names no url", path.display())]
    NoUrl {
        /// The file.
        path: PathBuf,
    },
    /// Neither `XDG_CONFIG_HOME` nor `HOME` is set.
    #[error("neither XDG_CONFIG_HOME nor HOME is set, so no NATS context can be found")]
    NoHome,
}

fn hint(names: &[String]) -> String {
    if names.is_empty() {
        "none exists yet: `nats context add` makes one".to_owned()
    } else {
        format!("these exist: {}", names.join(", "))
    }
}

impl NatsContext {
    /// Loads the context `name` from the folder of the NATS CLI.
    ///
    /// # Errors
    /// [`ContextError`] when it does not exist or can't be read.
    pub fn load(name: &str) -> Result<Self, ContextError> {
        let set = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty());
        let folder = match set("XDG_CONFIG_HOME") {
            Some(home) => PathBuf::from(home),
            None => PathBuf::from(set("HOME").ok_or(ContextError::NoHome)?).join(".config"),
        };
        Self::load_from(&folder.join("nats").join("context"), name)
    }

    /// Loads the context `name` from `folder`.
    ///
    /// # Errors
    /// [`ContextError`] when it does not exist or can't be read.
    pub fn load_from(folder: &Path, name: &str) -> Result<Self, ContextError> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(ContextError::Name(name.to_owned()));
        }
        let path = folder.join(format!("{name}.json"));
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ContextError::Unknown {
                    name: name.to_owned(),
                    folder: folder.to_owned(),
                    known: list(folder),
                });
            }
            Err(error) => {
                return Err(ContextError::Unreadable { path, cause: error.to_string() });
            }
        };
        let context: Self = serde_json::from_slice(&bytes).map_err(|error| {
            ContextError::Unreadable { path: path.clone(), cause: error.to_string() }
        })?;
        if context.url.is_empty() {
            return Err(ContextError::NoUrl { path });
        }
        Ok(context)
    }
}

fn list(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_stem()?.to_str()?.to_owned();
            (path.extension()? == "json").then_some(name)
        })
        .collect();
    names.sort();
    names
}

impl From<NatsContext> for ConnectOptions {
    fn from(context: NatsContext) -> Self {
        let text = |value: String| (!value.is_empty()).then_some(value);
        let path = |value: String| (!value.is_empty()).then(|| expand(&value));
        Self {
            servers: context.url,
            creds: path(context.creds),
            nkey: path(context.nkey),
            user: text(context.user),
            password: text(context.password),
            token: text(context.token),
            tls_ca: path(context.ca),
            tls_cert: path(context.cert),
            tls_key: path(context.key),
            ..Self::default()
        }
    }
}

/// The NATS CLI writes `~/…` as it was typed.
fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_nats_cli_writes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("edge.json"),
            r#"{"description":"","url":"nats://10.0.0.1:4222","token":"","user":"ada","password":"pw",
               "creds":"","nkey":"","cert":"","key":"","ca":"/etc/ca.pem","nsc":"","inbox_prefix":""}"#,
        )
        .unwrap();
        let options: ConnectOptions = NatsContext::load_from(folder.path(), "edge").unwrap().into();
        assert_eq!(options.servers, "nats://10.0.0.1:4222");
        assert_eq!(options.user.as_deref(), Some("ada"));
        assert_eq!(options.password.as_deref(), Some("pw"));
        assert_eq!(options.tls_ca, Some(PathBuf::from("/etc/ca.pem")));
        assert_eq!(options.creds, None);
    }

    #[test]
    fn an_unknown_context_is_an_error_that_lists_those_that_exist() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("edge.json"), "{}").unwrap();
        let error = NatsContext::load_from(folder.path(), "cloud").unwrap_err().to_string();
        assert!(error.contains("\"cloud\"") && error.contains("edge"), "{error}");
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "..", "../edge", "a/b", ".hidden", "a\\b", "a\0b"] {
            let result = NatsContext::load_from(folder.path(), name);
            assert!(matches!(result, Err(ContextError::Name(_))), "{name:?}");
        }
    }

    #[test]
    fn a_context_without_url_or_of_no_json_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("empty.json"), "{}").unwrap();
        std::fs::write(folder.path().join("broken.json"), "{").unwrap();
        let load = |name| NatsContext::load_from(folder.path(), name);
        assert!(matches!(load("empty"), Err(ContextError::NoUrl { .. })));
        assert!(matches!(load("broken"), Err(ContextError::Unreadable { .. })));
    }
}
