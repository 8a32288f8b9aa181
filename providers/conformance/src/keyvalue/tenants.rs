//! Two tenants of one store.

use lattice_protocol::contract::keyvalue::ListSide;

use super::store::{Store, items};
use crate::checks::same;
use crate::{Link, Report};

pub(super) async fn suite(report: &mut Report, store: &Store, other: &Link) {
    let other = Store { link: other.clone(), run: store.run.clone() };
    report.check("tenants are apart", apart(store, &other)).await;
    report.check("no key leads to another tenant", tricks(store, &other)).await;
}

async fn apart(store: &Store, other: &Store) -> Result<(), String> {
    store.set("shared", b"mine").await?;
    other.holds("shared", None).await?;
    same("whether another's key is there", other.exists("shared").await?, false)?;
    other.set("shared", b"theirs").await?;
    store.holds("shared", Some(b"mine")).await?;
    same("whether another's key was removed", other.delete("shared").await?, true)?;
    store.holds("shared", Some(b"mine")).await?;
    store.push("shared-list", &["mine"], ListSide::Back).await?;
    same(
        "taken of another's list",
        other.pop("shared-list", ListSide::Back, 1).await?,
        items(&[]),
    )?;
    store.add("shared-set", &["mine"]).await?;
    let union = lattice_protocol::contract::keyvalue::operation::SET_UNION;
    same("another's set", other.over(union, &["shared-set"]).await?, items(&[]))?;
    same("what another counts", other.increment("shared-count", 1).await, Ok(1))?;
    same("what this one counts", store.increment("shared-count", 5).await, Ok(5))?;
    let page = other.page(&store.key(""), None, Some(1_000)).await?;
    let seen: Vec<&String> = page.keys.iter().filter(|key| !key.contains("shared-count")).collect();
    same("another's keys", seen, vec![])
}

/// Keys that would lead elsewhere if they were put behind a prefix as they are.
async fn tricks(store: &Store, other: &Store) -> Result<(), String> {
    store.set("secret", b"mine").await?;
    let secret = store.key("secret");
    for before in
        ["", "/", ":", ".", "a", "a:", "a/", "b:", "../a/", "..:a:", "mesh:a:", "%61:", "\\"]
    {
        let key = format!("{before}{secret}");
        let found: lattice_protocol::contract::keyvalue::Value = other
            .link
            .ask("get", &lattice_protocol::contract::keyvalue::Key { key: key.clone() })
            .await
            .map_err(|error| format!("{key}: {error}"))?;
        same(&format!("what {key:?} holds for another"), found.value, None)?;
    }
    for prefix in ["", "*", "?", "[", "\\", ":", "a"] {
        let mut cursor = None;
        for _ in 0..100 {
            let page = other.page(prefix, cursor, Some(1_000)).await?;
            let seen = page.keys.iter().any(|key| key.contains(&secret));
            same(&format!("whether {prefix:?} lists another's"), seen, false)?;
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(())
}
