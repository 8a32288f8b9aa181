//! Any sequence of operations answers as a simple model in memory does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lattice_protocol::contract::Existed;
use lattice_protocol::contract::keyvalue::{
    CompareAndDelete, CompareAndSet, Condition, Contains, Length, ListPage, ListPop, ListPush,
    ListRange, ListRemove, ListSide, MemberList, Members, SetKeys, Swapped, Values,
};
use mesh_provider::keyvalue::first_index;
use proptest::prelude::*;

use super::*;

type Bytes = Vec<u8>;

#[derive(Clone, Debug, PartialEq)]
enum Held {
    Value(Bytes),
    List(VecDeque<Bytes>),
    Set(BTreeSet<Bytes>),
}

#[derive(Clone, Debug)]
enum Step {
    Get,
    Set(Bytes, Option<Condition>),
    Delete,
    Increment(i64),
    CompareAndSet(Option<Bytes>, Bytes),
    CompareAndDelete(Bytes),
    Push(Vec<Bytes>, ListSide),
    Pop(ListSide, u32),
    Range(i64, u32),
    Remove(Bytes, u32),
    ListLength,
    Clear,
    Add(Vec<Bytes>),
    Take(Vec<Bytes>),
    Contains(Bytes),
    Members,
    Sets(bool),
}

/// What a step answered, or that it was refused.
#[derive(Debug, PartialEq)]
enum Said {
    Refused,
    Value(Option<Bytes>),
    Flag(bool),
    Number(i64),
    Values(Vec<Bytes>, u64),
    Members(BTreeSet<Bytes>),
}

const KEYS: [&str; 3] = ["a", "ab", "b"];

fn item() -> impl Strategy<Value = Bytes> {
    prop_oneof![Just(b"1".to_vec()), Just(b"x".to_vec()), Just(Vec::new()), Just(b"xy".to_vec())]
}

fn step() -> impl Strategy<Value = Step> {
    let side = || prop_oneof![Just(ListSide::Front), Just(ListSide::Back)];
    let some = || prop::collection::vec(item(), 1..6);
    let condition = prop_oneof![Just(Condition::Absent), Just(Condition::Present)];
    prop_oneof![
        1 => Just(Step::Get),
        1 => (item(), prop::option::of(condition)).prop_map(|(v, c)| Step::Set(v, c)),
        2 => Just(Step::Delete),
        1 => (-3_i64..3).prop_map(Step::Increment),
        1 => (prop::option::of(item()), item()).prop_map(|(e, v)| Step::CompareAndSet(e, v)),
        1 => item().prop_map(Step::CompareAndDelete),
        4 => (some(), side()).prop_map(|(v, s)| Step::Push(v, s)),
        1 => (side(), 1_u32..4).prop_map(|(s, c)| Step::Pop(s, c)),
        2 => (-8_i64..8, 1_u32..8).prop_map(|(s, l)| Step::Range(s, l)),
        2 => (item(), 0_u32..4).prop_map(|(v, c)| Step::Remove(v, c)),
        1 => Just(Step::ListLength),
        1 => Just(Step::Clear),
        4 => some().prop_map(Step::Add),
        1 => some().prop_map(Step::Take),
        1 => item().prop_map(Step::Contains),
        1 => Just(Step::Members),
        1 => any::<bool>().prop_map(Step::Sets),
    ]
}

#[derive(Default)]
struct Model(BTreeMap<&'static str, Held>);

impl Model {
    fn list(&self, key: &str) -> Option<VecDeque<Bytes>> {
        match self.0.get(key) {
            None => Some(VecDeque::new()),
            Some(Held::List(list)) => Some(list.clone()),
            _ => None,
        }
    }

    fn members(&self, key: &str) -> Option<BTreeSet<Bytes>> {
        match self.0.get(key) {
            None => Some(BTreeSet::new()),
            Some(Held::Set(set)) => Some(set.clone()),
            _ => None,
        }
    }

    fn put(&mut self, key: &'static str, held: Held) {
        match &held {
            Held::List(list) if list.is_empty() => drop(self.0.remove(key)),
            Held::Set(set) if set.is_empty() => drop(self.0.remove(key)),
            _ => drop(self.0.insert(key, held)),
        }
    }

    /// Does a step; nothing where it is refused.
    fn run(&mut self, key: &'static str, step: &Step) -> Option<Said> {
        let value = match self.0.get(key) {
            None => Some(None),
            Some(Held::Value(value)) => Some(Some(value.clone())),
            _ => None,
        };
        Some(match step {
            Step::Get => Said::Value(value?),
            Step::Set(new, condition) => {
                let there = self.0.contains_key(key);
                let written = condition.is_none_or(|one| (one == Condition::Present) == there);
                if written {
                    self.put(key, Held::Value(new.clone()));
                }
                Said::Flag(written)
            }
            Step::Delete => Said::Flag(self.0.remove(key).is_some()),
            Step::Increment(delta) => {
                let text = value?.unwrap_or(b"0".to_vec());
                let sum = std::str::from_utf8(&text).ok()?.parse::<i64>().ok()? + delta;
                self.put(key, Held::Value(sum.to_string().into_bytes()));
                Said::Number(sum)
            }
            Step::CompareAndSet(expected, new) => {
                let value = value?;
                if value != *expected {
                    return Some(Said::Value(value));
                }
                self.put(key, Held::Value(new.clone()));
                Said::Flag(true)
            }
            Step::CompareAndDelete(expected) => {
                let value = value?;
                if value.as_ref() != Some(expected) {
                    return Some(Said::Value(value));
                }
                Said::Flag(self.0.remove(key).is_some())
            }
            Step::Push(values, side) => {
                let mut list = self.list(key)?;
                for value in values.iter().cloned() {
                    match side {
                        ListSide::Front => list.push_front(value),
                        ListSide::Back => list.push_back(value),
                    }
                }
                let length = list.len() as i64;
                self.put(key, Held::List(list));
                Said::Number(length)
            }
            Step::Pop(side, count) => {
                let mut list = self.list(key)?;
                let next = |list: &mut VecDeque<Bytes>| match side {
                    ListSide::Front => list.pop_front(),
                    ListSide::Back => list.pop_back(),
                };
                let taken = (0..*count).map_while(|_| next(&mut list)).collect();
                self.put(key, Held::List(list));
                Said::Values(taken, 0)
            }
            Step::Range(start, limit) => {
                let list = self.list(key)?;
                let length = list.len() as u64;
                let first = first_index(*start, length) as usize;
                let page = list.into_iter().skip(first).take(*limit as usize).collect();
                Said::Values(page, length)
            }
            Step::Remove(wanted, count) => {
                let mut list = self.list(key)?;
                let mut removed = 0;
                list.retain(|value| {
                    let remove = value == wanted && (*count == 0 || removed < i64::from(*count));
                    removed += i64::from(remove);
                    !remove
                });
                self.put(key, Held::List(list));
                Said::Number(removed)
            }
            Step::ListLength => Said::Number(self.list(key)?.len() as i64),
            Step::Clear => {
                self.list(key)?;
                Said::Flag(self.0.remove(key).is_some())
            }
            Step::Add(members) => {
                let mut set = self.members(key)?;
                let new = members.iter().filter(|&member| set.insert(member.clone())).count();
                self.put(key, Held::Set(set));
                Said::Number(new as i64)
            }
            Step::Take(members) => {
                let mut set = self.members(key)?;
                let gone = members.iter().filter(|&member| set.remove(member)).count();
                self.put(key, Held::Set(set));
                Said::Number(gone as i64)
            }
            Step::Contains(member) => Said::Flag(self.members(key)?.contains(member)),
            Step::Members => Said::Members(self.members(key)?),
            Step::Sets(union) => {
                let [first, second] = [self.members(key)?, self.members("b")?];
                let of = if *union { &first | &second } else { &first & &second };
                Said::Members(of)
            }
        })
    }
}

async fn run(client: &Client, key: &str, step: &Step) -> Result<Said, Error> {
    let owned = || key.to_owned();
    let bytes = |items: Vec<ByteBuf>| items.into_iter().map(ByteBuf::into_vec);
    let length = |Length { length }| Said::Number(length as i64);
    let existed = |Existed { existed }| Said::Flag(existed);
    let list = |MemberList { members }| Said::Members(bytes(members).collect());
    let swapped = |Swapped { swapped, current }| match swapped {
        true => Said::Flag(true),
        false => Said::Value(current.map(ByteBuf::into_vec)),
    };
    Ok(match step.clone() {
        Step::Get => {
            let value: Value = client.try_ask(operation::GET, &named(key)).await?;
            Said::Value(value.value.map(ByteBuf::into_vec))
        }
        Step::Set(value, condition) => {
            let set = Set { key: owned(), value, ttl_ms: Some(60_000), condition };
            let Written { written } = client.try_ask(operation::SET, &set).await?;
            Said::Flag(written)
        }
        Step::Delete => existed(client.try_ask(operation::DELETE, &named(key)).await?),
        Step::Increment(delta) => Said::Number(client.increment(key, delta).await?),
        Step::CompareAndSet(expected, value) => {
            let expected = expected.map(ByteBuf::from);
            let request = CompareAndSet { key: owned(), expected, value, ttl_ms: None };
            swapped(client.try_ask(operation::COMPARE_AND_SET, &request).await?)
        }
        Step::CompareAndDelete(expected) => {
            let request = CompareAndDelete { key: owned(), expected };
            swapped(client.try_ask(operation::COMPARE_AND_DELETE, &request).await?)
        }
        Step::Push(values, side) => {
            let request = ListPush { key: owned(), values: items(values), side };
            length(client.try_ask(operation::LIST_PUSH, &request).await?)
        }
        Step::Pop(side, count) => {
            let request = ListPop { key: owned(), side, count };
            let Values { values } = client.try_ask(operation::LIST_POP, &request).await?;
            Said::Values(bytes(values).collect(), 0)
        }
        Step::Range(start, limit) => {
            let request = ListRange { key: owned(), start, limit: Some(limit) };
            let page: ListPage = client.try_ask(operation::LIST_RANGE, &request).await?;
            Said::Values(bytes(page.values).collect(), page.length)
        }
        Step::Remove(value, count) => {
            let request = ListRemove { key: owned(), value, count };
            length(client.try_ask(operation::LIST_REMOVE, &request).await?)
        }
        Step::ListLength => length(client.try_ask(operation::LIST_LENGTH, &named(key)).await?),
        Step::Clear => existed(client.try_ask(operation::LIST_CLEAR, &named(key)).await?),
        Step::Add(members) => {
            let request = Members { key: owned(), members: items(members) };
            length(client.try_ask(operation::SET_ADD, &request).await?)
        }
        Step::Take(members) => {
            let request = Members { key: owned(), members: items(members) };
            length(client.try_ask(operation::SET_REMOVE, &request).await?)
        }
        Step::Contains(member) => {
            let request = Contains { key: owned(), member };
            existed(client.try_ask(operation::SET_CONTAINS, &request).await?)
        }
        Step::Members => list(client.try_ask(operation::SET_MEMBERS, &named(key)).await?),
        Step::Sets(union) => {
            let operation = if union { operation::SET_UNION } else { operation::SET_INTERSECTION };
            list(client.try_ask(operation, &SetKeys { keys: vec![owned(), "b".into()] }).await?)
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_sequence_answers_as_the_model_does(
        steps in prop::collection::vec((0_usize..3, step()), 1..80),
        reopened in 0_usize..80,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let provider = KeyValueEmbedded::new(Some(folder.path().to_owned()));
            let link = eventual();
            let mut client = Client::of(&provider, &link).await;
            let mut model = Model::default();
            for (n, (key, step)) in steps.iter().enumerate() {
                if n == reopened {
                    client.0.release().await;
                    client = Client::of(&provider, &link).await;
                }
                let key = KEYS[*key];
                let expected = model.run(key, step).unwrap_or(Said::Refused);
                let said = run(&client, key, step).await.unwrap_or(Said::Refused);
                assert_eq!(said, expected, "step {n} on {key}: {step:?}");
            }
            let keys: Vec<_> = model.0.into_keys().collect();
            assert_eq!(super::operations::all_keys(&client, "", 2).await, keys);
        });
    }
}
