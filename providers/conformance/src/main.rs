//! `mesh-conformance`: see [`mesh_conformance`] for what it does.

fn main() -> std::process::ExitCode {
    mesh_conformance::main()
}
