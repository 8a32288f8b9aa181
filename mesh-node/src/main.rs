//! `mesh-node`: see [`mesh_node`] for what it does.

fn main() -> std::process::ExitCode {
    mesh_node::main()
}
