//! Why a request has no response, as the contract says it.

use std::error::Error as StdError;

use lattice_protocol::{Error, ErrorCode};
use reqwest::Url;

use crate::rules::{NotPublic, not_public};

/// Returns the error of a request to `url` that failed on its way there or back.
pub fn of_request(error: &reqwest::Error, url: &Url) -> Error {
    let cause = causes(error).last().map_or_else(|| error.to_string(), ToString::to_string);
    let at = url.authority();
    let unavailable = ErrorCode::ProviderUnavailable;
    if causes(error).any(|cause| cause.is::<NotPublic>()) {
        not_public(url.host_str().unwrap_or_default())
    } else if error.is_builder() {
        Error::not_started(ErrorCode::BadRequest, format!("the URL can't be asked for: {cause}"))
    } else if error.is_connect() {
        Error::not_started(unavailable, format!("{at} can't be reached: {cause}"))
    } else if error.is_timeout() {
        Error::started(ErrorCode::DeadlineExceeded, format!("{at} fell silent: {cause}"))
    } else {
        Error::started(unavailable, format!("{at} gave no response of HTTP: {cause}"))
    }
}

/// Returns the error of a response from `url` that broke off.
pub fn of_body(error: &reqwest::Error, url: &Url) -> Error {
    Error { started: true, ..of_request(error, url) }
}

/// Returns what an error comes from, the nearest first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}
