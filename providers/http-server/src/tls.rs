//! What the server proves itself with.

use std::fmt::Display;
use std::sync::Arc;

use lattice_protocol::{Error, ErrorCode};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::options::TlsFiles;

/// Reads certificate and key.
///
/// # Errors
/// `bad_request` naming the file that can't be used.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, Error> {
    let TlsFiles { cert, key } = files;
    let certificates = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(format!("the certificate {}", cert.display()), error))?;
    if certificates.is_empty() {
        return Err(wrong(format!("the certificate {}", cert.display()), "there is none in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| wrong(format!("the key {}", key.display()), error))?;
    let pair = |error: rustls::Error| {
        wrong(format!("the certificate {} and the key {}", cert.display(), key.display()), error)
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(certificates, private)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn wrong(what: impl Display, why: impl Display) -> Error {
    Error::not_started(ErrorCode::BadRequest, format!("TLS of the HTTP server: {what}: {why}"))
}
