use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::stream::ByteStream;

/// Status and headers of a response.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
}

impl Response {
    /// The version of the resource, for `if_match` and `if_none_match`.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.header("ETag")
    }

    /// The name of the request in the log of the service.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.header("X-Request-ID")
    }

    /// A header, if it is there and readable.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.header("Retry-After")?.parse().ok().map(Duration::from_secs)
    }
}

/// A response as an attempt gives it: with its whole body, or with one that is still to be read.
pub(crate) struct Received {
    pub(crate) response: Response,
    pub(crate) whole: Bytes,
    pub(crate) open: Option<reqwest::Response>,
}

/// How the result of a call is read from its response.
pub(crate) type Read<T> = fn(Received) -> Result<T, Error>;

pub(crate) fn json<T: DeserializeOwned>(received: Received) -> Result<T, Error> {
    let response = Box::new(received.response);
    serde_json::from_slice(&received.whole).map_err(|source| Error::InvalidResponse { response, source })
}

pub(crate) const TEXT: Read<String> = |received| Ok(String::from_utf8_lossy(&received.whole).into_owned());
pub(crate) const NOTHING: Read<()> = |_| Ok(());
pub(crate) const BYTES: Read<ByteStream> = |received| Ok(ByteStream::new(received.open, received.whole));
