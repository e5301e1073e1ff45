//! The catalogue from outside: attacks, answers, and round trips.

mod answers;
mod attacks;
#[cfg(test)]
mod attacks_bodies;
mod attacks_hosts;
mod blob;
mod calls;
mod disguises;
mod noise;

use bytes::Bytes;
use countersign_catalogue::{Catalogue, Endpoint, Place, Refusal, Understood, WireRequest};

/// A request with what differs from a plain POST to `/`.
#[derive(Clone)]
struct Request {
    method: &'static str,
    path: String,
    query: &'static str,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    signing_name: &'static str,
    host_prefix: &'static str,
    from_chunked: bool,
    body_is_signed: bool,
    endpoint: Endpoint<'static>,
}

impl Request {
    fn new(signing_name: &'static str) -> Self {
        Self {
            method: "POST",
            path: "/".to_owned(),
            query: "",
            headers: Vec::new(),
            body: Vec::new(),
            signing_name,
            host_prefix: "",
            from_chunked: false,
            body_is_signed: true,
            endpoint: Endpoint::Any,
        }
    }

    fn dynamodb(operation: &str, body: &str) -> Self {
        Self::new("dynamodb").header("x-amz-target", &format!("DynamoDB_20120810.{operation}")).body(body)
    }

    fn form(signing_name: &'static str, body: &str) -> Self {
        Self::new(signing_name).header("content-type", "application/x-www-form-urlencoded; charset=utf-8").body(body)
    }

    fn rest(signing_name: &'static str, method: &'static str, path: &str) -> Self {
        Self { method, path: path.to_owned(), ..Self::new(signing_name) }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn query(mut self, query: &'static str) -> Self {
        self.query = query;
        self
    }

    fn understand(&self) -> Result<Understood, Refusal> {
        let request = WireRequest {
            method: self.method,
            path: &self.path,
            query: self.query,
            headers: &self.headers,
            body: Bytes::from(self.body.clone()),
            signing_name: self.signing_name,
            signing_region: "eu-central-1",
            host_prefix: self.host_prefix,
            from_chunked: self.from_chunked,
            body_is_signed: self.body_is_signed,
            endpoint: self.endpoint,
        };
        Catalogue::embedded().understand(&request, &Place::aws())
    }
}
