//! What a scenario waits for, and how it asks nodes.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use lattice_protocol::control::Inventory;
use lattice_protocol::keys::NodeKey;
use lattice_protocol::subjects::{ControlVerb, Subject};

use super::{Bed, Member};
use crate::faults::OpenLoad;
use crate::harness::{wait_for, wait_until};
use crate::testbed::SOON;

impl Bed {
    /// Asks one node what it is and serves.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn inventory(&self, node: &NodeKey) -> anyhow::Result<Inventory> {
        let name = self.direct.name().clone();
        let subject = Subject::Control(name, node.clone(), ControlVerb::Inventory);
        let request = self.direct.nats().request(subject.to_string(), Bytes::new()).await;
        Ok(Inventory::decode(&request?.payload)?)
    }

    /// Waits until every node serves the revision that was deployed last.
    ///
    /// # Errors
    /// When one does not in time.
    pub async fn wait_until_served(&self) -> anyhow::Result<()> {
        for member in &self.members {
            self.wait_until_serves(member).await?;
        }
        Ok(())
    }

    /// Waits until one node serves the revision that was deployed last.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn wait_until_serves(&self, member: &Member) -> anyhow::Result<()> {
        let what = format!("{} serves revision {}", member.key(), self.revision);
        wait_for(&what, SOON, async || {
            let served = self.inventory(member.key()).await?.heartbeat.actors;
            let actor = served.iter().find(|actor| actor.key == *self.ledger.key());
            let found = actor.context("it does not serve the ledger")?.revision;
            ensure!(found == self.revision, "it serves revision {found}");
            Ok(())
        })
        .await
    }

    /// Waits until one node serves the ledger no more.
    ///
    /// # Errors
    /// When it still does after a while.
    pub async fn wait_until_left(&self, node: &NodeKey) -> anyhow::Result<()> {
        wait_until(&format!("{node} serves the ledger no more"), SOON, async || {
            let inventory = self.inventory(node).await;
            inventory.is_ok_and(|it| {
                it.heartbeat.actors.iter().all(|actor| actor.key != *self.ledger.key())
            })
        })
        .await
    }

    /// Waits until a node has taken in every change of the registry up to `at`.
    ///
    /// # Errors
    /// When it has not in time.
    pub async fn wait_until_knows(&self, node: &NodeKey, at: u64) -> anyhow::Result<()> {
        wait_until(&format!("{node} knows of registry revision {at}"), SOON, async || {
            self.inventory(node).await.is_ok_and(|it| it.registry_at.is_some_and(|now| now >= at))
        })
        .await
    }

    /// Waits until a load has an answer of `revision` from each of `nodes`; returns how long that
    /// took.
    ///
    /// # Errors
    /// When it has not in time.
    pub async fn wait_until_answered(
        &self,
        load: &OpenLoad,
        nodes: &[&NodeKey],
        revision: u64,
    ) -> anyhow::Result<Duration> {
        let since = std::time::Instant::now();
        let what = format!("an answer of revision {revision} from each of {} nodes", nodes.len());
        wait_until(&what, SOON, async || {
            nodes.iter().all(|node| load.seen_since(node.as_str(), since) >= Some(revision))
        })
        .await?;
        Ok(since.elapsed())
    }

    /// Waits until no call runs on any node.
    pub(super) async fn wait_until_idle(&self) -> anyhow::Result<()> {
        for member in &self.members {
            wait_until("no call to run", SOON, async || {
                let inventory = self.inventory(member.key()).await;
                inventory.is_ok_and(|it| it.heartbeat.in_flight == 0)
            })
            .await?;
        }
        Ok(())
    }
}
