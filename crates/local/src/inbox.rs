//! The mail inbox: a small SMTP receiver and a page of JSON over what it received.

use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, StatusCode};
use mail_parser::MessageParser;
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::web::{self, Request, Response};

/// The longest message that is taken, in bytes; SES's own limit.
const LONGEST_MESSAGE: usize = 40 * 1024 * 1024;

/// The longest command line (RFC 5321, section 4.5.3.1.4), in bytes.
const LONGEST_LINE: usize = 2048;

/// One received message.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// The decoded subject.
    pub subject: String,
    /// The plain-text body, decoded; empty when there is none.
    pub text: String,
    /// The HTML body, decoded; empty when there is none.
    pub html: String,
    /// When it came, RFC 3339 in UTC.
    pub received_at: String,
}

/// What was received since the start or the last clearing.
#[derive(Debug, Default)]
pub struct Inbox(Mutex<Vec<Message>>);

impl Inbox {
    /// Every message, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets every message.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn add(&self, recipients: Vec<String>, raw: &[u8]) {
        let message = read_message(recipients, raw, OffsetDateTime::now_utc());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }
}

/// `GET /messages` and `DELETE /messages`.
pub async fn route(inbox: Arc<Inbox>, request: Request) -> Response {
    match (&request.method, request.uri.path()) {
        (&Method::GET, "/messages") => match serde_json::to_value(inbox.messages()) {
            Ok(messages) => web::json(StatusCode::OK, &messages),
            Err(error) => web::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        },
        (&Method::DELETE, "/messages") => {
            inbox.clear();
            web::json(StatusCode::OK, &serde_json::json!({}))
        }
        _ => web::text(StatusCode::NOT_FOUND, "GET or DELETE /messages"),
    }
}

/// Receives mail on `listener` until the process ends.
pub fn receive(listener: TcpListener, inbox: Arc<Inbox>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let inbox = Arc::clone(&inbox);
            tokio::spawn(async move {
                if let Err(error) = converse(stream, &inbox).await {
                    tracing::warn!(%error, "mail session broke off");
                }
            });
        }
    })
}

fn read_message(to: Vec<String>, raw: &[u8], now: OffsetDateTime) -> Message {
    let parsed = MessageParser::default().parse(raw);
    let parsed = parsed.as_ref();
    Message {
        to,
        subject: parsed.and_then(|message| message.subject()).unwrap_or_default().to_owned(),
        text: parsed.and_then(|message| own_part(message, false)).unwrap_or_default(),
        html: parsed.and_then(|message| own_part(message, true)).unwrap_or_default(),
        received_at: now.format(&Rfc3339).unwrap_or_default(),
    }
}

/// The first part that really is of the wanted kind; `mail-parser` would convert one to the other.
fn own_part(message: &mail_parser::Message<'_>, html: bool) -> Option<String> {
    message.parts.iter().find_map(|part| match &part.body {
        mail_parser::PartType::Text(text) if !html => Some(text.to_string()),
        mail_parser::PartType::Html(text) if html => Some(text.to_string()),
        _ => None,
    })
}

/// One SMTP session (RFC 5321), as far as a relay on loopback needs it.
async fn converse(stream: TcpStream, inbox: &Inbox) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 local inbox\r\n").await?;
    let mut recipients = Vec::new();
    while let Some(line) = read_line(&mut stream, LONGEST_LINE).await? {
        let line = String::from_utf8_lossy(&line).into_owned();
        let verb = line.split_ascii_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" | "HELO" => "250-local inbox\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 41943040\r\n",
            "MAIL" => {
                recipients.clear();
                "250 ok\r\n"
            }
            "RCPT" => match address_in(&line) {
                Some(address) => {
                    recipients.push(address.to_owned());
                    "250 ok\r\n"
                }
                None => "501 no address\r\n",
            },
            "DATA" if recipients.is_empty() => "503 no recipients\r\n",
            "DATA" => {
                stream.write_all(b"354 go on, end with a dot\r\n").await?;
                let Some(raw) = read_data(&mut stream).await? else { return Ok(()) };
                inbox.add(std::mem::take(&mut recipients), &raw);
                "250 ok\r\n"
            }
            "RSET" => {
                recipients.clear();
                "250 ok\r\n"
            }
            "NOOP" => "250 ok\r\n",
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "502 not implemented\r\n",
        };
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

/// The address between angle brackets.
fn address_in(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once('<')?;
    rest.split_once('>').map(|(address, _)| address).filter(|address| !address.is_empty())
}

/// A line without its end; `None` at the end of the stream.
async fn read_line(stream: &mut BufReader<TcpStream>, longest: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    if line.len() > longest {
        return Err(std::io::Error::other("line too long"));
    }
    while matches!(line.last(), Some(b'\r' | b'\n')) {
        line.pop();
    }
    Ok(Some(line))
}

/// The message after DATA, with the doubled dots undone (RFC 5321, section 4.5.2).
async fn read_data(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Vec<u8>>> {
    let mut raw = Vec::new();
    while let Some(line) = read_line(stream, LONGEST_MESSAGE).await? {
        if line == b"." {
            return Ok(Some(raw));
        }
        raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        raw.extend_from_slice(b"\r\n");
        if raw.len() > LONGEST_MESSAGE {
            return Err(std::io::Error::other("message too long"));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bodies_of_an_alternative_are_given() {
        let raw = concat!(
            "From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n",
            "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n",
            "--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n",
            "--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>hello</p>\r\n--x--\r\n",
        );
        let message = read_message(vec!["b@example.com".to_owned()], raw.as_bytes(), OffsetDateTime::UNIX_EPOCH);
        assert_eq!(message.subject, "Grüße");
        assert_eq!(message.text.trim_end(), "hello");
        assert_eq!(message.html.trim_end(), "<p>hello</p>");
        assert_eq!(message.received_at, "1970-01-01T00:00:00Z");
    }

    #[tokio::test]
    async fn a_session_delivers_with_dots_undone() {
        let (listener, port) = web::listen().await.expect("port");
        let inbox = Arc::new(Inbox::default());
        receive(listener, Arc::clone(&inbox));
        let mut client = TcpStream::connect(("127.0.0.1", port)).await.expect("connect");
        client
            .write_all(
                b"EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n\
                  Subject: s\r\n\r\nline\r\n..dot\r\n.\r\nQUIT\r\n",
            )
            .await
            .expect("send");
        let mut answers = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut client, &mut answers).await.expect("answers");
        assert!(answers.ends_with("221 bye\r\n"), "{answers}");
        let messages = inbox.messages();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].to, ["b@example.com"]);
        assert_eq!(messages[0].text, "line\r\n.dot\r\n");
    }
}
