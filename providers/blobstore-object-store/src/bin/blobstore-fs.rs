//! `blobstore-fs`: the provider in a process of its own.

use mesh_blobstore_object_store::fs::{ABOUT, provider};

fn main() -> std::process::ExitCode {
    mesh_provider::process::main(ABOUT, |_| {
        Box::new(|context| Box::pin(async move { Ok(provider(&context)) }))
    })
}
