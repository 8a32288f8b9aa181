//! `meshctl inspect`.

use std::path::PathBuf;

use clap::Args;
use lattice_client::events::rfc3339;
use lattice_protocol::claims;
use lattice_protocol::names::Digest;
use serde_json::json;

use super::sign::read;
use crate::exit::Failure;
use crate::output::shown;
use crate::session::{self, Session};

/// Shows what a module claims, and whether it verifies.
///
/// Ends with 1 where it does not, after showing what it claims. Whether its issuer is trusted is
/// for each node to decide.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  meshctl inspect echo.signed.wasm")]
pub struct Inspect {
    /// The module (.wasm).
    file: PathBuf,
}

impl Inspect {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when the file can't be read, or the module does not verify.
    pub fn run(&self, session: &Session) -> Result<(), Failure> {
        let bytes = read(&self.file)?;
        let claims = claims::inspect(&bytes)?;
        let verdict = claims::verify(&bytes, session::now().as_secs());
        let problem = verdict.as_ref().err().map(ToString::to_string);
        let digest = Digest::of(&bytes);
        let value = json!({
            "file": self.file,
            "size": bytes.len(),
            "digest": digest,
            "verified": verdict.is_ok(),
            "problem": problem,
            "name": claims.wascap.name,
            "key": claims.sub,
            "issuer": claims.iss,
            "revision": claims.wascap.rev,
            "version": claims.wascap.ver,
            "capabilities": claims.wascap.caps,
            "tags": claims.wascap.tags,
            "issued_s": claims.iat,
            "expires_s": claims.exp,
            "not_before_s": claims.nbf,
        });
        session.output.data(&value, || {
            let module = &claims.wascap;
            let list = |items: &Option<Vec<String>>| items.clone().unwrap_or_default().join(", ");
            let time = |seconds: Option<u64>| {
                let since = std::time::Duration::from_secs(seconds.unwrap_or_default());
                seconds.map_or("-".to_owned(), |_| {
                    std::time::UNIX_EPOCH.checked_add(since).map_or("-".to_owned(), rfc3339)
                })
            };
            let rows = [
                ("name", module.name.clone().unwrap_or_default()),
                ("key", claims.sub.clone()),
                ("issuer", claims.iss.clone()),
                ("revision", module.rev.map_or("-".to_owned(), |rev| rev.to_string())),
                ("version", module.ver.clone().unwrap_or_default()),
                ("capabilities", list(&module.caps)),
                ("tags", list(&module.tags)),
                ("issued", time(Some(claims.iat))),
                ("expires", time(claims.exp)),
                ("digest", digest.to_string()),
                ("size", format!("{} bytes", bytes.len())),
                ("verified", problem.clone().map_or("yes".to_owned(), |why| format!("no: {why}"))),
            ];
            rows.iter().fold(String::new(), |text, (name, value)| {
                format!("{text}{name:<13}{}\n", shown(value))
            })
        })?;
        verdict.map(drop).map_err(Failure::from)
    }
}
