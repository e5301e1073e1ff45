//! A server that answers as a script says, for tests of what adapters make of answers.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use aws_credential_types::Credentials;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{Aws, environment::Environment};

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// Promises more bytes than it sends, and closes.
    AnswerInPart,
    /// Reads the request and closes.
    Close,
    /// Reads the request and says nothing more.
    Hang,
}

impl Act {
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.to_string() }
    }
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The server; it stops with the test's runtime.
pub(crate) struct Server {
    pub(crate) origin: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    pub(crate) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let seen = Arc::clone(&received);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        Self { origin, received }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// A handle whose own calls, and agents' calls, come here.
    pub(crate) fn aws(&self) -> Aws {
        aws(Some(self.origin.clone()))
    }
}

/// A handle for an endpoint.
pub(crate) fn aws(endpoint: Option<String>) -> Aws {
    Aws::new(Environment {
        region: "eu-central-1".into(),
        credentials: Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"),
        endpoint_url: endpoint.clone(),
        upstream_endpoint: endpoint,
    })
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<VecDeque<Act>>>, seen: Arc<Mutex<Vec<Received>>>) {
    let Some(request) = read(&mut stream).await else { return };
    seen.lock().unwrap().push(request);
    let act = script.lock().unwrap().pop_front();
    match act {
        Some(Act::Answer { status, headers, body }) => {
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let _ = stream.write_all(body.as_bytes()).await;
        }
        Some(Act::AnswerInPart) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
        }
        Some(Act::Hang) => std::future::pending().await,
        Some(Act::Close) => {}
        None => panic!("a request that the script does not know"),
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<_> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = bytes[head_end + 4..].to_vec();
    while body.len() < length {
        stream.read_buf(&mut body).await.ok()?;
    }
    Some(Received { line, headers, body })
}
