//! `meshctl keys`.

use clap::{Args, Subcommand, ValueEnum};
use lattice_client::keystore::{DEFAULT_NAME, KeyStore, SeedKind};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::output::table;
use crate::session::Session;

/// Makes and lists the keys of this user.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Makes a key, and writes its public part. An existing one is never overwritten.
    #[command(
        after_help = "Examples:\n  meshctl keys gen issuer\n  meshctl keys gen actor --name echo"
    )]
    Gen(Gen),
    /// Lists the keys of the store.
    #[command(after_help = "Example:\n  meshctl keys ls -o json")]
    Ls,
}

/// Makes a key.
#[derive(Debug, Args)]
pub struct Gen {
    /// What it is for.
    #[arg(value_enum)]
    kind: Kind,
    /// Its name in the store; needed for an actor, `default` for the others.
    #[arg(long)]
    name: Option<String>,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Signs modules (A…).
    #[value(alias = "account")]
    Issuer,
    /// The identity of an actor (M…).
    #[value(alias = "module")]
    Actor,
    /// The identity of a provider (V…).
    #[value(alias = "service")]
    Provider,
    /// The identity of a node (N…).
    #[value(alias = "server")]
    Node,
    /// The authority of a lattice (C…).
    #[value(alias = "cluster")]
    Lattice,
    /// The identity of a user (U…).
    User,
}

impl From<Kind> for SeedKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Issuer => SeedKind::Issuer,
            Kind::Actor => SeedKind::Actor,
            Kind::Provider => SeedKind::Provider,
            Kind::Node => SeedKind::Node,
            Kind::Lattice => SeedKind::Lattice,
            Kind::User => SeedKind::User,
        }
    }
}

impl Keys {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when the store can't be used.
    pub fn run(&self, session: &Session) -> Result<(), Failure> {
        let store = KeyStore::of_user()?;
        match self {
            Keys::Gen(args) => args.run(session, &store),
            Keys::Ls => list(session, &store),
        }
    }
}

impl Gen {
    fn run(&self, session: &Session, store: &KeyStore) -> Result<(), Failure> {
        let kind = SeedKind::from(self.kind);
        let name = match (&self.name, kind) {
            (Some(name), _) => name.as_str(),
            (None, SeedKind::Actor) => {
                return Err(Failure::usage("the key of an actor needs the actor's name")
                    .hint("meshctl keys gen actor --name NAME"));
            }
            (None, _) => DEFAULT_NAME,
        };
        let key = store.create(kind, name)?;
        session.output.progress(&format!("the seed of {kind} {name} is in {}", key.path.display()));
        let public = key.public_key();
        let value = json!({ "kind": kind.as_str(), "name": name, "key": public, "path": key.path });
        session.output.data(&value, || public)
    }
}

fn list(session: &Session, store: &KeyStore) -> Result<(), Failure> {
    let mut keys: Vec<Value> = Vec::new();
    let mut rows = Vec::new();
    for key in store.list()? {
        let key = match key {
            Ok(key) => key,
            Err(error) => {
                session.output.warn(&error.to_string());
                continue;
            }
        };
        if key.exposed {
            session.output.warn(&exposed(&key.path));
        }
        let last = (key.kind == SeedKind::Actor).then(|| store.last_revision(&key.name)).flatten();
        rows.push(vec![
            key.kind.to_string(),
            key.name.clone(),
            key.public_key(),
            last.map_or(String::new(), |last| last.to_string()),
        ]);
        keys.push(json!({
            "kind": key.kind.as_str(),
            "name": key.name,
            "key": key.public_key(),
            "path": key.path,
            "last_revision": last,
        }));
    }
    if keys.is_empty() {
        session.output.progress(&format!(
            "no keys in {}; `meshctl sign` makes them on first use",
            store.root().display()
        ));
    }
    let text = || {
        if rows.is_empty() {
            String::new()
        } else {
            table(&["KIND", "NAME", "KEY", "LAST REVISION"], &rows)
        }
    };
    session.output.data(&json!({ "store": store.root(), "keys": keys }), text)
}

/// Warns of a file of a seed that others may read.
pub(super) fn exposed(path: &std::path::Path) -> String {
    format!("others may read {0}; close it with `chmod 600 {0}`", path.display())
}
