//! The names that the contracts had on earlier hosts: in namespaces of host calls, and in the
//! capabilities of claims.

/// Returns the contract of the mesh that the namespace of a host call, or a capability of older
/// claims, stands for; nothing for any other name.
pub fn contract_of(namespace: &str) -> Option<&'static str> {
    Some(match namespace {
        "wascc:http_server" | "wasmcloud:httpserver" => super::http::NAME,
        "wascc:http_client" | "wasmcloud:httpclient" => super::http_client::NAME,
        "wascc:keyvalue" | "wasmcloud:keyvalue" => super::keyvalue::NAME,
        "wascc:messaging" | "wasmcloud:messaging" => super::messaging::NAME,
        "wascc:logging" | "wasmcloud:logging" | "wasmcloud:builtin:logging" => super::logging::NAME,
        "wascc:extras" | "wasmcloud:extras" | "wasmcloud:builtin:numbergen" => super::random::NAME,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_older_name_stands_for_a_contract() {
        for (name, contract) in [
            ("wascc:http_server", "mesh:http"),
            ("wasmcloud:httpserver", "mesh:http"),
            ("wascc:http_client", "mesh:http-client"),
            ("wasmcloud:httpclient", "mesh:http-client"),
            ("wascc:keyvalue", "mesh:keyvalue"),
            ("wasmcloud:keyvalue", "mesh:keyvalue"),
            ("wascc:messaging", "mesh:messaging"),
            ("wasmcloud:messaging", "mesh:messaging"),
            ("wascc:logging", "mesh:logging"),
            ("wasmcloud:logging", "mesh:logging"),
            ("wasmcloud:builtin:logging", "mesh:logging"),
            ("wascc:extras", "mesh:random"),
            ("wasmcloud:extras", "mesh:random"),
            ("wasmcloud:builtin:numbergen", "mesh:random"),
        ] {
            assert_eq!(contract_of(name), Some(contract), "{name}");
            assert!(super::super::Contract::named(contract).is_some(), "{contract}");
        }
        for name in ["", "mesh:keyvalue", "wascc:blobstore", "wasmcloud:", "wasmcloud:keyvalue:2"] {
            assert_eq!(contract_of(name), None, "{name}");
        }
    }
}
