//! `mesh:http-client`: asked for requests to a server that the suite starts on loopback, so the
//! provider must run on the same machine.

mod asking;
mod bounds;
mod permission;
mod redirects;
mod requests;
mod server;

use crate::{Link, Report};
use server::Server;

/// Examines a provider over a link that permits the host `127.0.0.1` at any port and no other, and
/// over one, `refused`, that permits every host at public addresses alone.
pub async fn suite(link: &Link, refused: &Link) -> Report {
    let mut report = Report::default();
    let servers =
        async { Ok::<_, std::io::Error>((Server::start().await?, Server::start().await?)) };
    let (server, other) = match servers.await {
        Ok(servers) => servers,
        Err(error) => {
            let failed = async { Err(format!("no server can be started: {error}")) };
            report.check("there is a server to ask", failed).await;
            return report;
        }
    };
    requests::run(&mut report, link, &server).await;
    redirects::run(&mut report, link, &server, &other).await;
    permission::run(&mut report, link, refused, &server).await;
    bounds::run(&mut report, link, &server).await;
    report
}
