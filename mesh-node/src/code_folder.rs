//! Where compiled code is kept on this machine.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// Whether compiled code is kept, and where.
#[derive(Debug, Args)]
pub struct CodeArgs {
    /// Folder for compiled code, so that a node that starts again compiles nothing anew: it must be this user's
    /// alone [default: $XDG_CACHE_HOME/mesh/code, or ~/.cache/mesh/code]
    #[arg(long, env = "MESH_CODE_CACHE", value_name = "DIR")]
    pub code_cache: Option<PathBuf>,
    /// Keep no compiled code
    #[arg(long)]
    pub no_code_cache: bool,
}

impl CodeArgs {
    /// Returns the folder, if there is to be one.
    pub fn folder(&self) -> Option<PathBuf> {
        if self.no_code_cache {
            return None;
        }
        self.code_cache.clone().filter(|folder| !folder.as_os_str().is_empty()).or_else(|| {
            let set = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty());
            of_user(set("XDG_CACHE_HOME"), set("HOME"))
        })
    }
}

/// Returns the folder of a user; none where nobody says where their files are.
fn of_user(cache: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let cache = cache.map(PathBuf::from).or_else(|| Some(PathBuf::from(home?).join(".cache")))?;
    // What is not absolute would be another folder in each working directory.
    cache.is_absolute().then(|| cache.join("mesh").join("code"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_kept_where_the_user_keeps_such_files() {
        let of = |cache: Option<&str>, home: Option<&str>| {
            of_user(cache.map(OsString::from), home.map(OsString::from))
        };
        assert_eq!(of(Some("/c"), Some("/h")), Some(PathBuf::from("/c/mesh/code")));
        assert_eq!(of(None, Some("/h")), Some(PathBuf::from("/h/.cache/mesh/code")));
        assert_eq!(of(Some("c"), Some("/h")), None);
        assert_eq!(of(None, None), None);
    }

    #[test]
    fn whoever_wants_none_gets_none() {
        let args = |no_code_cache| CodeArgs { code_cache: Some("/here".into()), no_code_cache };
        assert_eq!(args(false).folder(), Some(PathBuf::from("/here")));
        assert_eq!(args(true).folder(), None);
    }
}
