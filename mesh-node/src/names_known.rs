//! Which actors bear which name.

use lattice_protocol::keys::ActorKey;
use lattice_protocol::names::ActorName;
use lattice_protocol::{Error, ErrorCode};

use crate::shards::Shards;

/// The names of all actors of the lattice. Only the reconciler writes.
#[derive(Default)]
pub(crate) struct NamesKnown {
    keys: Shards<ActorName, Vec<ActorKey>>,
    names: Shards<ActorKey, ActorName>,
}

impl NamesKnown {
    /// Says which name an actor bears; none when it is not deployed.
    pub fn set(&self, key: &ActorKey, name: Option<&ActorName>) {
        let before = self.names.get(key);
        if before.as_ref() == name {
            return;
        }
        if let Some(before) = before {
            let mut keys = self.keys.get(&before).unwrap_or_default();
            keys.retain(|other| other != key);
            match keys.is_empty() {
                true => self.keys.remove(&before),
                false => self.keys.insert(before, keys),
            }
        }
        let Some(name) = name else { return self.names.remove(key) };
        let mut keys = self.keys.get(name).unwrap_or_default();
        keys.push(key.clone());
        self.keys.insert(name.clone(), keys);
        self.names.insert(key.clone(), name.clone());
    }

    /// Returns the name that an actor is deployed as.
    pub fn of(&self, key: &ActorKey) -> Option<ActorName> {
        self.names.get(key)
    }

    /// Returns the actor that bears `name`.
    ///
    /// # Errors
    /// `not_found` when none does, `bad_request` when several do.
    pub fn actor(&self, name: &ActorName) -> Result<ActorKey, Error> {
        match self.keys.get(name).as_deref() {
            Some([key]) => Ok(key.clone()),
            None | Some([]) => Err(Error::not_started(
                ErrorCode::NotFound,
                format!("no actor is deployed as {name}"),
            )),
            Some(keys) => Err(Error::not_started(
                ErrorCode::BadRequest,
                format!("{} actors are deployed as {name}: call one by its key", keys.len()),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_the_one_that_bears_it() {
        let names = NamesKnown::default();
        let [one, two] = [0, 1].map(|_| ActorKey::generate().unwrap().0);
        let [echo, other] = ["echo", "other"].map(|name| name.parse::<ActorName>().unwrap());
        let code = |name| names.actor(name).unwrap_err().code;
        assert_eq!(code(&echo), ErrorCode::NotFound);
        names.set(&one, Some(&echo));
        names.set(&one, Some(&echo));
        assert_eq!(names.actor(&echo), Ok(one.clone()));
        names.set(&two, Some(&echo));
        assert_eq!(code(&echo), ErrorCode::BadRequest);
        names.set(&one, Some(&other));
        assert_eq!((names.actor(&echo), names.actor(&other)), (Ok(two.clone()), Ok(one.clone())));
        names.set(&two, None);
        assert_eq!(code(&echo), ErrorCode::NotFound);
        assert_eq!((names.of(&one), names.of(&two)), (Some(other), None));
    }
}
