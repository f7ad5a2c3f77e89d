use std::fmt;
use std::pin::Pin;
use std::vec;

use futures_util::Stream;
use futures_util::stream::try_unfold;

use crate::call::Call;
use crate::error::Error;

/// A page of a list.
pub trait Page: Send + 'static {
    /// What is listed.
    type Item: Send + 'static;

    /// The most items that a page may have, if it says so.
    fn limit(&self) -> Option<i64>;

    /// The number of items of this page.
    fn count(&self) -> i64;

    /// The items of this page.
    fn into_items(self) -> Vec<Self::Item>;
}

/// The pages of a list. Nothing is sent before the first `next`.
#[derive(Debug)]
pub struct Pages<P> {
    pub(crate) call: Call<P>,
    pub(crate) offset: Option<i64>,
    is_over: bool,
}

impl<P: Page> Pages<P> {
    pub(crate) fn new(call: Call<P>) -> Self {
        Self { call, offset: None, is_over: false }
    }

    /// The next page, or nothing after the last one, which has fewer items than its limit.
    pub async fn next(&mut self) -> Result<Option<P>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let page = self.at_offset().await?;
        let count = page.count();
        self.is_over = count == 0 || page.limit().is_some_and(|limit| count < limit);
        self.offset = Some(self.offset.unwrap_or_default() + count);
        Ok(Some(page))
    }

    /// The call of the page at the offset.
    pub(crate) fn at_offset(&self) -> Call<P> {
        let mut call = self.call.clone();
        if let Some(offset) = self.offset {
            call.query("offset", [offset.to_string()]);
        }
        call
    }
}

/// The items of a list, page after page. Nothing is sent before the first `next`.
pub struct Items<P: Page> {
    pub(crate) pages: Pages<P>,
    page: vec::IntoIter<P::Item>,
}

impl<P: Page> Items<P> {
    pub(crate) fn new(call: Call<P>) -> Self {
        Self { pages: Pages::new(call), page: Vec::new().into_iter() }
    }

    /// The next item, or nothing after the last one.
    pub async fn next(&mut self) -> Result<Option<P::Item>, Error> {
        loop {
            if let Some(item) = self.page.next() {
                return Ok(Some(item));
            }
            let Some(page) = self.pages.next().await? else { return Ok(None) };
            self.page = page.into_items().into_iter();
        }
    }

    /// The items as a stream of the crate `futures`. An error is the last thing that it gives.
    pub fn into_stream(self) -> Pin<Box<dyn Stream<Item = Result<P::Item, Error>> + Send>> {
        Box::pin(try_unfold(self, |mut items| async { Ok(items.next().await?.map(|item| (item, items))) }))
    }
}

impl<P: Page> fmt::Debug for Items<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Items").field(&self.pages.call).finish()
    }
}

/// Lets a list with options of its own be used like every other list.
macro_rules! forward_list {
    ($name:ident, $page:ty) => {
        impl $name {
            /// The next item, or nothing after the last one.
            pub async fn next(&mut self) -> Result<Option<<$page as crate::Page>::Item>, crate::Error> {
                self.0.next().await
            }

            /// The items as a stream of the crate `futures`. An error is the last thing that it gives.
            pub fn into_stream(
                self,
            ) -> std::pin::Pin<
                Box<dyn futures_util::Stream<Item = Result<<$page as crate::Page>::Item, crate::Error>> + Send>,
            > {
                self.0.into_stream()
            }

            /// Whole pages in place of items.
            #[must_use]
            pub fn pages(self) -> crate::Pages<$page> {
                self.0.pages
            }

            /// The first page alone.
            pub fn first(self) -> crate::Call<$page> {
                self.0.pages.at_offset()
            }
        }
    };
}
pub(crate) use forward_list;
