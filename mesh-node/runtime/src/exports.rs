//! What a module must import and export to be an actor, looked up once when it is compiled.

use wasmtime::{ExternType, FuncType, Module, ModuleExport, UnknownImportError, ValType};

use crate::error::CompileError;
use crate::limits::TABLE_ELEMENT_BYTES;

/// Exports that initialise an instance, in the order in which they run.
pub(crate) const INITIALISERS: [&str; 3] = ["_initialize", "_start", "wapc_init"];
const MEMORY: &str = "memory";
const GUEST_CALL: &str = "__guest_call";

/// Where the exports of a module are that the ABI uses.
pub(crate) struct Exports {
    pub(crate) memory: ModuleExport,
    pub(crate) guest_call: ModuleExport,
    pub(crate) initialisers: Vec<ModuleExport>,
}

impl Exports {
    /// Finds the exports of `module`; none of its initialisers is to run where it `is_initialised`.
    pub(crate) fn of(module: &Module, is_initialised: bool) -> Result<Self, CompileError> {
        let memory = find(module, MEMORY, "a memory", |ty| ty.memory().is_some())?;
        let guest_call = find(module, GUEST_CALL, "a function (i32, i32) -> i32", |ty| {
            ty.func().is_some_and(|ty| is_function(ty, 2, 1))
        })?;
        let mut initialisers = Vec::new();
        for name in INITIALISERS {
            let found = find(module, name, "a function () -> ()", |ty| {
                ty.func().is_some_and(|ty| is_function(ty, 0, 0))
            });
            initialisers.extend(found?.filter(|_| !is_initialised));
        }
        Ok(Self {
            memory: memory.ok_or(CompileError::MissingExport { name: MEMORY })?,
            guest_call: guest_call.ok_or(CompileError::MissingExport { name: GUEST_CALL })?,
            initialisers,
        })
    }
}

fn find(
    module: &Module,
    name: &'static str,
    wanted: &'static str,
    fits: impl Fn(&ExternType) -> bool,
) -> Result<Option<ModuleExport>, CompileError> {
    match module.get_export(name) {
        None => Ok(None),
        Some(ty) if fits(&ty) => Ok(module.get_export_index(name)),
        Some(_) => Err(CompileError::ExportType { name, wanted }),
    }
}

/// Returns whether a function takes and returns so many i32 and nothing else.
fn is_function(ty: &FuncType, parameters: usize, results: usize) -> bool {
    let is_i32 = |ty: ValType| matches!(ty, ValType::I32);
    ty.params().len() == parameters
        && ty.results().len() == results
        && ty.params().all(is_i32)
        && ty.results().all(is_i32)
}

/// Returns what a failure to link says about the module's imports.
pub(crate) fn unlinked(error: &wasmtime::Error) -> CompileError {
    match error.downcast_ref::<UnknownImportError>() {
        Some(unknown) => CompileError::UnknownImport {
            module: crate::fault::shown(unknown.module()),
            name: crate::fault::shown(unknown.name()),
        },
        None => CompileError::ImportType(crate::fault::shown_cause(error)),
    }
}

/// Returns the bytes of memory and tables that an instance of `module` has at its start.
pub(crate) fn initial_bytes(module: &Module) -> u64 {
    let resources = module.resources_required();
    let pages = resources.max_initial_memory_size.unwrap_or(0);
    let elements = u64::from(resources.num_tables)
        .saturating_mul(resources.max_initial_table_size.unwrap_or(0));
    pages.saturating_mul(65_536).saturating_add(elements.saturating_mul(TABLE_ELEMENT_BYTES as u64))
}
