//! `http-server`: the provider in a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use mesh_http_server::{ABOUT, HttpServer, Options, TlsFiles};
use mesh_provider::Provider;
use mesh_provider::process::{Make, main_with};

/// Where to listen.
#[derive(Clone, Debug, Args)]
struct Listen {
    /// Address to serve HTTP at
    #[arg(long, env = "MESH_HTTP", default_value = "127.0.0.1:8080", value_name = "ADDR")]
    http: SocketAddr,
    /// Certificate chain for HTTPS, as a PEM file
    #[arg(long, value_name = "FILE", requires = "http_tls_key")]
    http_tls_cert: Option<PathBuf>,
    /// Key of that certificate, as a PEM file
    #[arg(long, value_name = "FILE", requires = "http_tls_cert")]
    http_tls_key: Option<PathBuf>,
}

fn main() -> std::process::ExitCode {
    main_with::<Listen>(ABOUT, make)
}

fn make(listen: &Listen) -> Make<'static> {
    let tls = listen.http_tls_cert.clone().zip(listen.http_tls_key.clone());
    let tls = tls.map(|(cert, key)| TlsFiles { cert, key });
    let options = Options::new(listen.http, tls);
    Box::new(|context| {
        Box::pin(async move {
            let server = HttpServer::start(&context, options).await?;
            Ok(server as Arc<dyn Provider>)
        })
    })
}
