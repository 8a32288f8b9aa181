//! The keys of one link.

use std::sync::Arc;
use std::time::Duration;

use lattice_protocol::Error;
use lattice_protocol::contract::keyvalue::{
    CompareAndDelete, CompareAndSet, Condition, Contains, Increment, Key, KeyPage, Keys, Length,
    ListPage, ListPop, ListPush, ListRange, ListRemove, ListSide, MemberList, Members, Number, Set,
    SetKeys, Swapped, Value, Values, Written,
};
use lattice_protocol::contract::limits::keyvalue as bounds;
use lattice_protocol::contract::{ByteBuf, Existed, limits::PAGE_ENTRIES_MAX};
use mesh_provider::contract::KeyValue;
use mesh_provider::keyvalue::{self, Sort};
use mesh_provider::{BoxFuture, CallInfo};
use redis::aio::ConnectionManager;
use redis::{Cmd, FromRedisValue, RedisResult, Script, cmd};

use crate::fault::{self, About};
use crate::limits;
use crate::scripts;
use crate::servers::Server;
use crate::settings::Settings;

/// The keys of one link.
pub struct Store {
    server: Arc<Server>,
    settings: Settings,
}

impl Store {
    pub fn new(server: Arc<Server>, settings: Settings) -> Self {
        Self { server, settings }
    }

    /// Asks whether the server is there.
    ///
    /// # Errors
    /// `provider_unavailable` when it is not.
    pub async fn reach(&self) -> Result<(), Error> {
        let about = About { key: "", sort: Sort::Value };
        let ask = |mut connection: ConnectionManager| -> BoxFuture<'_, RedisResult<String>> {
            Box::pin(async move { cmd("PING").query_async(&mut connection).await })
        };
        self.within(None, about, ask).await.map(drop)
    }

    /// Waits for an answer as long as Redis has for one, but not beyond the deadline of the call.
    async fn within<'a, T>(
        &'a self,
        left: Option<Duration>,
        about: About<'_>,
        ask: impl FnOnce(ConnectionManager) -> BoxFuture<'a, RedisResult<T>>,
    ) -> Result<T, Error> {
        let server = &self.settings.name;
        let bound = left.map_or(self.settings.timeout, |left| left.min(self.settings.timeout));
        match tokio::time::timeout(bound, ask(self.server.connection())).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(fault::error(server, about, &error)),
            Err(_) => Err(fault::silent(server, bound, bound < self.settings.timeout)),
        }
    }

    /// Runs a command about one key.
    async fn run<T: FromRedisValue + Send + 'static>(
        &self,
        key: &str,
        sort: Sort,
        command: Cmd,
        info: &CallInfo,
    ) -> Result<T, Error> {
        let ask = |mut connection: ConnectionManager| -> BoxFuture<'_, RedisResult<T>> {
            Box::pin(async move { command.query_async(&mut connection).await })
        };
        self.within(Some(info.left()), About { key, sort }, ask).await
    }

    /// Runs a script over keys, the first of which errors name.
    async fn script<T: FromRedisValue + Send + 'static>(
        &self,
        keys: &[String],
        sort: Sort,
        script: &'static Script,
        arguments: Vec<Vec<u8>>,
        info: &CallInfo,
    ) -> Result<T, Error> {
        let own: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
        let ask = |mut connection: ConnectionManager| -> BoxFuture<'_, RedisResult<T>> {
            Box::pin(async move {
                let mut call = script.prepare_invoke();
                for key in &own {
                    call.key(key);
                }
                for argument in &arguments {
                    call.arg(argument.as_slice());
                }
                call.invoke_async(&mut connection).await
            })
        };
        let first = keys.first().map(String::as_str).unwrap_or_default();
        self.within(Some(info.left()), About { key: first, sort }, ask).await
    }

    fn key(&self, key: &str) -> String {
        self.settings.space.key(key)
    }

    /// A command about one key.
    fn about(&self, name: &str, key: &str) -> Cmd {
        let mut command = cmd(name);
        command.arg(self.key(key));
        command
    }
}

fn text(number: impl ToString + Copy) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn items(values: Vec<Vec<u8>>) -> Vec<ByteBuf> {
    values.into_iter().map(ByteBuf::from).collect()
}

fn swapped((swapped, current): (i64, Option<Vec<u8>>)) -> Swapped {
    Swapped { swapped: swapped == 1, current: current.map(ByteBuf::from) }
}

fn member_list(members: Option<Vec<Vec<u8>>>) -> Result<MemberList, Error> {
    let members = members.ok_or_else(keyvalue::too_many_members)?;
    Ok(MemberList { members: items(members) })
}

/// What an answer of members has room for, as the scripts want it.
fn room() -> Vec<Vec<u8>> {
    vec![text(bounds::SET_MEMBERS_MAX), text(bounds::ITEMS_BYTES_MAX)]
}

impl KeyValue for Store {
    async fn get(&self, request: Key, info: &CallInfo) -> Result<Value, Error> {
        let command = self.about("GET", &request.key);
        let value: Option<Vec<u8>> = self.run(&request.key, Sort::Value, command, info).await?;
        Ok(Value { value: value.map(ByteBuf::from) })
    }

    async fn set(&self, request: Set, info: &CallInfo) -> Result<Written, Error> {
        let mut command = self.about("SET", &request.key);
        command.arg(&request.value);
        if let Some(ttl_ms) = request.ttl_ms {
            command.arg("PX").arg(ttl_ms);
        }
        match request.condition {
            None => {}
            Some(Condition::Absent) => _ = command.arg("NX"),
            Some(Condition::Present) => _ = command.arg("XX"),
        }
        let done: Option<String> = self.run(&request.key, Sort::Value, command, info).await?;
        Ok(Written { written: done.is_some() })
    }

    async fn delete(&self, request: Key, info: &CallInfo) -> Result<Existed, Error> {
        let command = self.about("UNLINK", &request.key);
        let count: u64 = self.run(&request.key, Sort::Value, command, info).await?;
        Ok(Existed { existed: count > 0 })
    }

    async fn exists(&self, request: Key, info: &CallInfo) -> Result<Existed, Error> {
        let command = self.about("EXISTS", &request.key);
        let count: u64 = self.run(&request.key, Sort::Value, command, info).await?;
        Ok(Existed { existed: count > 0 })
    }

    async fn increment(&self, request: Increment, info: &CallInfo) -> Result<Number, Error> {
        let mut command = self.about("INCRBY", &request.key);
        command.arg(request.delta);
        let value = self.run(&request.key, Sort::Value, command, info).await?;
        Ok(Number { value })
    }

    async fn compare_and_set(
        &self,
        request: CompareAndSet,
        info: &CallInfo,
    ) -> Result<Swapped, Error> {
        let CompareAndSet { key, expected, value, ttl_ms } = request;
        let arguments = vec![
            text(u8::from(expected.is_some())),
            expected.map(ByteBuf::into_vec).unwrap_or_default(),
            value,
            ttl_ms.map(text).unwrap_or_default(),
        ];
        let script = &scripts::COMPARE_AND_SET;
        Ok(swapped(self.script(&[key], Sort::Value, script, arguments, info).await?))
    }

    async fn compare_and_delete(
        &self,
        request: CompareAndDelete,
        info: &CallInfo,
    ) -> Result<Swapped, Error> {
        let script = &scripts::COMPARE_AND_DELETE;
        let arguments = vec![request.expected];
        Ok(swapped(self.script(&[request.key], Sort::Value, script, arguments, info).await?))
    }

    async fn keys(&self, request: Keys, info: &CallInfo) -> Result<KeyPage, Error> {
        let mut cursor: u64 = match &request.cursor {
            None => 0,
            Some(cursor) => cursor.parse().map_err(|_| keyvalue::wrong_cursor())?,
        };
        let wanted = request.entries();
        let pattern = self.settings.space.pattern(&request.prefix);
        // A step may find somewhat more than it was asked for.
        let step = wanted.min(limits::SCAN_KEYS_MAX);
        let most = usize::try_from(wanted.min(PAGE_ENTRIES_MAX - 2 * step)).unwrap_or(usize::MAX);
        let mut keys = Vec::new();
        for _ in 0..limits::SCAN_STEPS_MAX {
            let mut command = cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(step);
            let (next, found): (u64, Vec<Vec<u8>>) =
                self.run(&request.prefix, Sort::Value, command, info).await?;
            let own = found.iter().filter_map(|key| self.settings.space.parse(key));
            keys.extend(own.map(str::to_owned));
            cursor = next;
            if cursor == 0 || keys.len() >= most {
                break;
            }
        }
        Ok(KeyPage { keys, cursor: (cursor != 0).then(|| cursor.to_string()) })
    }

    async fn list_push(&self, request: ListPush, info: &CallInfo) -> Result<Length, Error> {
        let name = match request.side {
            ListSide::Front => "LPUSH",
            ListSide::Back => "RPUSH",
        };
        let mut command = self.about(name, &request.key);
        for value in &request.values {
            command.arg(value.as_slice());
        }
        let length = self.run(&request.key, Sort::List, command, info).await?;
        Ok(Length { length })
    }

    async fn list_pop(&self, request: ListPop, info: &CallInfo) -> Result<Values, Error> {
        let pop = match request.side {
            ListSide::Front => "LPOP",
            ListSide::Back => "RPOP",
        };
        let arguments = vec![text(pop), text(request.count), text(bounds::ITEMS_BYTES_MAX)];
        let script = &scripts::LIST_POP;
        let taken = self.script(&[request.key], Sort::List, script, arguments, info).await?;
        Ok(Values { values: items(taken) })
    }

    async fn list_range(&self, request: ListRange, info: &CallInfo) -> Result<ListPage, Error> {
        let room = text(bounds::ITEMS_BYTES_MAX);
        let arguments = vec![text(request.start), text(request.entries()), room];
        let script = &scripts::LIST_RANGE;
        let (length, values): (u64, Vec<Vec<u8>>) =
            self.script(&[request.key], Sort::List, script, arguments, info).await?;
        Ok(ListPage { values: items(values), length })
    }

    async fn list_remove(&self, request: ListRemove, info: &CallInfo) -> Result<Length, Error> {
        let mut command = self.about("LREM", &request.key);
        command.arg(request.count).arg(&request.value);
        let length = self.run(&request.key, Sort::List, command, info).await?;
        Ok(Length { length })
    }

    async fn list_length(&self, request: Key, info: &CallInfo) -> Result<Length, Error> {
        let command = self.about("LLEN", &request.key);
        let length = self.run(&request.key, Sort::List, command, info).await?;
        Ok(Length { length })
    }

    async fn list_clear(&self, request: Key, info: &CallInfo) -> Result<Existed, Error> {
        let script = &scripts::LIST_CLEAR;
        let count: u64 = self.script(&[request.key], Sort::List, script, Vec::new(), info).await?;
        Ok(Existed { existed: count > 0 })
    }

    async fn set_add(&self, request: Members, info: &CallInfo) -> Result<Length, Error> {
        let mut arguments = vec![text(bounds::SET_MEMBERS_MAX)];
        arguments.extend(request.members.into_iter().map(ByteBuf::into_vec));
        let key = [request.key];
        let added: i64 = self.script(&key, Sort::Set, &scripts::SET_ADD, arguments, info).await?;
        let [key] = &key;
        let length = u64::try_from(added).map_err(|_| keyvalue::set_is_full(key))?;
        Ok(Length { length })
    }

    async fn set_remove(&self, request: Members, info: &CallInfo) -> Result<Length, Error> {
        let mut command = self.about("SREM", &request.key);
        for member in &request.members {
            command.arg(member.as_slice());
        }
        let length = self.run(&request.key, Sort::Set, command, info).await?;
        Ok(Length { length })
    }

    async fn set_contains(&self, request: Contains, info: &CallInfo) -> Result<Existed, Error> {
        let mut command = self.about("SISMEMBER", &request.key);
        command.arg(&request.member);
        let found: u64 = self.run(&request.key, Sort::Set, command, info).await?;
        Ok(Existed { existed: found > 0 })
    }

    async fn set_members(&self, request: Key, info: &CallInfo) -> Result<MemberList, Error> {
        let script = &scripts::SET_UNION;
        member_list(self.script(&[request.key], Sort::Set, script, room(), info).await?)
    }

    async fn set_union(&self, request: SetKeys, info: &CallInfo) -> Result<MemberList, Error> {
        let script = &scripts::SET_UNION;
        member_list(self.script(&request.keys, Sort::Set, script, room(), info).await?)
    }

    async fn set_intersection(
        &self,
        request: SetKeys,
        info: &CallInfo,
    ) -> Result<MemberList, Error> {
        let script = &scripts::SET_INTERSECTION;
        member_list(self.script(&request.keys, Sort::Set, script, room(), info).await?)
    }
}
