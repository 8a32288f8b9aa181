//! `http-client`: the provider in a process of its own.

fn main() -> std::process::ExitCode {
    mesh_provider::process::main(mesh_http_client::ABOUT, |_| {
        Box::new(|context| Box::pin(async move { Ok(mesh_http_client::provider(&context)) }))
    })
}
