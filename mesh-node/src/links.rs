//! Where the contracts of actors lead: the links of the registry, without I/O.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use lattice_protocol::keys::{ActorKey, TargetKey};
use lattice_protocol::names::{ContractName, LinkName};
use lattice_protocol::record::LinkRecord;
use lattice_protocol::{DecodeError, Error, ErrorCode};

type LinksOfActor = BTreeMap<(ContractName, LinkName), Arc<LinkRecord>>;

/// The links of every actor. A change copies one map of pointers, so that calls read without a
/// lock.
#[derive(Clone, Debug, Default)]
pub struct Links(HashMap<ActorKey, Arc<LinksOfActor>>);

impl Links {
    /// Takes in the record at a key of the registry.
    ///
    /// # Errors
    /// [`DecodeError::Shape`] when the record is about another link than its key.
    pub fn put(
        &mut self,
        source: ActorKey,
        contract: ContractName,
        name: LinkName,
        record: LinkRecord,
    ) -> Result<(), DecodeError> {
        if (&record.source, &record.contract, &record.name) != (&source, &contract, &name) {
            return Err(DecodeError::Shape(format!(
                "the record of the link {source} {contract} {name} is about {} {} {}",
                record.source, record.contract, record.name
            )));
        }
        let links = Arc::make_mut(self.0.entry(source).or_default());
        links.insert((contract, name), Arc::new(record));
        Ok(())
    }

    /// Takes out a link.
    pub fn remove(&mut self, source: &ActorKey, contract: &ContractName, name: &LinkName) {
        let Some(links) = self.0.get_mut(source) else { return };
        Arc::make_mut(links).remove(&(contract.clone(), name.clone()));
        if links.is_empty() {
            self.0.remove(source);
        }
    }

    /// Returns the record of a link.
    pub fn get(
        &self,
        source: &ActorKey,
        contract: &ContractName,
        name: &LinkName,
    ) -> Option<&Arc<LinkRecord>> {
        self.0.get(source)?.get(&(contract.clone(), name.clone()))
    }

    /// Returns where the calls of a contract lead.
    ///
    /// # Errors
    /// `no_link`, with the command that adds one.
    pub fn target(
        &self,
        source: &ActorKey,
        contract: &ContractName,
        name: &LinkName,
    ) -> Result<TargetKey, Error> {
        self.get(source, contract, name).map(|link| link.target.clone()).ok_or_else(|| {
            let named = if *name == LinkName::default_link() {
                String::new()
            } else {
                format!(" --name {name}")
            };
            Error::not_started(
                ErrorCode::NoLink,
                format!(
                    "this actor has no link {name} for {contract}: add one with \
                     `meshctl link put {source} {contract} TARGET{named}`"
                ),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lattice_protocol::limits::WIRE_VERSION;

    use super::*;

    fn contract(text: &str) -> ContractName {
        text.parse().unwrap()
    }

    fn record(source: &ActorKey, contract: &ContractName, name: &LinkName) -> LinkRecord {
        LinkRecord {
            v: WIRE_VERSION,
            source: source.clone(),
            contract: contract.clone(),
            name: name.clone(),
            target: ActorKey::generate().unwrap().0.into(),
            config: BTreeMap::new(),
            generation: 1,
            writer: String::new(),
        }
    }

    #[test]
    fn each_actor_contract_and_name_has_a_link_of_its_own() {
        let (source, other) = (ActorKey::generate().unwrap().0, ActorKey::generate().unwrap().0);
        let (values, blobs) = (contract("mesh:keyvalue"), contract("mesh:blobstore"));
        let (name, second) = (LinkName::default_link(), "second".parse::<LinkName>().unwrap());
        let mut links = Links::default();
        let first = record(&source, &values, &name);
        links.put(source.clone(), values.clone(), name.clone(), first.clone()).unwrap();
        let before = links.clone();

        let found = links.target(&source, &values, &name);
        assert_eq!(found, Ok(first.target));
        for (source, contract, name) in
            [(&other, &values, &name), (&source, &blobs, &name), (&source, &values, &second)]
        {
            let error = links.target(source, contract, name).unwrap_err();
            assert_eq!(error.code, ErrorCode::NoLink);
            let command = format!("meshctl link put {source} {contract} TARGET");
            assert!(error.message.contains(&command), "{}", error.message);
            assert_eq!(error.message.contains("--name second"), *name == second);
        }

        links.remove(&source, &values, &second);
        assert!(links.target(&source, &values, &name).is_ok());
        links.remove(&source, &values, &name);
        assert!(links.target(&source, &values, &name).is_err());
        assert!(before.target(&source, &values, &name).is_ok(), "what was read stays as it was");
    }

    #[test]
    fn a_record_under_the_key_of_another_link_is_refused() {
        let source = ActorKey::generate().unwrap().0;
        let (contract, name) = (contract("mesh:keyvalue"), LinkName::default_link());
        let other = "other".parse::<LinkName>().unwrap();
        let record = record(&source, &contract, &other);
        let mut links = Links::default();
        assert!(links.put(source.clone(), contract.clone(), name.clone(), record).is_err());
        assert!(links.target(&source, &contract, &name).is_err());
    }
}
