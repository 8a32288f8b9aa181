//! `meshctl sign`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use lattice_client::keystore::{self, DEFAULT_NAME, KeyStore, SeedKind, StoredKey};
use lattice_protocol::claims::{self, SignRequest};
use lattice_protocol::names::{ActorName, Digest};
use serde_json::json;

use super::keys::exposed;
use crate::exit::Failure;
use crate::session::{self, Session};
use crate::values;

/// Signs a module: puts claims into it that say who it is and what it may use.
///
/// Signs with the default issuer's key and one key per name, both kept in the key store
/// ($XDG_DATA_HOME/mesh/keys) and made on first use. Without --rev the revision is one above the
/// last that was signed for the name.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meshctl sign echo.wasm --name echo
  meshctl sign shop.wasm --name shop --cap mesh:keyvalue --rev 7 --ver 1.2.0 --out shop-7.wasm
  meshctl sign echo.wasm --name echo --issuer-key ci.nk --module-key echo.nk --expires 90d")]
pub struct Sign {
    /// The module (.wasm); claims that it carries are replaced.
    file: PathBuf,
    /// Name of the actor.
    #[arg(long)]
    name: ActorName,
    /// Contract that it may use, such as mesh:keyvalue; mesh:actor to call any other actor,
    /// mesh:actor:NAME to call one. May be repeated.
    #[arg(long = "cap", value_name = "CONTRACT", value_parser = values::capability)]
    capabilities: Vec<String>,
    /// Revision; each deployment needs a higher one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=i64::from(i32::MAX)))]
    rev: Option<u32>,
    /// Version for people.
    #[arg(long, value_name = "TEXT")]
    ver: Option<String>,
    /// Free tag; may be repeated.
    #[arg(long = "tag", value_name = "TEXT")]
    tags: Vec<String>,
    /// Time until the claims are void: 12h, 90d; never where absent.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    expires: Option<Duration>,
    /// Where to write; FILE.signed.wasm beside the module where absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File of the issuer's seed (SA…), instead of that of the store.
    #[arg(long, value_name = "FILE")]
    issuer_key: Option<PathBuf>,
    /// File of the module's seed (SM…), instead of that of the store.
    #[arg(long, value_name = "FILE")]
    module_key: Option<PathBuf>,
}

impl Sign {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when the module or a key can't be used.
    pub fn run(&self, session: &Session) -> Result<(), Failure> {
        let wasm = read(&self.file)?;
        // What is no module shall leave no keys behind.
        if let Err(error) = claims::inspect(&wasm)
            && matches!(error, claims::ClaimsError::NotAModule(_))
        {
            return Err(error.into());
        }
        let store = KeyStore::of_user()?;
        let issuer = key(&store, SeedKind::Issuer, DEFAULT_NAME, self.issuer_key.as_deref())?;
        let module = key(&store, SeedKind::Actor, self.name.as_str(), self.module_key.as_deref())?;
        let mut created = Vec::new();
        for key in [&issuer, &module] {
            if key.exposed {
                session.output.warn(&exposed(&key.path));
            }
            if key.created {
                let (kind, path) = (key.kind, key.path.display());
                session.output.progress(&format!("made the key of {kind} {} in {path}", key.name));
                created.push(json!({ "kind": kind.as_str(), "name": key.name, "path": key.path }));
            }
        }
        let mut revisions = store.revisions(&self.name)?;
        let revision = match self.rev {
            Some(revision) => u64::from(revision),
            None => revisions.last().map_or(1, |last| last.saturating_add(1)),
        };
        let now_s = session::now().as_secs();
        let expires_s = self.expires.map(|after| now_s.saturating_add(after.as_secs()));
        let request = SignRequest {
            issuer: &issuer.pair,
            module: &module.pair,
            name: self.name.as_str(),
            capabilities: self.capabilities.clone(),
            tags: self.tags.clone(),
            revision: Some(i32::try_from(revision).map_err(|_| {
                Failure::usage(format!("revision {revision} is above {}", i32::MAX))
            })?),
            version: self.ver.clone(),
            now_s,
            expires_s,
            not_before_s: None,
        };
        let signed = claims::sign(&wasm, &request)?;
        let out = self.out.clone().unwrap_or_else(|| self.file.with_extension("signed.wasm"));
        write(&out, &signed)?;
        revisions.remember(revision)?;
        let value = json!({
            "file": out,
            "name": self.name,
            "key": module.public_key(),
            "issuer": issuer.public_key(),
            "revision": revision,
            "version": self.ver,
            "capabilities": self.capabilities,
            "digest": Digest::of(&signed),
            "size": signed.len(),
            "expires_s": expires_s,
            "created": created,
        });
        let shown = out.display();
        session.output.data(&value, || {
            format!("{shown}: {} revision {revision}, key {}", self.name, module.public_key())
        })?;
        session.output.progress(&format!("next: meshctl deploy {shown}"));
        Ok(())
    }
}

fn key(
    store: &KeyStore,
    kind: SeedKind,
    name: &str,
    file: Option<&Path>,
) -> Result<StoredKey, Failure> {
    Ok(match file {
        Some(path) => keystore::read_key(path, Some(kind))?,
        None => store.load_or_create(kind, name)?,
    })
}

/// Reads a file whole.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::file(path, &error))
}

/// Writes a file that appears whole or not at all.
fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let fail = |error| Failure::file(path, &error);
    let draft = path.with_extension(format!("{}.draft", uuid::Uuid::now_v7().simple()));
    let written = std::fs::write(&draft, content).and_then(|()| std::fs::rename(&draft, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    written.map_err(fail)
}
