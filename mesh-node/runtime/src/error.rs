//! Why an engine can't be made, or a module not be run.

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine refuses its configuration, or this machine.
    #[error("the WebAssembly engine can't start here: {0}")]
    Configuration(String),
    /// The thread that measures time could not be started.
    #[error("the engine's ticker thread can't be started: {0}")]
    Ticker(#[source] std::io::Error),
}

/// Why a module can't be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The code is not valid, or uses features that the engine does not offer.
    #[error("the module does not compile: {0}")]
    Invalid(String),
    /// The module imports what no host offers.
    #[error("the module imports {module}.{name}, which this host does not offer")]
    UnknownImport {
        /// Module of the import.
        module: String,
        /// Its name.
        name: String,
    },
    /// An import is of another type than the host's.
    #[error("an import of the module does not fit: {0}")]
    ImportType(String),
    /// The module lacks an export that the ABI demands.
    #[error("the module does not export {name}: is it a waPC actor?")]
    MissingExport {
        /// The export.
        name: &'static str,
    },
    /// An export is of another type than the ABI demands.
    #[error("the module's export {name} is not {wanted}")]
    ExportType {
        /// The export.
        name: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// The module starts with more memory than it may have.
    #[error("the module starts with {declared} bytes of memory and tables; its limit is {limit}")]
    TooMuchMemory {
        /// Bytes at its start.
        declared: u64,
        /// Bytes that it may have.
        limit: u64,
    },
}
