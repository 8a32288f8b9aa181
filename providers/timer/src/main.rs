//! `timer`: the provider in a process of its own.

fn main() -> std::process::ExitCode {
    mesh_provider::process::main(mesh_timer::ABOUT, |_| {
        Box::new(|context| Box::pin(async move { Ok(mesh_timer::provider(&context)) }))
    })
}
