//! Each operation is atomic, however many run at once.

use std::collections::BTreeSet;
use std::time::Duration;

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::keyvalue::operation::SET_UNION;
use lattice_protocol::contract::keyvalue::{Condition, ListSide};
use tokio::task::JoinSet;

use super::desk::{Desk, Told, items, same};
use super::{Outcome, check};
use crate::{Link, Report};

/// Callers at once.
const CALLERS: usize = 24;
/// What each of them does, one after the other.
const ROUNDS: usize = 20;
/// How often a caller comes back to a store that is busy.
const BUSY_MAX: usize = 200;
/// Pause before it does.
const BUSY_PAUSE_MS: u64 = 5;
/// Sets that are united; all but the first and the last are empty.
const UNITED: usize = 32;
/// Pause between two moves of a member from one to the other: a store may need a while without changes.
const MOVE_PAUSE_MS: u64 = 60;

pub async fn checks(report: &mut Report, desk: &Desk) {
    let desk = &desk.beside(&patient(&desk.link));
    check(report, "no increment is lost, and each has its own sum", increments(desk)).await;
    check(report, "no compare_and_set is lost", swaps(desk)).await;
    check(report, "one of many writes what is absent", absent(desk)).await;
    check(report, "one of many deletes", deletes(desk)).await;
    check(report, "no value of a list is lost or taken twice", queue(desk)).await;
    check(report, "members are new to one of many", members(desk)).await;
    check(report, "a set never exceeds its bound", bound(desk)).await;
    check(report, "sets are united as they are at one time", united(desk)).await;
}

/// Runs callers at once, each on a task of its own, and collects what they found.
async fn all<T: Send + 'static, F: Future<Output = Result<T, String>> + Send + 'static>(
    desk: &Desk,
    caller: impl Fn(Desk, usize) -> F,
) -> Result<Vec<T>, String> {
    let mut tasks = JoinSet::new();
    for number in 0..CALLERS {
        tasks.spawn(caller(desk.clone(), number));
    }
    let mut found = Vec::new();
    while let Some(task) = tasks.join_next().await {
        found.push(task.map_err(|error| error.to_string())??);
    }
    Ok(found)
}

/// Asks until the store is not busy: it may say so, as long as it has done nothing.
fn patient(link: &Link) -> Link {
    let link = link.clone();
    Link::new(move |operation, message| {
        let link = link.clone();
        async move {
            for _ in 0..BUSY_MAX {
                match link.raw(&operation, message.clone()).await {
                    Err(error) if error.code == ErrorCode::Busy && !error.started => {}
                    other => return other,
                }
                tokio::time::sleep(Duration::from_millis(BUSY_PAUSE_MS)).await;
            }
            link.raw(&operation, message).await
        }
    })
}

async fn increments(desk: &Desk) -> Outcome {
    let key = desk.key("race-count");
    let sums = all(desk, |desk, _| {
        let key = key.clone();
        async move {
            let mut sums = Vec::new();
            for _ in 0..ROUNDS {
                let sum = desk.increment(&key, 1).await;
                sums.push(sum.told("increment")?);
            }
            let rising = sums.is_sorted();
            same("sums of one caller rise", rising, true)?;
            Ok(sums)
        }
    });
    let sums: BTreeSet<i64> = sums.await?.into_iter().flatten().collect();
    let count = (CALLERS * ROUNDS) as i64;
    same("different sums", sums, (1..=count).collect())?;
    same("the sum", desk.get(&key).await.told("get")?, Some(count.to_string().into_bytes()))
}

async fn swaps(desk: &Desk) -> Outcome {
    let key = desk.key("race-swap");
    desk.set(&key, "0").await.told("set")?;
    all(desk, |desk, _| {
        let key = key.clone();
        async move {
            let mut held = desk.get(&key).await.told("get")?.unwrap_or_default();
            let mut done = 0;
            while done < ROUNDS / 4 {
                let text = String::from_utf8_lossy(&held).into_owned();
                let number: u64 = text.parse().map_err(|_| format!("it holds {text:?}"))?;
                let next = (number + 1).to_string();
                let swap = desk.compare_and_set(&key, Some(&held), &next, None).await;
                match swap.told("compare_and_set")? {
                    (true, _) => {
                        done += 1;
                        held = next.into_bytes();
                    }
                    (false, Some(current)) => held = current,
                    (false, None) => return Err("it holds nothing".into()),
                }
            }
            Ok(())
        }
    })
    .await?;
    let sum = (CALLERS * (ROUNDS / 4)).to_string().into_bytes();
    same("the sum", desk.get(&key).await.told("get")?, Some(sum))
}

async fn absent(desk: &Desk) -> Outcome {
    for (name, by_condition) in [("race-absent", true), ("race-absent-swap", false)] {
        let key = desk.key(name);
        let winners = all(desk, |desk, number| {
            let key = key.clone();
            async move {
                let value = number.to_string();
                let condition = Some(Condition::Absent);
                let won = if by_condition {
                    desk.set_for(&key, &value, None, condition).await
                } else {
                    desk.compare_and_set(&key, None, &value, None).await.map(|(won, _)| won)
                };
                let won = won.told(&value)?;
                Ok(won.then_some(value.into_bytes()))
            }
        });
        let winners: Vec<Vec<u8>> = winners.await?.into_iter().flatten().collect();
        let held = desk.get(&key).await.told("get")?;
        same("winners", winners, held.into_iter().collect())?;
    }
    Ok(())
}

async fn deletes(desk: &Desk) -> Outcome {
    let key = desk.key("race-delete");
    for by_value in [true, false] {
        desk.set(&key, "v").await.told("set")?;
        let won = all(desk, |desk, _| {
            let key = key.clone();
            async move {
                let won = if by_value {
                    desk.compare_and_delete(&key, "v").await.map(|(won, _)| won)
                } else {
                    desk.delete(&key).await
                };
                won.told("delete")
            }
        });
        let won = won.await?.into_iter().filter(|won| *won).count();
        same("winners", won, 1)?;
    }
    Ok(())
}

async fn queue(desk: &Desk) -> Outcome {
    let key = desk.key("race-queue");
    let taken = all(desk, |desk, number| {
        let key = key.clone();
        async move {
            let mut taken = Vec::new();
            for round in 0..ROUNDS / 2 {
                let values = [format!("{number}-{round}-a"), format!("{number}-{round}-b")];
                desk.push(&key, ListSide::Back, &values).await.told("list_push")?;
                taken.extend(desk.pop(&key, ListSide::Front, 1).await.told("list_pop")?);
            }
            Ok(taken)
        }
    });
    let mut taken: Vec<_> = taken.await?.into_iter().flatten().collect();
    let half = CALLERS * (ROUNDS / 2);
    same("taken", taken.len(), half)?;
    same("left", desk.list_length(&key).await.told("list_length")?, half as u64)?;
    taken.extend(desk.pop(&key, ListSide::Front, 1_000).await.told("list_pop")?);
    let different: BTreeSet<_> = taken.into_iter().collect();
    same("different values", different.len(), 2 * half)
}

async fn members(desk: &Desk) -> Outcome {
    let key = desk.key("race-members");
    let added = all(desk, |desk, number| {
        let key = key.clone();
        async move {
            let mut new = 0;
            for round in 0..ROUNDS / 2 {
                let members = [format!("{}", number % 3 + round), format!("own-{number}-{round}")];
                new += desk.set_add(&key, &members).await.told("set_add")?;
            }
            Ok(new)
        }
    });
    let added: u64 = added.await?.into_iter().sum();
    let found = desk.set_members(&key).await.told("set_members")?.len() as u64;
    same("what was new is what is there", added, found)
}

/// Moves a member to and fro between two sets, so that one of them always has it: so must their union.
async fn united(desk: &Desk) -> Outcome {
    let keys: Vec<String> = (0..UNITED).map(|n| desk.key(&format!("race-union-{n:02}"))).collect();
    let [one, .., two] = keys.as_slice() else { return Err("there are no keys".into()) };
    let backwards: Vec<String> = keys.iter().rev().cloned().collect();
    desk.set_add(one, ["moved"]).await.told("set_add")?;
    let moving = async {
        for _ in 0..ROUNDS {
            for (from, to) in [(one, two), (two, one)] {
                desk.set_add(to, ["moved"]).await.told("set_add")?;
                desk.set_remove(from, ["moved"]).await.told("set_remove")?;
                tokio::time::sleep(Duration::from_millis(MOVE_PAUSE_MS)).await;
            }
        }
        Ok(())
    };
    let mut moving = std::pin::pin!(moving);
    let mut turn = 0;
    loop {
        // Whichever of the two is read first.
        turn += 1;
        let order = if turn % 2 == 0 { &keys } else { &backwards };
        let asking = async {
            let found = desk.of_sets(SET_UNION, order).await.told("set_union")?;
            same("the union", found, items(["moved"]))
        };
        let mut asking = std::pin::pin!(asking);
        tokio::select! {
            asked = &mut asking => asked?,
            moved = &mut moving => {
                asking.await?;
                return moved;
            }
        }
    }
}

async fn bound(desk: &Desk) -> Outcome {
    let key = desk.key("race-bound");
    let outcomes = all(desk, |desk, number| {
        let key = key.clone();
        async move {
            let members: Vec<String> = (0..700).map(|n| format!("{number:02}-{n:03}")).collect();
            match desk.set_add(&key, &members).await {
                Ok(added) => Ok(added),
                Err(error) if error.code == ErrorCode::LimitExceeded => Ok(0),
                Err(error) => Err(format!("set_add: {error}")),
            }
        }
    });
    let added: u64 = outcomes.await?.into_iter().sum();
    let found = desk.set_members(&key).await.told("set_members")?.len() as u64;
    // 14 of the callers fit, whichever they are.
    same("members", (added, found), (9_800, 9_800))
}
