//! HTTP requests to an actor, against a bare HTTP server that says the same, and against
//! `wasmtime serve` with a component that does.

use std::net::SocketAddr;
use std::process::Command;

use integration::bench::findings::Findings;
use integration::harness::{Meshctl, actor_module_bytes, free_port};
use integration::testbed::Testbed;
use lattice_protocol::record::Isolation;

use super::Context;
use super::baselines::{self, NOT_INSTALLED};
use super::echo::deploy;
use super::http_subject::{COLUMNS, RATIOS, Subject};
use super::servers::HELLO;
use super::trio::{FRESH, REUSE, node_options};

const RAW: &str = "bare hyper";
const SERVE: &str = "wasmtime serve";
const SERVE_REUSE: &str = "wasmtime serve with reuse";
/// Requests that one instance of `wasmtime serve` may answer where it may be used again.
const REUSES: &str = "128";

fn judge(status: u16, body: &[u8]) -> Result<String, String> {
    let said = status == 200 && body == HELLO;
    said.then(|| "hello".to_owned()).ok_or_else(|| format!("{status}"))
}

/// Measures all of them.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let bed = Testbed::start("bench").await?;
    let http = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let node = node_options(&bed, context)?.arg("--http").arg(http.to_string());
    let mut node = node.start(bed.lattice().nats()).await?;
    let user = Meshctl::new(&bed.url(), bed.name().as_str())?;
    let raw = Subject::start("raw-http", judge, |address| {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("raw-http").arg(address.to_string());
        Ok(command)
    });
    let mut subjects = vec![(RAW.to_owned(), raw.await?)];
    let wasm = actor_module_bytes("hello")?;
    for (name, path, isolation) in
        [(FRESH, "/fresh", Isolation::PerCall), (REUSE, "/reuse", Isolation::Reuse)]
    {
        let actor = deploy(bed.lattice(), name, &wasm, isolation, &["mesh:http"]).await?;
        let (key, path_is) = (actor.key().as_str(), format!("path={path}"));
        let link = ["link", "put", key, "mesh:http", "http-server", "--config", &path_is];
        user.ok(&link).await?;
        let subject = Subject::of(http, path, judge, node.process().pid());
        subject.wait().await?;
        subjects.push((name.to_owned(), subject));
    }
    match baselines::wasmtime() {
        Some((program, component)) => {
            let reuse: &[&str] = &["--max-instance-reuse-count", REUSES];
            for (name, options) in [(SERVE, &[][..]), (SERVE_REUSE, reuse)] {
                let serve = Subject::start(name, judge, |address| {
                    let mut command = Command::new(&program);
                    command.args(["serve", "--addr", &address.to_string()]);
                    command.args(options).arg(&component);
                    Ok(command)
                });
                subjects.push((name.to_owned(), serve.await?));
            }
        }
        None => found.missing.push(format!("{SERVE}: {NOT_INSTALLED}")),
    }
    let connections = context.options.connections;
    let title = format!("hello, {connections} connections");
    let measure = async |subject: &mut Subject| subject.measure(context).await;
    let turns = context.rounds.in_turns(title, &mut subjects, measure).await?;
    for (actor, baseline) in [(FRESH, RAW), (FRESH, SERVE), (REUSE, SERVE_REUSE)] {
        let ratio = turns.ratio(actor, baseline, "per_second");
        found.look(&format!("{actor} / {baseline}: throughput"), ratio);
    }
    found.tables.push(turns.table(&COLUMNS, &RATIOS));
    found.note(format!(
        "fresh and reuse are an actor of a node; {SERVE_REUSE} is `--max-instance-reuse-count {REUSES}`"
    ));
    found.turns.push(turns);
    Ok(())
}
