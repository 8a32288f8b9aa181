//! The rest of WASI: files, sockets and signals, which actors have not.

use wasmtime::Linker;

use super::errno;
use crate::state::State;

/// Adds functions that do nothing but return an error number.
macro_rules! refuse {
    ($linker:expr, $module:expr, $errno:expr, { $($name:literal($($parameter:ty),*);)* }) => {
        $($linker.func_wrap($module, $name, |$(_: $parameter),*| $errno)?;)*
    };
}

pub(super) fn link(linker: &mut Linker<State>, module: &str) -> wasmtime::Result<()> {
    refuse!(linker, module, errno::BADF, {
        "fd_advise"(i32, i64, i64, i32);
        "fd_allocate"(i32, i64, i64);
        "fd_fdstat_set_rights"(i32, i64, i64);
        "fd_filestat_get"(i32, i32);
        "fd_filestat_set_size"(i32, i64);
        "fd_filestat_set_times"(i32, i64, i64, i32);
        "fd_pread"(i32, i32, i32, i64, i32);
        "fd_prestat_get"(i32, i32);
        "fd_prestat_dir_name"(i32, i32, i32);
        "fd_pwrite"(i32, i32, i32, i64, i32);
        "fd_readdir"(i32, i32, i32, i64, i32);
        "fd_renumber"(i32, i32);
        "path_create_directory"(i32, i32, i32);
        "path_filestat_get"(i32, i32, i32, i32, i32);
        "path_filestat_set_times"(i32, i32, i32, i32, i64, i64, i32);
        "path_link"(i32, i32, i32, i32, i32, i32, i32);
        "path_open"(i32, i32, i32, i32, i32, i64, i64, i32, i32);
        "path_readlink"(i32, i32, i32, i32, i32, i32);
        "path_remove_directory"(i32, i32, i32);
        "path_rename"(i32, i32, i32, i32, i32, i32);
        "path_symlink"(i32, i32, i32, i32, i32);
        "path_unlink_file"(i32, i32, i32);
        "sock_accept"(i32, i32, i32);
        "sock_recv"(i32, i32, i32, i32, i32, i32);
        "sock_send"(i32, i32, i32, i32, i32);
        "sock_shutdown"(i32, i32);
    });
    refuse!(linker, module, errno::NOTSUP, {
        "proc_raise"(i32);
    });
    Ok(())
}
