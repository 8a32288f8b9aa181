//! `blobstore-nats`: the provider in a process of its own.

fn main() -> std::process::ExitCode {
    mesh_provider::process::main(mesh_blobstore_nats::ABOUT, |_| {
        Box::new(|context| Box::pin(async move { Ok(mesh_blobstore_nats::provider(&context)) }))
    })
}
