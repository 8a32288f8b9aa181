//! `blobstore-s3`: blobs in a bucket of S3, or of a store that speaks like it.
//!
//! A blob is an object `<tenant>/<container>/<name>` with its content type and metadata as S3 knows
//! them, so that other programs read and write it, too. The store must refuse to overwrite where it
//! is asked to (`If-None-Match: *`), as S3 does. Parts of a blob whose upload was cut off by the end of
//! this process stay until a rule of the bucket removes incomplete uploads.
//!
//! | setting of the link | meaning | default |
//! |---|---|---|
//! | `bucket` | the bucket, which must exist | **required** |
//! | `endpoint` | URL of the store | that of AWS for the region |
//! | `region` | the region | `AWS_REGION`, then `AWS_DEFAULT_REGION`, of the process, or `us-east-1` |
//! | `access_key_id`, `secret_access_key` | credentials, both or none | what the environment of the process says (`AWS_…`), or the machine's role |
//! | `prefix` | the tenant: links of one prefix share containers, others see none of them; 1 to 32 of `a-z 0-9 -` | the actor's own |
//! | `allow_http` | `true` where the endpoint may be reached without TLS | `false` |
//!
//! A link with credentials of its own takes nothing else but the region from the environment.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use lattice_protocol::contract::blobstore;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::blobstore::tenant;
use mesh_provider::contract::ServedBlobStore;
use mesh_provider::{About, Answers, BoxFuture, Config, Context, Link, Provider, wrong};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use crate::fault::failed;
use crate::layout::{Form, Layout};
use crate::limits;
use crate::objects::Objects;
use crate::store::Store;

/// What it is.
pub const ABOUT: About = About {
    name: "blobstore-s3",
    contract: blobstore::CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "Keeps blobs in a bucket of S3",
};

const SETTINGS: [&str; 7] =
    ["bucket", "endpoint", "region", "access_key_id", "secret_access_key", "prefix", "allow_http"];

/// Makes the provider.
pub fn provider(_: &Context) -> Arc<dyn Provider> {
    // Whoever makes a client without TLS of its own choice panics where the process has none.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been faster: then there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    Arc::new(BlobStoreS3)
}

/// The provider.
pub struct BlobStoreS3;

impl Provider for BlobStoreS3 {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        Box::pin(async move {
            link.config.only(&SETTINGS)?;
            let tenant = tenant(link)?;
            let store = bucket(&link.config)?;
            let layout = Layout::new(Form::S3, &tenant, link.id.source.as_str());
            reach(&store, &layout).await?;
            let objects = Objects { store: Arc::new(store), layout };
            Ok(Arc::new(ServedBlobStore(Store::new(objects))) as Arc<dyn Answers>)
        })
    }
}

/// Makes the client of a bucket.
fn bucket(config: &Config) -> Result<AmazonS3, Error> {
    let bucket = config.required("bucket")?;
    let allow_http = config.parse::<bool>("allow_http")?.unwrap_or(false);
    let keys = (config.text("access_key_id"), config.text("secret_access_key"));
    let mut builder = match keys {
        (Some(id), Some(secret)) => {
            AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret)
        }
        (None, None) => AmazonS3Builder::from_env(),
        (Some(_), None) => return Err(wrong("secret_access_key", "is missing")),
        (None, Some(_)) => return Err(wrong("access_key_id", "is missing")),
    };
    if let Some(endpoint) = config.text("endpoint") {
        let plain = endpoint.starts_with("http://");
        if !plain && !endpoint.starts_with("https://") {
            return Err(wrong("endpoint", "must begin with https:// or http://"));
        }
        if plain && !allow_http {
            return Err(wrong("endpoint", "is without TLS: allow_http=true permits it"));
        }
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    if let Some(region) = region(config, |name| std::env::var(name).ok()) {
        builder = builder.with_region(region);
    }
    let client = ClientOptions::new()
        .with_allow_http(allow_http)
        .with_connect_timeout(Duration::from_millis(limits::CONNECT_TIMEOUT_MS))
        .with_read_timeout(Duration::from_millis(limits::READ_TIMEOUT_MS))
        // A call has its own deadline.
        .with_timeout_disabled();
    let retry = RetryConfig {
        max_retries: limits::RETRIES_MAX,
        retry_timeout: Duration::from_millis(limits::RETRY_TIMEOUT_MS),
        ..RetryConfig::default()
    };
    let built =
        builder.with_bucket_name(bucket).with_client_options(client).with_retry(retry).build();
    built.map_err(|error| Error::not_started(ErrorCode::BadRequest, error.to_string()))
}

/// Returns the region of a bucket: the link's, or what the environment of the process says, whoever's
/// the credentials are.
fn region(config: &Config, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let of_process = || {
        let all = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        all.into_iter().filter_map(variable).find(|region| !region.is_empty())
    };
    config.text("region").map(str::to_owned).or_else(of_process)
}

/// Asks whether the bucket is there and may be read.
async fn reach(store: &AmazonS3, layout: &Layout) -> Result<(), Error> {
    let bound = Duration::from_millis(limits::OPEN_TIMEOUT_MS);
    let marks = layout.marks();
    let first = async { store.list(Some(&marks)).try_next().await };
    match tokio::time::timeout(bound, first).await {
        Ok(Ok(_)) => Ok(()),
        // The crate has no kind of its own for it.
        Ok(Err(error)) if error.to_string().contains("NoSuchBucket") => {
            Err(wrong("bucket", "names none that there is"))
        }
        Ok(Err(error)) => Err(failed("list the bucket", &error)),
        Err(_) => {
            let why = "S3 does not answer";
            Err(Error::not_started(ErrorCode::ProviderUnavailable, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_comes_from_the_link_or_from_the_environment() {
        let config = |settings: &[(&str, &str)]| Config::of(settings.iter().copied());
        let keys = [("bucket", "b"), ("access_key_id", "k"), ("secret_access_key", "s")];
        let process = |all: &'static [(&'static str, &'static str)]| {
            move |name: &str| {
                all.iter().find(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned())
            }
        };
        let both = process(&[("AWS_DEFAULT_REGION", "eu-2"), ("AWS_REGION", "eu-1")]);
        assert_eq!(region(&config(&keys), both).as_deref(), Some("eu-1"));
        let default = process(&[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "eu-2")]);
        assert_eq!(region(&config(&keys), default).as_deref(), Some("eu-2"));
        assert_eq!(region(&config(&keys), process(&[])), None);
        let own = [keys.as_slice(), &[("region", "eu-3")]].concat();
        assert_eq!(region(&config(&own), both).as_deref(), Some("eu-3"));
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        for (settings, named) in [
            (&[("region", "eu-1")][..], "bucket"),
            (&[("bucket", "b"), ("endpoint", "http://127.0.0.1:1")], "allow_http"),
            (&[("bucket", "b"), ("endpoint", "127.0.0.1:1")], "endpoint"),
            (&[("bucket", "b"), ("allow_http", "perhaps")], "allow_http"),
            (&[("bucket", "b"), ("access_key_id", "k")], "secret_access_key"),
            (&[("bucket", "b"), ("secret_access_key", "s")], "access_key_id"),
        ] {
            let error = bucket(&Config::of(settings.iter().copied())).unwrap_err();
            assert_eq!(error.code, ErrorCode::BadRequest);
            assert!(error.message.contains(named), "{error}");
            assert!(!error.message.contains("\"s\""), "{error}");
        }
    }
}
