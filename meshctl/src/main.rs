//! `meshctl`: see [`meshctl`] and `meshctl --help`.

fn main() -> std::process::ExitCode {
    meshctl::main()
}
