//! Links of an actor of its own to a provider that runs somewhere on a lattice.

use std::collections::BTreeMap;
use std::time::Duration;

use lattice_client::Lattice;
use lattice_client::registry::{Registry, RegistryError};
use lattice_protocol::control::{AskLink, LinkState};
use lattice_protocol::keys::{ActorKey, KeyError, ProviderKey};
use lattice_protocol::limits::WIRE_VERSION;
use lattice_protocol::names::{ContractName, LinkName};
use lattice_protocol::record::LinkRecord;
use lattice_protocol::subjects::RegistryKey;
use lattice_protocol::{Error, ErrorCode};

use crate::link::Link;

/// Time that a provider has to say that it works on a link.
const FIRST_WORD_MS: u64 = 2_000;
/// Time that it has to open one.
const OPEN_MS: u64 = 15_000;
/// Time that each call of a suite has.
const CALL_TIMEOUT_MS: u64 = 20_000;

/// Why a link can't be examined.
#[derive(Debug, thiserror::Error)]
pub enum LinkingError {
    /// The registry can't be written.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The lattice can't be asked.
    #[error("{}: {}", .0.code, .0.message)]
    Lattice(Error),
    /// The provider refuses the link.
    #[error("the provider refuses the link: {}: {}", .0.code, .0.message)]
    Refused(Error),
    /// Nobody answers for the provider.
    #[error("nobody says that it serves {0}, or what became of the link")]
    Silent(ProviderKey),
}

/// An actor that is not deployed, and its links to one provider.
pub struct Linked {
    lattice: Lattice,
    registry: Registry,
    provider: ProviderKey,
    contract: ContractName,
    source: ActorKey,
    written: Vec<(RegistryKey, u64)>,
}

impl Linked {
    /// Makes an actor without links.
    ///
    /// # Errors
    /// [`LinkingError::Registry`] when there is no registry.
    pub async fn new(
        lattice: &Lattice,
        provider: ProviderKey,
        contract: ContractName,
    ) -> Result<Self, LinkingError> {
        let registry = lattice.registry().await?;
        let source = ActorKey::generate()?.0;
        let lattice = lattice.clone();
        Ok(Self { lattice, registry, provider, contract, source, written: Vec::new() })
    }

    /// Returns the actor whose links these are.
    pub fn source(&self) -> &ActorKey {
        &self.source
    }

    /// Makes a link, and returns when every process of the provider runs it.
    ///
    /// # Errors
    /// [`LinkingError::Refused`] with the provider's reason, or that nobody answers.
    pub async fn link(
        &mut self,
        name: LinkName,
        config: BTreeMap<String, String>,
    ) -> Result<Link, LinkingError> {
        let key = RegistryKey::Link(self.source.clone(), self.contract.clone(), name.clone());
        let record = LinkRecord {
            v: WIRE_VERSION,
            source: self.source.clone(),
            contract: self.contract.clone(),
            name: name.clone(),
            target: self.provider.clone().into(),
            config,
            generation: 1,
            writer: self.source.to_string(),
        };
        let at = self.registry.put(&key, &record, None).await?;
        self.written.push((key, at));
        self.until_open(&record, at).await?;
        Ok(Link::by_nats(
            self.lattice.clone(),
            self.provider.clone(),
            self.source.clone(),
            name,
            Duration::from_millis(CALL_TIMEOUT_MS),
        ))
    }

    async fn until_open(&self, record: &LinkRecord, at: u64) -> Result<(), LinkingError> {
        let ask = AskLink {
            source: self.source.clone(),
            contract: self.contract.clone(),
            name: record.name.clone(),
            target: self.provider.clone(),
            at,
        };
        let silent = || LinkingError::Silent(self.provider.clone());
        let mut states = self.lattice.link_states(&ask).await.map_err(LinkingError::Lattice)?;
        let (mut working, mut ready) = (0, 0);
        let mut bound = Duration::from_millis(FIRST_WORD_MS);
        loop {
            match tokio::time::timeout(bound, states.next()).await {
                Ok(Some(LinkState::Working { .. })) => {
                    working += 1;
                    bound = Duration::from_millis(OPEN_MS);
                }
                Ok(Some(LinkState::Ready { .. })) => ready += 1,
                Ok(Some(LinkState::Refused { error, .. })) => {
                    return Err(LinkingError::Refused(error));
                }
                Ok(None) => return Err(silent()),
                Err(_) => return Err(silent()),
            }
            if ready >= working {
                return Ok(());
            }
        }
    }

    /// Takes the links away again.
    ///
    /// # Errors
    /// When the registry can't be written.
    pub async fn unlink(self) -> Result<(), LinkingError> {
        for (key, at) in self.written {
            match self.registry.delete(&key, at).await {
                Ok(_) | Err(RegistryError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Returns the error of a contract that can't be examined over NATS alone.
pub(crate) fn no_suite(contract: &ContractName, suites: &[&str]) -> Error {
    Error::not_started(
        ErrorCode::BadRequest,
        format!("there is no suite for {contract}: there are {}", suites.join(", ")),
    )
}
