//! `wascc:keyvalue` and `wasmcloud:keyvalue`. Values are texts there, numbers have 32 bits.

use lattice_protocol::contract::keyvalue::{
    Increment, Key, Length, ListPush, ListRemove, ListSide, MemberList, Members, NAME, Number, Set,
    SetKeys, Value, Written, operation as op,
};
use lattice_protocol::contract::{ByteBuf, Existed, Message};
use lattice_protocol::{Error, ErrorCode};
use serde::{Deserialize, Serialize};

use super::range::{self, Shape};
use super::step::{self, Step};
use super::wire::{Form, count, done, done_silently, form_of, no_operation, read, text, texts};

#[derive(Deserialize)]
struct OfKey {
    key: String,
}

#[derive(Deserialize)]
struct OfKeys {
    #[serde(default)]
    keys: Vec<String>,
}

/// A key and a text; lists and sets have names of their own for the key in the later form.
#[derive(Deserialize)]
struct OfValue {
    #[serde(alias = "listName", alias = "setName")]
    key: String,
    value: String,
}

#[derive(Deserialize)]
struct OfNumber {
    key: String,
    #[serde(default)]
    value: i32,
}

#[derive(Deserialize)]
struct OfSet {
    key: String,
    value: String,
    /// Seconds; 0 or less means for ever.
    #[serde(default)]
    expires: i64,
}

#[derive(Serialize)]
struct Got {
    value: String,
    exists: bool,
}

#[derive(Serialize)]
struct Sum {
    value: i32,
}

#[derive(Serialize)]
struct Stored {
    value: String,
}

#[derive(Serialize)]
struct Cleared {
    key: String,
}

/// Some modules read one name, some the other.
#[derive(Serialize)]
struct Count {
    #[serde(rename = "newCount")]
    new_count: i32,
    #[serde(rename = "new_count")]
    new_count_too: i32,
}

#[derive(Serialize)]
pub(super) struct Listed {
    pub(super) values: Vec<String>,
}

/// Begins a call of either form.
pub(super) fn begin(operation: &str, payload: &[u8]) -> Result<Step, Error> {
    match form_of("KeyValue", operation) {
        Some((Form::Plain, name)) => plain(name, payload),
        Some((Form::Interface, name)) => of_interface(name, payload),
        None => Err(no_operation(NAME, operation)),
    }
}

fn plain(name: &str, payload: &[u8]) -> Result<Step, Error> {
    let key = || read::<OfKey>(name, payload).map(|request| request.key);
    let keys = || read::<OfKeys>(name, payload).map(|request| request.keys);
    match name {
        "Get" => get(key()?),
        "Set" => {
            let request: OfSet = read(name, payload)?;
            let value = request.value.clone();
            set(request, || done(&Stored { value }))
        }
        "Add" => {
            let OfNumber { key, value } = read(name, payload)?;
            add(key, value, |value| done(&Sum { value }))
        }
        "Del" => clear(op::DELETE, key()?),
        "Clear" => clear(op::LIST_CLEAR, key()?),
        "KeyExists" => {
            existed(op::EXISTS, key()?, |exists| done(&Got { value: String::new(), exists }))
        }
        "Push" => push(read(name, payload)?, counted),
        "ListItemDelete" => remove_item(read(name, payload)?, 0, counted),
        "Range" => range::begin(read(name, payload)?, Shape::Map),
        "SetAdd" => change_set(op::SET_ADD, read(name, payload)?, counted),
        "SetRemove" => change_set(op::SET_REMOVE, read(name, payload)?, counted),
        "SetQuery" => members(op::SET_MEMBERS, &Key { key: key()? }, Shape::Map),
        "SetUnion" => members(op::SET_UNION, &SetKeys { keys: keys()? }, Shape::Map),
        "SetIntersection" => members(op::SET_INTERSECTION, &SetKeys { keys: keys()? }, Shape::Map),
        _ => Err(no_operation(NAME, name)),
    }
}

fn of_interface(name: &str, payload: &[u8]) -> Result<Step, Error> {
    let key = || read::<String>(name, payload);
    let keys = || read::<Vec<String>>(name, payload);
    match name {
        "Get" => get(key()?),
        "Set" => set(read(name, payload)?, done_silently),
        "Increment" => {
            let OfNumber { key, value } = read(name, payload)?;
            add(key, value, |value| done(&value))
        }
        // A set that is cleared is gone, and there is no operation that takes a set alone.
        "Del" | "SetClear" => existed(op::DELETE, key()?, |existed| done(&existed)),
        "Contains" => existed(op::EXISTS, key()?, |exists| done(&exists)),
        "ListClear" => existed(op::LIST_CLEAR, key()?, |existed| done(&existed)),
        "ListAdd" => push(read(name, payload)?, |length| done(&count(length))),
        "ListDel" => remove_item(read(name, payload)?, 1, |removed| done(&(removed > 0))),
        "ListRange" => range::begin(read(name, payload)?, Shape::Bare),
        "SetAdd" => change_set(op::SET_ADD, read(name, payload)?, |new| done(&count(new))),
        "SetDel" => change_set(op::SET_REMOVE, read(name, payload)?, |gone| done(&count(gone))),
        "SetQuery" => members(op::SET_MEMBERS, &Key { key: key()? }, Shape::Bare),
        "SetUnion" => members(op::SET_UNION, &SetKeys { keys: keys()? }, Shape::Bare),
        "SetIntersection" => members(op::SET_INTERSECTION, &SetKeys { keys: keys()? }, Shape::Bare),
        _ => Err(no_operation(NAME, name)),
    }
}

fn get(key: String) -> Result<Step, Error> {
    let what = format!("the value of {key:?}");
    step::ask(NAME, op::GET, &Key { key }, move |held: Value| match held.value {
        None => done(&Got { value: String::new(), exists: false }),
        Some(value) => done(&Got { value: text(&what, value.into_vec())?, exists: true }),
    })
}

fn set(
    request: OfSet,
    then: impl FnOnce() -> Result<Step, Error> + Send + 'static,
) -> Result<Step, Error> {
    let OfSet { key, value, expires } = request;
    let seconds = u64::try_from(expires).ok().filter(|seconds| *seconds > 0);
    let ttl_ms = seconds.map(|seconds| seconds.saturating_mul(1_000));
    let request = Set { key, value: value.into_bytes(), ttl_ms, condition: None };
    step::ask(NAME, op::SET, &request, |_: Written| then())
}

fn add(
    key: String,
    delta: i32,
    then: impl FnOnce(i32) -> Result<Step, Error> + Send + 'static,
) -> Result<Step, Error> {
    let request = Increment { key: key.clone(), delta: delta.into() };
    step::ask(NAME, op::INCREMENT, &request, move |Number { value }| {
        let sum = i32::try_from(value).map_err(|_| {
            let message = format!("{key:?} is {value} now, and older modules count to 32 bits");
            Error::started(ErrorCode::BadRequest, message)
        })?;
        then(sum)
    })
}

fn existed(
    operation: &'static str,
    key: String,
    then: impl FnOnce(bool) -> Result<Step, Error> + Send + 'static,
) -> Result<Step, Error> {
    step::ask(NAME, operation, &Key { key }, |was: Existed| then(was.existed))
}

fn clear(operation: &'static str, key: String) -> Result<Step, Error> {
    existed(operation, key.clone(), |_| done(&Cleared { key }))
}

fn push(
    request: OfValue,
    then: impl FnOnce(u64) -> Result<Step, Error> + Send + 'static,
) -> Result<Step, Error> {
    let OfValue { key, value } = request;
    let values = vec![ByteBuf::from(value)];
    let request = ListPush { key, values, side: ListSide::Back };
    step::ask(NAME, op::LIST_PUSH, &request, |list: Length| then(list.length))
}

/// Removes `most` of the values that are equal to one; 0 means all.
fn remove_item(
    request: OfValue,
    most: u32,
    then: impl FnOnce(u64) -> Result<Step, Error> + Send + 'static,
) -> Result<Step, Error> {
    let OfValue { key, value } = request;
    let request = ListRemove { key, value: value.into_bytes(), count: most };
    step::ask(NAME, op::LIST_REMOVE, &request, |removed: Length| then(removed.length))
}

fn change_set(
    operation: &'static str,
    request: OfValue,
    then: impl FnOnce(u64) -> Result<Step, Error> + Send + 'static,
) -> Result<Step, Error> {
    let OfValue { key, value } = request;
    let request = Members { key, members: vec![ByteBuf::from(value)] };
    step::ask(NAME, operation, &request, |changed: Length| then(changed.length))
}

fn members<Req: Message>(
    operation: &'static str,
    request: &Req,
    shape: Shape,
) -> Result<Step, Error> {
    step::ask(NAME, operation, request, move |list: MemberList| {
        listed(texts("a member of a set", list.members.into_iter().map(ByteBuf::into_vec))?, shape)
    })
}

fn counted(new: u64) -> Result<Step, Error> {
    done(&Count { new_count: count(new), new_count_too: count(new) })
}

/// Ends a call with values, in the form of the module.
pub(super) fn listed(values: Vec<String>, shape: Shape) -> Result<Step, Error> {
    match shape {
        Shape::Map => done(&Listed { values }),
        Shape::Bare => done(&values),
    }
}
