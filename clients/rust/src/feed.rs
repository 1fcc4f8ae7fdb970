use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt, try_unfold};

use crate::error::Error;

/// What comes in one by one: the updates of a watch, or the items of a list. Dropping it ends its call.
///
/// A [`Stream`] of results, which ends after its first error.
#[must_use = "a feed asks for nothing until it is read"]
pub struct Feed<T>(BoxStream<'static, Result<T, Error>>);

impl<T> Feed<T> {
    /// The next item; `None` after the last one. No item is lost when the future is dropped early.
    ///
    /// # Errors
    ///
    /// What ended the feed.
    pub async fn try_next(&mut self) -> Result<Option<T>, Error> {
        self.0.try_next().await
    }

    /// All items that are left.
    ///
    /// # Errors
    ///
    /// What ended the feed early.
    pub async fn try_collect<C: Default + Extend<T>>(self) -> Result<C, Error> {
        self.0.try_collect().await
    }
}

impl<T: Send + 'static> Feed<T> {
    pub(crate) fn new(source: impl Source<Item = T>) -> Self {
        let items = try_unfold(source, |mut source| async move {
            let item = source.next().await?;
            Ok(item.map(|item| (item, source)))
        });
        Self(items.boxed())
    }

    pub(crate) fn filter_map<U: Send + 'static>(self, pick: impl Fn(T) -> Option<U> + Send + 'static) -> Feed<U> {
        Feed(self.0.try_filter_map(move |item| ready(Ok(pick(item)))).boxed())
    }
}

impl<T> Stream for Feed<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl<T> fmt::Debug for Feed<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Feed").finish_non_exhaustive()
    }
}

/// Where the items of a feed come from.
pub(crate) trait Source: Send + 'static {
    type Item;

    /// The next item; `None` after the last one.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Item>, Error>> + Send;
}
