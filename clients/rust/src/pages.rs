use std::vec;

use futures_util::future::BoxFuture;

use crate::error::Error;
use crate::feed::Source;

/// One page of a list, and the token of the next one; empty for none.
pub(crate) type Page<T> = (Vec<T>, String);

/// A page that is about to be fetched.
pub(crate) type Fetching<T> = BoxFuture<'static, Result<Page<T>, Error>>;

/// The items of a list, a page at a time as they are asked for.
pub(crate) struct Pages<T> {
    fetch: Box<dyn Fn(String) -> Fetching<T> + Send + Sync>,
    page: vec::IntoIter<T>,
    next_token: Option<String>,
}

impl<T> Pages<T> {
    /// `fetch` takes the token of a page; the first one's is empty.
    pub(crate) fn new(fetch: impl Fn(String) -> Fetching<T> + Send + Sync + 'static) -> Self {
        Self { fetch: Box::new(fetch), page: Vec::new().into_iter(), next_token: Some(String::new()) }
    }
}

impl<T: Send + 'static> Source for Pages<T> {
    type Item = T;

    async fn next(&mut self) -> Result<Option<T>, Error> {
        loop {
            if let Some(item) = self.page.next() {
                return Ok(Some(item));
            }
            let Some(token) = self.next_token.take() else {
                return Ok(None);
            };
            let (items, next_token) = (self.fetch)(token).await?;
            self.page = items.into_iter();
            self.next_token = Some(next_token).filter(|token| !token.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::feed::Feed;

    #[tokio::test]
    async fn pages_are_fetched_until_there_is_no_token() {
        let pages = Pages::new(|token| {
            let page = match token.as_str() {
                "" => (vec![1, 2], "a".to_owned()),
                "a" => (vec![], "b".to_owned()),
                "b" => (vec![3], String::new()),
                other => unreachable!("no page has the token {other}"),
            };
            async move { Ok(page) }.boxed()
        });
        assert_eq!(Feed::new(pages).try_collect::<Vec<_>>().await.unwrap(), [1, 2, 3]);
    }
}
