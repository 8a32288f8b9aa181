//! Lists that come in pages, as one.

use std::vec;

use crate::Result;

/// Fetches the page that a cursor leads to: its entries, and the cursor of the next one.
type Fetch<'a, T> = Box<dyn FnMut(Option<String>) -> Result<(Vec<T>, Option<String>)> + 'a>;

/// Entries of a list, fetched a page at a time as they are asked for. After an error there are no
/// others.
pub struct Pages<'a, T> {
    fetch: Fetch<'a, T>,
    page: vec::IntoIter<T>,
    /// Where the next page begins; nothing after the last.
    next: Option<Option<String>>,
}

impl<'a, T> Pages<'a, T> {
    pub(super) fn new(
        fetch: impl FnMut(Option<String>) -> Result<(Vec<T>, Option<String>)> + 'a,
    ) -> Self {
        Self { fetch: Box::new(fetch), page: Vec::new().into_iter(), next: Some(None) }
    }
}

impl<T> Iterator for Pages<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(entry) = self.page.next() {
                return Some(Ok(entry));
            }
            match (self.fetch)(self.next.take()?) {
                Ok((page, cursor)) => {
                    self.page = page.into_iter();
                    self.next = cursor.map(Some);
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
