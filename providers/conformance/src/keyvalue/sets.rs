//! Sets.

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::keyvalue::{Contains, Length, MemberList, Members, operation};
use lattice_protocol::contract::limits::keyvalue as limits;
use lattice_protocol::contract::{ByteBuf, Existed};

use super::store::{Store, items};
use crate::Report;
use crate::checks::{ask, fails, same};

pub(super) async fn suite(report: &mut Report, store: &Store) {
    report.check("a set has each member once", members(store)).await;
    report.check("sets are joined and intersected", over(store)).await;
    report.check("a set has at most so many members", full(store)).await;
}

async fn listed(store: &Store, name: &str) -> Result<Vec<ByteBuf>, String> {
    let list: MemberList = ask(&store.link, operation::SET_MEMBERS, &store.of(name)).await?;
    let mut members = list.members;
    members.sort();
    Ok(members)
}

async fn has(store: &Store, name: &str, member: &[u8]) -> Result<bool, String> {
    let request = Contains { key: store.key(name), member: member.to_vec() };
    let existed: Existed = ask(&store.link, operation::SET_CONTAINS, &request).await?;
    Ok(existed.existed)
}

async fn members(store: &Store) -> Result<(), String> {
    same("added", store.add("members", &["a", "b", "a"]).await?, 2)?;
    same("added again", store.add("members", &["b", "c", ""]).await?, 2)?;
    same("the members", listed(store, "members").await?, items(&["", "a", "b", "c"]))?;
    same("whether it is a member", has(store, "members", b"a").await?, true)?;
    same("whether another is a member", has(store, "members", b"x").await?, false)?;
    same("whether nothing has a member", has(store, "no-members", b"a").await?, false)?;
    let remove = async |members: &[&str]| {
        let request = Members { key: store.key("members"), members: items(members) };
        let length: Length = ask(&store.link, operation::SET_REMOVE, &request).await?;
        Ok::<_, String>(length.length)
    };
    same("removed", remove(&["a", "x", ""]).await?, 2)?;
    same("the members", listed(store, "members").await?, items(&["b", "c"]))?;
    same("removed", remove(&["b", "c"]).await?, 2)?;
    same("whether an empty set is there", store.exists("members").await?, false)?;
    same("the members of nothing", listed(store, "members").await?, items(&[]))
}

async fn over(store: &Store) -> Result<(), String> {
    store.add("one", &["a", "b", "c"]).await?;
    store.add("two", &["b", "c", "d"]).await?;
    store.add("three", &["c", "e"]).await?;
    let all = ["one", "two", "three"];
    let union = store.over(operation::SET_UNION, &all).await?;
    same("the union", union, items(&["a", "b", "c", "d", "e"]))?;
    let common = store.over(operation::SET_INTERSECTION, &all).await?;
    same("the intersection", common, items(&["c"]))?;
    let with_nothing = ["one", "no-set"];
    let union = store.over(operation::SET_UNION, &with_nothing).await?;
    same("the union with nothing", union, items(&["a", "b", "c"]))?;
    let common = store.over(operation::SET_INTERSECTION, &with_nothing).await?;
    same("the intersection with nothing", common, items(&[]))
}

async fn full(store: &Store) -> Result<(), String> {
    let add = async |from: usize, count: usize| {
        let members = (from..from + count).map(|n| ByteBuf::from(n.to_string().into_bytes()));
        let request = Members { key: store.key("full"), members: members.collect() };
        store.link.ask::<Length>(operation::SET_ADD, &request).await
    };
    for from in (0..limits::SET_MEMBERS_MAX).step_by(limits::ITEMS_MAX) {
        add(from, limits::ITEMS_MAX).await.map_err(|error| error.to_string())?;
    }
    same("how many there are", listed(store, "full").await?.len(), limits::SET_MEMBERS_MAX)?;
    let one_more = add(limits::SET_MEMBERS_MAX - 1, 2).await;
    fails("one member more", one_more, &[ErrorCode::LimitExceeded])?;
    same("how many there are", listed(store, "full").await?.len(), limits::SET_MEMBERS_MAX)?;
    let again = add(0, 10).await.map_err(|error| error.to_string())?;
    same("added of what is there", again.length, 0)
}
