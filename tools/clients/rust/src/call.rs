use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Serialize;

use crate::error::Error;
use crate::request::Request;
use crate::response::{Received, Response};
use crate::transport::Transport;

type Read<T> = Arc<dyn Fn(Received) -> Result<T, Error> + Send + Sync>;
pub(crate) type Sent<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// One call of an operation, which is sent when it is awaited.
#[must_use = "a call is sent when it is awaited"]
pub struct Call<T> {
    transport: Arc<Transport>,
    request: Request,
    read: Read<T>,
}

impl<T> Call<T> {
    pub(crate) fn new(
        transport: &Arc<Transport>,
        request: Request,
        read: impl Fn(Received) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Self {
        Self { transport: Arc::clone(transport), request, read: Arc::new(read) }
    }

    /// The time for an attempt with its whole body.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request.timeout = Some(timeout);
        self
    }

    /// Sends the call; the result comes with status and headers.
    pub async fn with_response(self) -> Result<(T, Response), Error> {
        let received = self.transport.send(self.request).await?;
        let response = received.response.clone();
        Ok(((self.read)(received)?, response))
    }

    pub(crate) fn query(&mut self, name: &'static str, texts: impl IntoIterator<Item = String>) {
        self.request.query(name, texts);
    }

    pub(crate) fn header(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) {
        self.request.header(name, value);
    }

    pub(crate) fn body(&mut self, body: &(impl Serialize + ?Sized)) {
        self.request.body(body);
    }
}

impl<T: 'static> Call<T> {
    /// The same call; its result is nothing if the caller's version is still the newest.
    pub(crate) fn if_none_match(mut self, etag: &str) -> Call<Option<T>> {
        self.header("If-None-Match", etag);
        let read = self.read;
        Call::new(&self.transport, self.request, move |received| {
            let is_same = received.response.status == StatusCode::NOT_MODIFIED;
            if is_same { Ok(None) } else { read(received).map(Some) }
        })
    }
}

impl<T> Clone for Call<T> {
    fn clone(&self) -> Self {
        Self { transport: Arc::clone(&self.transport), request: self.request.clone(), read: Arc::clone(&self.read) }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.request).finish()
    }
}

impl<T: 'static> IntoFuture for Call<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Sent<T>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.with_response().await.map(|(value, _)| value) })
    }
}

/// Lets a call with options of its own be awaited like every other call.
macro_rules! forward_call {
    ($name:ident, $value:ty) => {
        impl $name {
            /// The time for an attempt with its whole body.
            pub fn timeout(self, timeout: std::time::Duration) -> Self {
                Self(self.0.timeout(timeout))
            }

            /// Sends the call; the result comes with status and headers.
            pub async fn with_response(self) -> Result<($value, crate::Response), crate::Error> {
                self.0.with_response().await
            }
        }

        impl std::future::IntoFuture for $name {
            type Output = Result<$value, crate::Error>;
            type IntoFuture = crate::call::Sent<$value>;

            fn into_future(self) -> Self::IntoFuture {
                self.0.into_future()
            }
        }
    };
}
pub(crate) use forward_call;
