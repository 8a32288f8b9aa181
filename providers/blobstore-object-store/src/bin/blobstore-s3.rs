//! `blobstore-s3`: the provider in a process of its own.

use mesh_blobstore_object_store::s3::{ABOUT, provider};

fn main() -> std::process::ExitCode {
    mesh_provider::process::main(ABOUT, |_| {
        Box::new(|context| Box::pin(async move { Ok(provider(&context)) }))
    })
}
