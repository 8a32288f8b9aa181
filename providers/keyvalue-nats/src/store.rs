//! The keys of one link.

use std::collections::HashSet;

use lattice_protocol::contract::keyvalue::{
    CompareAndDelete, CompareAndSet, Condition, Contains, Increment, Key, KeyPage, Keys, Length,
    ListPage, ListPop, ListPush, ListRange, ListRemove, ListSide, MemberList, Members, Number, Set,
    SetKeys, Swapped, Value, Values, Written,
};
use lattice_protocol::contract::limits::keyvalue as bounds;
use lattice_protocol::contract::{ByteBuf, Existed};
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::CallInfo;
use mesh_provider::contract::KeyValue;
use mesh_provider::keyvalue::{self, MemberRoom};

use crate::bucket::{Bucket, Change, change_pause};
use crate::combine::{Combined, Way};
use crate::content::{self, Content, Held, now_ms};
use crate::keys::Space;
use crate::limits;

/// The keys of one link.
pub struct Store {
    bucket: Bucket,
    space: Space,
}

impl Store {
    pub fn new(bucket: Bucket, space: Space) -> Self {
        Self { bucket, space }
    }

    async fn held(&self, key: &str, info: &CallInfo) -> Result<Option<Held>, Error> {
        self.bucket.read(&self.space.key(key), key, info).await
    }

    async fn change<T>(
        &self,
        key: &str,
        info: &CallInfo,
        change: impl Fn(Option<Held>) -> Result<Change<T>, Error>,
    ) -> Result<T, Error> {
        self.bucket.change(&self.space.key(key), key, info, change).await
    }

    /// Returns what sets have together as they were at one time: the first is read again once the last
    /// was read, and so is each, until all of them are what they were.
    async fn combined(
        &self,
        keys: &[String],
        way: Way,
        info: &CallInfo,
    ) -> Result<MemberList, Error> {
        let mut pause = change_pause();
        for _ in 0..limits::COMBINE_ATTEMPTS_MAX {
            let mut combined = Combined::new(way);
            let mut revisions = Vec::with_capacity(keys.len());
            for key in keys {
                let (held, revision) = self.bucket.look(&self.space.key(key), key, info).await?;
                combined.add(content::set(key, held)?)?;
                revisions.push(revision);
            }
            if self.are_still(keys, &revisions, info).await? {
                return combined.into_list();
            }
            pause.wait().await;
        }
        Err(Error::not_started(
            ErrorCode::Busy,
            "others change the sets too often: they were never the same for a while",
        ))
    }

    async fn are_still(
        &self,
        keys: &[String],
        revisions: &[u64],
        info: &CallInfo,
    ) -> Result<bool, Error> {
        // One alone was read at one time.
        if keys.len() < 2 {
            return Ok(true);
        }
        for (key, before) in keys.iter().zip(revisions) {
            if self.bucket.look(&self.space.key(key), key, info).await?.1 != *before {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn members(&self, key: &str, info: &CallInfo) -> Result<Vec<ByteBuf>, Error> {
        content::set(key, self.held(key, info).await?)
    }
}

fn value(value: Vec<u8>, ttl_ms: Option<u64>) -> Held {
    let expires_ms = ttl_ms.map(|ttl_ms| now_ms().saturating_add(ttl_ms));
    Held { content: Content::Value(value), expires_ms }
}

/// A list without content does not exist.
fn put_list<T>(items: Vec<ByteBuf>, answer: T) -> Change<T> {
    match items.is_empty() {
        true => Change::Delete(answer),
        false => Change::Put(Held::for_ever(Content::List(items)), answer),
    }
}

fn length(count: usize) -> Length {
    Length { length: count as u64 }
}

fn member_list(members: Vec<ByteBuf>) -> Result<MemberList, Error> {
    let mut room = MemberRoom::default();
    members.iter().try_for_each(|member| room.take(member))?;
    Ok(MemberList { members })
}

/// Takes as many values as an answer has room for.
fn fitting<'a>(values: impl Iterator<Item = &'a ByteBuf>) -> Vec<ByteBuf> {
    let mut taken = keyvalue::Values::default();
    for value in values {
        if !taken.add(value) {
            break;
        }
    }
    taken.into_inner()
}

impl KeyValue for Store {
    async fn get(&self, request: Key, info: &CallInfo) -> Result<Value, Error> {
        let held = self.held(&request.key, info).await?;
        Ok(Value { value: content::value(&request.key, held)?.map(ByteBuf::from) })
    }

    async fn set(&self, request: Set, info: &CallInfo) -> Result<Written, Error> {
        let Set { key, value: bytes, ttl_ms, condition } = request;
        let Some(condition) = condition else {
            let held = value(bytes, ttl_ms);
            self.bucket.put(&self.space.key(&key), &key, held, info).await?;
            return Ok(Written { written: true });
        };
        let set = |held: Option<Held>| {
            let holds = held.is_some() == (condition == Condition::Present);
            Ok(match holds {
                true => Change::Put(value(bytes.clone(), ttl_ms), Written { written: true }),
                false => Change::Keep(Written { written: false }),
            })
        };
        self.change(&key, info, set).await
    }

    async fn delete(&self, request: Key, info: &CallInfo) -> Result<Existed, Error> {
        let delete = |held: Option<Held>| {
            Ok(match held {
                Some(_) => Change::Delete(Existed { existed: true }),
                None => Change::Keep(Existed { existed: false }),
            })
        };
        self.change(&request.key, info, delete).await
    }

    async fn exists(&self, request: Key, info: &CallInfo) -> Result<Existed, Error> {
        Ok(Existed { existed: self.held(&request.key, info).await?.is_some() })
    }

    async fn increment(&self, request: Increment, info: &CallInfo) -> Result<Number, Error> {
        let Increment { key, delta } = request;
        let add = |held: Option<Held>| {
            // A counter keeps the life that it has.
            let expires_ms = held.as_ref().and_then(|held| held.expires_ms);
            let before = content::value(&key, held)?;
            let sum = keyvalue::add(&key, before.as_deref(), delta)?;
            let content = Content::Value(sum.to_string().into_bytes());
            Ok(Change::Put(Held { content, expires_ms }, Number { value: sum }))
        };
        self.change(&key, info, add).await
    }

    async fn compare_and_set(
        &self,
        request: CompareAndSet,
        info: &CallInfo,
    ) -> Result<Swapped, Error> {
        let CompareAndSet { key, expected, value: bytes, ttl_ms } = request;
        let swap = |held: Option<Held>| {
            let current = content::value(&key, held)?.map(ByteBuf::from);
            Ok(match current == expected {
                true => Change::Put(
                    value(bytes.clone(), ttl_ms),
                    Swapped { swapped: true, current: None },
                ),
                false => Change::Keep(Swapped { swapped: false, current }),
            })
        };
        self.change(&key, info, swap).await
    }

    async fn compare_and_delete(
        &self,
        request: CompareAndDelete,
        info: &CallInfo,
    ) -> Result<Swapped, Error> {
        let CompareAndDelete { key, expected } = request;
        let delete = |held: Option<Held>| {
            let current = content::value(&key, held)?;
            Ok(match current.as_ref() == Some(&expected) {
                true => Change::Delete(Swapped { swapped: true, current: None }),
                false => {
                    Change::Keep(Swapped { swapped: false, current: current.map(ByteBuf::from) })
                }
            })
        };
        self.change(&key, info, delete).await
    }

    async fn keys(&self, request: Keys, info: &CallInfo) -> Result<KeyPage, Error> {
        self.bucket.keys(&self.space, &request, info).await
    }

    async fn list_push(&self, request: ListPush, info: &CallInfo) -> Result<Length, Error> {
        let ListPush { key, values, side } = request;
        let push = |held: Option<Held>| {
            let mut items = content::list(&key, held)?;
            match side {
                ListSide::Back => items.extend(values.iter().cloned()),
                ListSide::Front => {
                    items.splice(0..0, values.iter().rev().cloned());
                }
            }
            let length = length(items.len());
            Ok(put_list(items, length))
        };
        self.change(&key, info, push).await
    }

    async fn list_pop(&self, request: ListPop, info: &CallInfo) -> Result<Values, Error> {
        let ListPop { key, side, count } = request;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let pop = |held: Option<Held>| {
            let mut items = content::list(&key, held)?;
            if items.is_empty() {
                return Ok(Change::Keep(Values::default()));
            }
            let values = match side {
                ListSide::Front => fitting(items.iter().take(count)),
                ListSide::Back => fitting(items.iter().rev().take(count)),
            };
            match side {
                ListSide::Front => drop(items.drain(..values.len())),
                ListSide::Back => items.truncate(items.len() - values.len()),
            }
            Ok(put_list(items, Values { values }))
        };
        self.change(&key, info, pop).await
    }

    async fn list_range(&self, request: ListRange, info: &CallInfo) -> Result<ListPage, Error> {
        let items = content::list(&request.key, self.held(&request.key, info).await?)?;
        let first = keyvalue::first_index(request.start, items.len() as u64);
        let (first, count) = (usize::try_from(first), usize::try_from(request.entries()));
        let (first, count) = (first.unwrap_or(usize::MAX), count.unwrap_or(usize::MAX));
        let values = fitting(items.iter().skip(first).take(count));
        Ok(ListPage { values, length: items.len() as u64 })
    }

    async fn list_remove(&self, request: ListRemove, info: &CallInfo) -> Result<Length, Error> {
        let ListRemove { key, value, count } = request;
        let most = match count {
            0 => usize::MAX,
            count => usize::try_from(count).unwrap_or(usize::MAX),
        };
        let remove = |held: Option<Held>| {
            let mut items = content::list(&key, held)?;
            let mut removed = 0;
            items.retain(|item| {
                let goes = removed < most && item.as_slice() == value.as_slice();
                removed += usize::from(goes);
                !goes
            });
            Ok(match removed {
                0 => Change::Keep(length(0)),
                removed => put_list(items, length(removed)),
            })
        };
        self.change(&key, info, remove).await
    }

    async fn list_length(&self, request: Key, info: &CallInfo) -> Result<Length, Error> {
        let held = self.held(&request.key, info).await?;
        Ok(length(content::list(&request.key, held)?.len()))
    }

    async fn list_clear(&self, request: Key, info: &CallInfo) -> Result<Existed, Error> {
        let key = request.key;
        let clear = |held: Option<Held>| {
            Ok(match content::list(&key, held)?.is_empty() {
                true => Change::Keep(Existed { existed: false }),
                false => Change::Delete(Existed { existed: true }),
            })
        };
        self.change(&key, info, clear).await
    }

    async fn set_add(&self, request: Members, info: &CallInfo) -> Result<Length, Error> {
        let Members { key, members } = request;
        let add = |held: Option<Held>| {
            let mut items = content::set(&key, held)?;
            let mut known: HashSet<ByteBuf> = items.iter().cloned().collect();
            let new = members.iter().filter(|member| known.insert((*member).clone()));
            let before = items.len();
            items.extend(new.cloned());
            if items.len() > bounds::SET_MEMBERS_MAX {
                return Err(keyvalue::set_is_full(&key));
            }
            let added = length(items.len() - before);
            Ok(match items.len() == before {
                true => Change::Keep(added),
                false => Change::Put(Held::for_ever(Content::Set(items)), added),
            })
        };
        self.change(&key, info, add).await
    }

    async fn set_remove(&self, request: Members, info: &CallInfo) -> Result<Length, Error> {
        let Members { key, members } = request;
        let gone: HashSet<&ByteBuf> = members.iter().collect();
        let remove = |held: Option<Held>| {
            let mut items = content::set(&key, held)?;
            let before = items.len();
            items.retain(|item| !gone.contains(item));
            let removed = length(before - items.len());
            Ok(match (items.len() == before, items.is_empty()) {
                (true, _) => Change::Keep(removed),
                (_, true) => Change::Delete(removed),
                _ => Change::Put(Held::for_ever(Content::Set(items)), removed),
            })
        };
        self.change(&key, info, remove).await
    }

    async fn set_contains(&self, request: Contains, info: &CallInfo) -> Result<Existed, Error> {
        let members = self.members(&request.key, info).await?;
        Ok(Existed { existed: members.iter().any(|one| one.as_slice() == request.member) })
    }

    async fn set_members(&self, request: Key, info: &CallInfo) -> Result<MemberList, Error> {
        member_list(self.members(&request.key, info).await?)
    }

    async fn set_union(&self, request: SetKeys, info: &CallInfo) -> Result<MemberList, Error> {
        self.combined(&request.keys, Way::Union, info).await
    }

    async fn set_intersection(
        &self,
        request: SetKeys,
        info: &CallInfo,
    ) -> Result<MemberList, Error> {
        self.combined(&request.keys, Way::Intersection, info).await
    }
}
