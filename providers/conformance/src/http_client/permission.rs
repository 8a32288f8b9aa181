//! Hosts and addresses that a link does not permit, however they are written.

use std::net::SocketAddr;

use lattice_protocol::ErrorCode;

use super::asking::{Checked, fails, get, response, same};
use super::server::Server;
use crate::{Link, Report};

pub(super) async fn run(report: &mut Report, link: &Link, refused: &Link, server: &Server) {
    report.check("a host that the link does not name is refused", hosts(link, server)).await;
    report.check("an odd form of a host that it names is that host", forms(link, server)).await;
    report
        .check(
            "no address beside the machine is reached, however written",
            private(refused, server),
        )
        .await;
}

async fn hosts(link: &Link, server: &Server) -> Checked {
    let port = server.at.port();
    for host in ["localhost", "127.0.0.2", "[::1]", "example.com", "127.0.0.1.example.com"] {
        let url = format!("http://{host}:{port}/echo");
        fails(link, &get(url), ErrorCode::Unauthorized, false).await?;
    }
    Ok(())
}

async fn forms(link: &Link, server: &Server) -> Checked {
    let port = server.at.port();
    for host in ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1."] {
        let answer = response(link, &get(format!("http://{host}:{port}/status?204"))).await;
        same(host, answer.map(|answer| answer.status), Ok(204))?;
    }
    Ok(())
}

async fn private(refused: &Link, server: &Server) -> Checked {
    let SocketAddr::V4(at) = server.at else { return Err("the server has no IPv4".into()) };
    let before = server.requests();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "127.8.8.8",
        "0",
        "0.0.0.0",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "localhost",
        "LOCALHOST",
    ] {
        let url = format!("http://{host}:{}/echo", at.port());
        fails(refused, &get(url), ErrorCode::Unauthorized, false).await?;
    }
    same("the number of requests that arrived", server.requests() - before, 0)
}
