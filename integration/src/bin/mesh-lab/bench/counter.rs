//! HTTP requests that an actor counts in the embedded store, beside a native program that counts
//! them in the same store.

use std::net::SocketAddr;
use std::process::Command;

use integration::bench::findings::Findings;
use integration::harness::{Meshctl, actor_module_bytes, free_port};
use integration::testbed::Testbed;
use lattice_protocol::record::Isolation;

use super::Context;
use super::echo::deploy;
use super::http_subject::{COLUMNS, RATIOS, Subject};
use super::trio::{REUSE, node_options};

const NATIVE: &str = "native";
const ACTOR: &str = "actor";

/// Takes what both answer: `{"path":…,"count":…}`.
fn judge(status: u16, body: &[u8]) -> Result<String, String> {
    let counts = serde_json::from_slice::<serde_json::Value>(body)
        .is_ok_and(|said| said.get("count").is_some_and(serde_json::Value::is_u64));
    let counted = status == 200 && counts;
    counted.then(|| "count".to_owned()).ok_or_else(|| format!("{status}"))
}

/// Measures the native one, and the actor with fresh memory and without.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let bed = Testbed::start("bench").await?;
    let http = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    // The provider is there where it has a folder, even if the store is in memory.
    let data = tempfile::Builder::new().prefix("mesh-bench-").tempdir()?;
    let node = node_options(&bed, context)?.arg("--http").arg(http.to_string());
    let node = node.arg("--data").arg(data.path());
    let mut node = node.start(bed.lattice().nats()).await?;
    let native = Subject::start("raw-counter", judge, |address| {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("raw-counter").arg(address.to_string()).arg(bed.url());
        Ok(command)
    });
    let mut subjects = vec![(NATIVE.to_owned(), native.await?)];
    let user = Meshctl::new(&bed.url(), bed.name().as_str())?;
    let (wasm, contracts) = (actor_module_bytes("counter")?, ["mesh:http", "mesh:keyvalue"]);
    for (name, path, isolation) in
        [(ACTOR, "/fresh", Isolation::PerCall), (REUSE, "/reuse", Isolation::Reuse)]
    {
        let actor = deploy(bed.lattice(), name, &wasm, isolation, &contracts).await?;
        let path_is = format!("path={path}");
        for [contract, provider, config] in [
            ["mesh:keyvalue", "keyvalue-embedded", "database=:memory:"],
            ["mesh:http", "http-server", &path_is],
        ] {
            let link = ["link", "put", actor.key().as_str(), contract, provider];
            user.ok(&[&link[..], &["--config", config]].concat()).await?;
        }
        let subject = Subject::of(http, path, judge, node.process().pid());
        subject.wait().await?;
        subjects.push((name.to_owned(), subject));
    }
    let title = format!("counter, {} connections", context.options.connections);
    let measure = async |subject: &mut Subject| subject.measure(context).await;
    let turns = context.rounds.in_turns(title, &mut subjects, measure).await?;
    found.look("actor / native: throughput", turns.ratio(ACTOR, NATIVE, "per_second"));
    found.tables.push(turns.table(&COLUMNS, &RATIOS));
    found.note("native is hyper and the provider keyvalue-embedded in one program; both count in memory; reuse is the actor where its instances are used again");
    found.turns.push(turns);
    Ok(())
}
