//! A counter as it was written for waSCC in 2020: operations, namespaces and messages are those of
//! that host. It shows that such modules run on the mesh as they are.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use wapc_guest::prelude::*;

/// The request of `wascc:http_server`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    path: String,
    query_string: String,
    header: HashMap<String, String>,
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
}

/// The response of `wascc:http_server`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status_code: u32,
    status: String,
    header: HashMap<String, String>,
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
}

/// `Add` of `wascc:keyvalue`.
#[derive(Debug, Serialize, Deserialize)]
struct Add {
    key: String,
    value: i32,
}

/// What `Add` answers.
#[derive(Debug, Serialize, Deserialize)]
struct Added {
    value: i32,
}

/// Registers the operations; the host calls it once, before all else.
#[allow(unsafe_code, reason = "the host finds it by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn wapc_init() {
    register_function("HandleRequest", handle_request);
}

fn handle_request(payload: &[u8]) -> CallResult {
    let request: Request = rmp_serde::from_slice(payload)?;
    let add = Add { key: request.path.replace('/', ":"), value: 1 };
    let added = host_call("default", "wascc:keyvalue", "Add", &rmp_serde::to_vec_named(&add)?)?;
    let added: Added = rmp_serde::from_slice(&added)?;
    let response = Response {
        status_code: 200,
        status: "OK".to_owned(),
        header: HashMap::from([("x-method".to_owned(), request.method)]),
        body: format!("{{\"counter\":{}}}", added.value).into_bytes(),
    };
    Ok(rmp_serde::to_vec_named(&response)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_messages_have_the_names_of_that_time() {
        let request = Request {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            query_string: "a".to_owned(),
            header: HashMap::new(),
            body: Vec::new(),
        };
        let bytes = rmp_serde::to_vec_named(&request).expect("it is encoded");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.contains("queryString"), "{text}");
        assert!(handle_request(b"\xc1").is_err());
    }
}
