//! The bucket of what is too large for an item: sealed frozen calls and outcomes.

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use crate::{Aws, ServiceError};

const GET: &str = "s3:GetObject";

/// One bucket.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    aws: Aws,
    bucket: String,
}

impl Objects {
    pub(crate) fn new(aws: Aws, bucket: String) -> Self {
        Self { aws, bucket }
    }

    /// Puts an object, whatever is at its place.
    pub(crate) async fn put(&self, place: &str, body: Bytes) -> Result<(), ServiceError> {
        self.aws
            .s3()
            .put_object()
            .bucket(&self.bucket)
            .key(place)
            .body(ByteStream::from(body))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| ServiceError::from_sdk("s3:PutObject", &error))
    }

    /// The object at `place`; `None` if it has more than `limit` bytes, of which none are read then.
    pub(crate) async fn get(&self, place: &str, limit: usize) -> Result<Option<Bytes>, ServiceError> {
        let answer = self
            .aws
            .s3()
            .get_object()
            .bucket(&self.bucket)
            .key(place)
            .send()
            .await
            .map_err(|error| ServiceError::from_sdk(GET, &error))?;
        let length = answer.content_length().and_then(|length| usize::try_from(length).ok());
        if length.is_none_or(|length| length > limit) {
            return Ok(None);
        }
        let body = answer.body.collect().await.map_err(|_| ServiceError::unreadable(GET))?;
        Ok(Some(body.into_bytes()))
    }
}
