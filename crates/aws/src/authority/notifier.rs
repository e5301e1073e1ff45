//! What the notifier's role may write: task tokens, links, and that nobody could be asked.

use countersign_domain::{Digest, RequestId, Timestamp, request::Unasked};

use super::{
    Authority, AuthorityError, LinkItem, RETENTION,
    item::{ItemWriter, Key},
    types::UnaskedItem,
};
use crate::states::TaskToken;

pub(super) const TOKEN: &str = "TOK#";

impl Authority {
    /// Keeps the token that wakes the state machine. A repeated ask has another token, and the last
    /// one counts.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer.
    pub async fn put_task_token(
        &self,
        request: &RequestId,
        token: &TaskToken,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let item = ItemWriter::new(&Key::single(TOKEN, request.as_str()))
            .text("task_token", token.expose())
            .ttl(now.plus(RETENTION))
            .build();
        Ok(self.put(item).await?)
    }

    /// Notes, once, that nobody could be asked: the request is over, and the call may be asked for
    /// again.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer.
    pub async fn put_unasked(
        &self,
        request: &RequestId,
        reason: Unasked,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let key = Key::single(UnaskedItem::PREFIX, request.as_str());
        let item =
            ItemWriter::new(&key).text("reason", reason.as_str()).time("at", now).ttl(now.plus(RETENTION)).build();
        // What stands is as good: both say that nothing will run.
        self.put_once_or_existing(item, &key).await.map(|_| ())
    }

    /// Keeps what a link stands for, under the hash of its secret.
    ///
    /// # Errors
    /// [`AuthorityError`] when the table does not answer, and [`AuthorityError::Contended`] if there
    /// is another link with this hash.
    pub async fn put_link(&self, token_hash: &Digest, link: &LinkItem) -> Result<(), AuthorityError> {
        let key = Key::single(LinkItem::PREFIX, &token_hash.to_string());
        let item = ItemWriter::new(&key)
            .text("request", link.request.as_str())
            .text("person", link.person.as_str())
            .digest("frozen_digest", &link.frozen_digest)
            .time("expires_at", link.expires_at)
            .ttl(link.expires_at.plus(RETENTION))
            .build();
        match self.put_once_or_existing(item, &key).await? {
            None => Ok(()),
            Some(_) => Err(AuthorityError::Contended("dynamodb:PutItem")),
        }
    }
}
