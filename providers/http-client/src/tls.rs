//! TLS of the connections: ring, and the certificates that the machine trusts.

use std::sync::Arc;

use lattice_protocol::{Error, ErrorCode};
use rustls::{ClientConfig, RootCertStore};

/// Reads what the machine trusts, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name in its place.
/// Without any, requests to `https` fail and others do not.
///
/// # Errors
/// `internal` when ring can't do what rustls asks of it.
pub fn config() -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "certificates of this machine can't be read");
    }
    let (trusted, _) = roots.add_parsable_certificates(found.certs);
    if trusted == 0 {
        tracing::warn!("this machine trusts no certificate: requests to https will fail");
    }
    // Named, so that it does not matter what else the process uses TLS for.
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::not_started(ErrorCode::Internal, error.to_string()))?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
