//! The providers that a node has in its own process: this file, and no other, names them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lattice_protocol::Error;
use lattice_protocol::keys::{KeyError, ProviderKey};
use mesh_blobstore_object_store::{fs, s3};
use mesh_http_server::{HttpServer, TlsFiles};
use mesh_provider::{About, Context, Provider, ProviderHost};

use super::local_actors::LocalActors;
use super::{ProviderOptions, Providers};
use crate::shared::Shared;

/// Makes a provider that needs nothing but its context.
type Make = fn(&Context) -> Arc<dyn Provider>;

/// Those that are the same on every node, so that each answers for all.
const EVERYWHERE: [(About, Make); 9] = [
    (mesh_blobstore_nats::ABOUT, mesh_blobstore_nats::provider),
    (s3::ABOUT, s3::provider),
    (mesh_http_client::ABOUT, mesh_http_client::provider),
    (mesh_keyvalue_nats::ABOUT, mesh_keyvalue_nats::provider),
    (mesh_keyvalue_redis::ABOUT, mesh_keyvalue_redis::provider),
    (mesh_logging::ABOUT, mesh_logging::provider),
    (mesh_messaging_nats::ABOUT, mesh_messaging_nats::provider),
    (mesh_random::ABOUT, mesh_random::provider),
    (mesh_timer::ABOUT, mesh_timer::provider),
];

/// Those that keep files: each node that has a folder for them answers for its own.
const OF_THIS_NODE: [(About, Make); 2] =
    [(fs::ABOUT, fs::provider), (mesh_keyvalue_embedded::ABOUT, mesh_keyvalue_embedded::provider)];

/// Holds the key of a provider that keeps files, beside them.
const KEY_FILE: &str = "provider.key";

/// Why a provider of the node can't be started.
#[derive(Debug, thiserror::Error)]
pub enum BuiltInError {
    /// The provider says why.
    #[error("{name} can't be started: {}", cause.message)]
    Provider {
        /// Its name.
        name: &'static str,
        /// Why.
        cause: Error,
    },
    /// A file can't be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A key can't be made or read.
    #[error("the key of a provider: {0}")]
    Key(#[from] KeyError),
}

/// Starts the providers of this node.
///
/// # Errors
/// [`BuiltInError`] naming the provider that can't be started.
pub(crate) async fn start(
    shared: &Arc<Shared>,
    options: &ProviderOptions,
) -> Result<Providers, BuiltInError> {
    let mut providers = Providers::default();
    for (about, make) in EVERYWHERE {
        let key = ProviderKey::well_known(about.name)?;
        let context = context(shared, about, key.clone(), None);
        providers.add(ProviderHost::new(key, make(&context), shared.traced));
    }
    for (about, make) in OF_THIS_NODE {
        let Some(data) = &options.data else { continue };
        let folder = data.join(about.name);
        let key = key_of(&folder)?;
        let context = context(shared, about, key.clone(), Some(folder));
        providers.add(ProviderHost::new(key, make(&context), shared.traced));
    }
    if let Some(addr) = options.http {
        let about = mesh_http_server::ABOUT;
        let key = ProviderKey::well_known(about.name)?;
        let context = context(shared, about, key.clone(), None);
        let tls = options.http_tls.clone().map(|(cert, key)| TlsFiles { cert, key });
        let started = HttpServer::start(&context, mesh_http_server::Options::new(addr, tls)).await;
        let server = started.map_err(|cause| BuiltInError::Provider { name: about.name, cause })?;
        providers.http = Some(server.local_addr());
        providers.add(ProviderHost::new(key, server, shared.traced));
    }
    Ok(providers)
}

fn context(shared: &Arc<Shared>, about: About, key: ProviderKey, data: Option<PathBuf>) -> Context {
    let actors = Arc::new(LocalActors::new(shared.clone(), key.clone(), about.contract));
    Context { key, lattice: shared.lattice.clone(), actors, data }
}

/// Reads the key of a provider that keeps files in `folder`; makes both where there are none.
fn key_of(folder: &Path) -> Result<ProviderKey, BuiltInError> {
    let path = folder.join(KEY_FILE);
    let failed = |cause| BuiltInError::File { path: path.clone(), cause };
    match std::fs::read_to_string(&path) {
        Ok(text) => return Ok(text.trim().parse()?),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let (key, _) = ProviderKey::generate()?;
    std::fs::create_dir_all(folder).map_err(failed)?;
    // Whole or not at all: half a key would be none.
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, format!("{key}\n")).map_err(failed)?;
    std::fs::rename(&fresh, &path).map_err(failed)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_provider_that_keeps_files_keeps_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("made");
        let key = key_of(&folder).unwrap();
        assert_eq!(key_of(&folder).unwrap(), key);
        std::fs::write(folder.join(KEY_FILE), "half").unwrap();
        assert!(matches!(key_of(&folder), Err(BuiltInError::Key(_))));
    }

    #[test]
    fn every_provider_has_a_name_and_a_key_of_its_own() {
        let all = EVERYWHERE.iter().chain(&OF_THIS_NODE).map(|(about, _)| about.name);
        let names: Vec<_> = all.chain([mesh_http_server::ABOUT.name]).collect();
        let keys = names.iter().map(|name| ProviderKey::well_known(name).unwrap());
        assert_eq!(keys.collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    }
}
