//! `mesh:http-client`.

use lattice_protocol::contract::http_client::{Request, Response};

super::contract_trait! {
    /// The way out of one link: `mesh:http-client`.
    HttpClient, ServedHttpClient: http_client;
    /// Makes a request.
    request(REQUEST: Request) -> Response;
}
