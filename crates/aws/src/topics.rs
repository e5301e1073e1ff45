//! SNS topics, which are told of requests without anything that decides.

use crate::{Aws, ServiceError};

/// Publishes to topics.
#[derive(Clone, Debug)]
pub struct Topics {
    aws: Aws,
}

impl Topics {
    pub(crate) fn new(aws: Aws) -> Self {
        Self { aws }
    }

    /// Publishes a message; `subject` is what mail subscribers see: ASCII, one line, cut to the 100
    /// characters that SNS takes.
    ///
    /// # Errors
    /// [`ServiceError`] when SNS fails.
    pub async fn publish(&self, topic_arn: &str, subject: &str, message: &str) -> Result<(), ServiceError> {
        let subject: String =
            subject.chars().map(|sign| if sign.is_ascii_graphic() { sign } else { ' ' }).take(100).collect();
        self.aws
            .sns()
            .publish()
            .topic_arn(topic_arn)
            .subject(subject)
            .message(message)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| ServiceError::from_sdk("sns:Publish", &error))
    }
}
