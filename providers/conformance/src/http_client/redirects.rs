//! Redirects: followed as often as the request asks for, and no further than the link permits.

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::Headers;
use lattice_protocol::contract::http_client::Request;

use super::asking::{Checked, fails, get, response, same, text};
use super::server::Server;
use crate::{Link, Report};

pub(super) async fn run(report: &mut Report, link: &Link, server: &Server, other: &Server) {
    report.check("a redirect that nobody asked to follow is a response", none(link, server)).await;
    report.check("redirects are followed as often as asked", followed(link, server)).await;
    report.check("a loop ends with a response", looped(link, server)).await;
    report.check("method and body go on as the status says", method(link, server)).await;
    report.check("credentials stay with their origin", credentials(link, server, other)).await;
    report.check("a redirect leads nowhere else", forbidden(link, server)).await;
}

async fn none(link: &Link, server: &Server) -> Checked {
    let answer = response(link, &get(server.url("/to?/body"))).await?;
    same("the status", answer.status, 302)?;
    same("the location", answer.headers.text("location"), Some("/body"))?;
    same("the body", text(&answer).as_str(), "there")?;
    same("the URL", answer.url, None)
}

async fn followed(link: &Link, server: &Server) -> Checked {
    let twice = server.url("/to?/to?/echo");
    let once = Request { redirects: 1, ..get(twice.clone()) };
    let answer = response(link, &once).await?;
    same("the status after one of two", answer.status, 302)?;
    same("the URL after one of two", answer.url, Some(server.url("/to?/echo")))?;
    for redirects in [2, 10] {
        let answer = response(link, &Request { redirects, ..get(twice.clone()) }).await?;
        same("the status after both", answer.status, 200)?;
        same("the URL after both", answer.url, Some(server.url("/echo")))?;
    }
    Ok(())
}

async fn looped(link: &Link, server: &Server) -> Checked {
    let before = server.requests();
    // It leads to itself: what is asked for last is the same again.
    let request = Request { redirects: 10, ..get(server.url("/self")) };
    let answer = response(link, &request).await?;
    same("the status", answer.status, 302)?;
    same("the number of requests", server.requests() - before, 11)
}

async fn method(link: &Link, server: &Server) -> Checked {
    let headers = Headers::new().with("content-type", "text/plain");
    for (path, line, kept) in [
        ("/to?/echo", "GET /echo HTTP/1.1", false),
        ("/to303?/echo", "GET /echo HTTP/1.1", false),
        ("/to307?/echo", "POST /echo HTTP/1.1", true),
    ] {
        let request = Request {
            method: "POST".into(),
            headers: headers.clone(),
            body: b"the body".to_vec(),
            redirects: 1,
            ..get(server.url(path))
        };
        let sent = text(&response(link, &request).await?);
        same(path, sent.lines().next().unwrap_or_default(), line)?;
        same("whether the body went on", sent.ends_with("the body"), kept)?;
        same("whether its type went on", sent.contains("text/plain"), kept)?;
    }
    Ok(())
}

async fn credentials(link: &Link, server: &Server, other: &Server) -> Checked {
    let headers = Headers::new()
        .with("authorization", "Bearer secret")
        .with("cookie", "secret=1")
        .with("x-other", "stays");
    for (to, kept) in [("/echo".to_owned(), true), (other.url("/echo"), false)] {
        let url = server.url(&format!("/to?{to}"));
        let request = Request { headers: headers.clone(), redirects: 1, ..get(url) };
        let sent = text(&response(link, &request).await?);
        same("whether other headers went on", sent.contains("stays"), true)?;
        same(&format!("whether credentials went to {to}"), sent.contains("secret"), kept)?;
    }
    Ok(())
}

async fn forbidden(link: &Link, server: &Server) -> Checked {
    let port = server.at.port();
    for to in [format!("http://localhost:{port}/echo"), "http://example.com/".into()] {
        let request = Request { redirects: 1, ..get(server.url(&format!("/to?{to}"))) };
        fails(link, &request, ErrorCode::Unauthorized, true).await?;
    }
    let request = Request { redirects: 1, ..get(server.url("/to?file:///etc/passwd")) };
    let answer = response(link, &request).await?;
    same("a redirect to a file", (answer.status, text(&answer).as_str()), (302, "there"))
}
