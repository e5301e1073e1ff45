//! Mail by SES: plain text and HTML, to one person at a time.

use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};

use crate::{Aws, ServiceError};

const OPERATION: &str = "ses:SendEmail";

/// A mail.
#[derive(Clone, Debug)]
pub struct Letter<'a> {
    /// The address of the one who gets it.
    pub to: &'a str,
    /// The subject: one line.
    pub subject: &'a str,
    /// The plain text.
    pub text: &'a str,
    /// The HTML.
    pub html: &'a str,
}

/// Sends mail from one address.
#[derive(Clone, Debug)]
pub struct Mail {
    aws: Aws,
    from: String,
}

impl Mail {
    pub(crate) fn new(aws: Aws, from: String) -> Self {
        Self { aws, from }
    }

    /// Sends a letter and gives SES's message id. A lost answer may lead to a second mail.
    ///
    /// # Errors
    /// [`ServiceError`] when SES fails.
    pub async fn send(&self, letter: &Letter<'_>) -> Result<String, ServiceError> {
        let body = Body::builder().text(content(letter.text)?).html(content(letter.html)?).build();
        let message = Message::builder().subject(content(letter.subject)?).body(body).build();
        let answer = self
            .aws
            .sesv2()
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(letter.to).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await
            .map_err(|error| ServiceError::from_sdk(OPERATION, &error))?;
        Ok(answer.message_id.unwrap_or_default())
    }
}

fn content(text: &str) -> Result<Content, ServiceError> {
    Content::builder().data(text).charset("UTF-8").build().map_err(|_| ServiceError::unreadable(OPERATION))
}
