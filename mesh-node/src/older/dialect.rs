//! How an older module wants to be called.

use lattice_protocol::contract::older::contract_of;

/// How an older module wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// waSCC, to 2020: `HandleRequest`, `DeliverMessage`.
    Wascc,
    /// wasmCloud to 0.18, the plain form: `HandleRequest`, `HandleMessage`.
    Wasmcloud,
    /// wasmCloud from 0.50, the form with interfaces: `HttpServer.HandleRequest`,
    /// `MessageSubscriber.HandleMessage`.
    Wasmbus,
}

/// Returns the dialect of a module by the capabilities of its claims; nothing where none of them is
/// an older one.
///
/// The capabilities of wasmCloud kept their names when its messages changed. What tells the two
/// apart is where a module imports its host from: `imports_wasmbus` says whether that is `wasmbus`,
/// not `wapc`.
pub fn dialect_of(capabilities: &[String], imports_wasmbus: bool) -> Option<Dialect> {
    let mut older = capabilities.iter().filter(|capability| contract_of(capability).is_some());
    let family = |capability: &String| capability.starts_with("wasmcloud:");
    match older.clone().any(family) {
        true if imports_wasmbus => Some(Dialect::Wasmbus),
        true => Some(Dialect::Wasmcloud),
        false => older.next().map(|_| Dialect::Wascc),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_and_imports_tell_the_dialect() {
        let dialect = |capabilities: &[&str], wasmbus| {
            let capabilities: Vec<_> = capabilities.iter().map(ToString::to_string).collect();
            dialect_of(&capabilities, wasmbus)
        };
        assert_eq!(dialect(&["wascc:http_server"], false), Some(Dialect::Wascc));
        assert_eq!(dialect(&["wasmcloud:httpserver"], false), Some(Dialect::Wasmcloud));
        assert_eq!(dialect(&["wasmcloud:httpserver"], true), Some(Dialect::Wasmbus));
        let builtin = ["mesh:keyvalue", "wasmcloud:builtin:numbergen"];
        assert_eq!(dialect(&builtin, true), Some(Dialect::Wasmbus));
        for wasmbus in [false, true] {
            for none in [&[][..], &["mesh:http", "mesh:actor"], &["wasmcloud", "wascc:blobstore"]] {
                assert_eq!(dialect(none, wasmbus), None, "{none:?}");
            }
        }
    }
}
