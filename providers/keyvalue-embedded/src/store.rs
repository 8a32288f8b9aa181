//! What one link opens: the operations of the contract on the keys of its tenant.

use std::sync::{Arc, Mutex, PoisonError};

use lattice_protocol::Error;
use lattice_protocol::contract::keyvalue::{
    CompareAndDelete, CompareAndSet, Contains, Increment, Key, KeyPage, Keys, Length, ListPage,
    ListPop, ListPush, ListRange, ListRemove, MemberList, Members, Number, Set, SetKeys, Swapped,
    Value, Values, Written,
};
use lattice_protocol::contract::{Existed, Message};
use mesh_provider::CallInfo;
use mesh_provider::contract::KeyValue;

use crate::database::Database;
use crate::databases::Loan;
use crate::operations::values::New;
use crate::operations::{keys, lists, sets, values};
use crate::record::{self, Tenant};
use crate::stop::Stop;
use crate::tables::Tables;

/// The store of one link.
pub struct Store {
    database: Arc<Database>,
    tenant: Tenant,
    durable: bool,
    loan: Mutex<Option<Loan>>,
}

impl Store {
    /// Makes the store of a link.
    pub fn new(loan: Loan, tenant: Tenant, durable: bool) -> Self {
        Self { database: loan.database.clone(), tenant, durable, loan: Mutex::new(Some(loan)) }
    }

    fn key(&self, text: String) -> record::Key {
        self.tenant.key(text)
    }

    async fn write<T: Send + 'static>(
        &self,
        info: &CallInfo,
        bytes: usize,
        operation: impl FnOnce(&mut Tables<'_>) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Error> {
        self.database.write(info, self.durable, bytes, operation).await
    }
}

impl KeyValue for Store {
    async fn get(&self, request: Key, _: &CallInfo) -> Result<Value, Error> {
        let key = self.key(request.key);
        let value = self.database.read(|snapshot, now| values::get(snapshot, &key, now))?;
        Ok(Value { value })
    }

    async fn set(&self, request: Set, info: &CallInfo) -> Result<Written, Error> {
        let (key, bytes) = (self.key(request.key), request.value.len());
        let new = New { bytes: request.value, ttl_ms: request.ttl_ms };
        let condition = request.condition;
        let set = move |tables: &mut Tables<'_>| values::set(tables, &key, &new, condition);
        Ok(Written { written: self.write(info, bytes, set).await? })
    }

    async fn delete(&self, request: Key, info: &CallInfo) -> Result<Existed, Error> {
        let key = self.key(request.key);
        let existed = self.write(info, 0, move |tables| values::delete(tables, &key)).await?;
        Ok(Existed { existed })
    }

    async fn exists(&self, request: Key, _: &CallInfo) -> Result<Existed, Error> {
        let key = self.key(request.key);
        let existed = self.database.read(|snapshot, now| values::exists(snapshot, &key, now))?;
        Ok(Existed { existed })
    }

    async fn increment(&self, request: Increment, info: &CallInfo) -> Result<Number, Error> {
        let (key, delta) = (self.key(request.key), request.delta);
        let value =
            self.write(info, 0, move |tables| values::increment(tables, &key, delta)).await?;
        Ok(Number { value })
    }

    async fn compare_and_set(
        &self,
        request: CompareAndSet,
        info: &CallInfo,
    ) -> Result<Swapped, Error> {
        let bytes = request.bulk_bytes();
        let (key, expected) = (self.key(request.key), request.expected);
        let new = New { bytes: request.value, ttl_ms: request.ttl_ms };
        let swap = move |tables: &mut Tables<'_>| {
            values::compare(
                tables,
                &key,
                expected.as_ref().map(|bytes| bytes.as_slice()),
                Some(&new),
            )
        };
        self.write(info, bytes, swap).await
    }

    async fn compare_and_delete(
        &self,
        request: CompareAndDelete,
        info: &CallInfo,
    ) -> Result<Swapped, Error> {
        let (key, expected) = (self.key(request.key), request.expected);
        let swap =
            move |tables: &mut Tables<'_>| values::compare(tables, &key, Some(&expected), None);
        self.write(info, 0, swap).await
    }

    async fn keys(&self, request: Keys, _: &CallInfo) -> Result<KeyPage, Error> {
        let tenant = self.tenant.clone();
        let page = move |snapshot: &_, now| keys::keys(snapshot, &tenant, &request, now);
        self.database.read_large(page).await
    }

    async fn list_push(&self, request: ListPush, info: &CallInfo) -> Result<Length, Error> {
        let bytes = request.bulk_bytes();
        let ListPush { key, values, side } = request;
        let key = self.key(key);
        let push = move |tables: &mut Tables<'_>| lists::push(tables, &key, &values, side);
        Ok(Length { length: self.write(info, bytes, push).await? })
    }

    async fn list_pop(&self, request: ListPop, info: &CallInfo) -> Result<Values, Error> {
        let ListPop { key, side, count } = request;
        let key = self.key(key);
        let pop = move |tables: &mut Tables<'_>| lists::pop(tables, &key, side, count);
        Ok(Values { values: self.write(info, 0, pop).await? })
    }

    async fn list_range(&self, request: ListRange, _: &CallInfo) -> Result<ListPage, Error> {
        let (start, limit) = (request.start, request.entries());
        let key = self.key(request.key);
        let page = move |snapshot: &_, now| lists::range(snapshot, &key, start, limit, now);
        self.database.read_large(page).await
    }

    async fn list_remove(&self, request: ListRemove, info: &CallInfo) -> Result<Length, Error> {
        let ListRemove { key, value, count } = request;
        let key = self.key(key);
        let remove = move |tables: &mut Tables<'_>| lists::remove(tables, &key, &value, count);
        Ok(Length { length: self.write(info, 0, remove).await? })
    }

    async fn list_length(&self, request: Key, _: &CallInfo) -> Result<Length, Error> {
        let key = self.key(request.key);
        let length = self.database.read(|snapshot, now| lists::length(snapshot, &key, now))?;
        Ok(Length { length })
    }

    async fn list_clear(&self, request: Key, info: &CallInfo) -> Result<Existed, Error> {
        let key = self.key(request.key);
        let existed = self.write(info, 0, move |tables| lists::clear(tables, &key)).await?;
        Ok(Existed { existed })
    }

    async fn set_add(&self, request: Members, info: &CallInfo) -> Result<Length, Error> {
        let bytes = request.bulk_bytes();
        let (key, members) = (self.key(request.key), request.members);
        let add = move |tables: &mut Tables<'_>| sets::add(tables, &key, &members);
        Ok(Length { length: self.write(info, bytes, add).await? })
    }

    async fn set_remove(&self, request: Members, info: &CallInfo) -> Result<Length, Error> {
        let bytes = request.bulk_bytes();
        let (key, members) = (self.key(request.key), request.members);
        let remove = move |tables: &mut Tables<'_>| sets::remove(tables, &key, &members);
        Ok(Length { length: self.write(info, bytes, remove).await? })
    }

    async fn set_contains(&self, request: Contains, _: &CallInfo) -> Result<Existed, Error> {
        let (key, member) = (self.key(request.key), request.member);
        let contains = |snapshot: &_, now| sets::contains(snapshot, &key, &member, now);
        Ok(Existed { existed: self.database.read(contains)? })
    }

    async fn set_members(&self, request: Key, info: &CallInfo) -> Result<MemberList, Error> {
        self.set_union(SetKeys { keys: vec![request.key] }, info).await
    }

    async fn set_union(&self, request: SetKeys, _: &CallInfo) -> Result<MemberList, Error> {
        let keys: Vec<_> = request.keys.into_iter().map(|key| self.key(key)).collect();
        let union = move |snapshot: &_, now| sets::union(snapshot, &keys, now);
        Ok(MemberList { members: self.database.read_large(union).await? })
    }

    async fn set_intersection(&self, request: SetKeys, _: &CallInfo) -> Result<MemberList, Error> {
        let keys: Vec<_> = request.keys.into_iter().map(|key| self.key(key)).collect();
        let common = move |snapshot: &_, now| sets::intersection(snapshot, &keys, now);
        Ok(MemberList { members: self.database.read_large(common).await? })
    }

    async fn release(&self) {
        let loan = self.loan.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What fails is in the log.
        let _ = tokio::task::spawn_blocking(move || drop(loan)).await;
    }
}

/// The last call over a link that is gone gives the database back.
impl Drop for Store {
    fn drop(&mut self) {
        let loan = self.loan.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // It may wait for what is written: not where calls run.
        if let (Some(loan), Ok(runtime)) = (loan, tokio::runtime::Handle::try_current()) {
            runtime.spawn_blocking(move || drop(loan));
        }
    }
}
