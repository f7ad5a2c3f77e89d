use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;

use crate::error::Error;

/// The bytes of a response, as they come. Its connection ends when it is dropped.
#[derive(Debug)]
pub struct ByteStream {
    response: Option<reqwest::Response>,
    /// The body of a response that was read already.
    whole: Bytes,
}

impl ByteStream {
    pub(crate) fn new(response: Option<reqwest::Response>, whole: Bytes) -> Self {
        Self { response, whole }
    }

    /// The next bytes, or nothing at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match &mut self.response {
            Some(response) => response.chunk().await.map_err(Error::Connection),
            None => Ok(Some(std::mem::take(&mut self.whole)).filter(|bytes| !bytes.is_empty())),
        }
    }

    /// All bytes.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        match self.response {
            Some(response) => response.bytes().await.map_err(Error::Connection),
            None => Ok(self.whole),
        }
    }

    /// The bytes as a stream of the crate `futures`.
    pub fn into_stream(self) -> Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>> {
        Box::pin(try_unfold(self, |mut stream| async { Ok(stream.next().await?.map(|bytes| (bytes, stream))) }))
    }
}
