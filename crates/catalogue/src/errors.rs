//! Our own errors, in the shape that the caller's SDK expects of each protocol.

use bytes::Bytes;

/// An error to be told to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status; 400 or 403, which SDKs do not retry with an unknown code.
    pub status: u16,
    /// The error code, as in `AccessDenied`.
    pub code: String,
    /// What is said to the caller.
    pub message: String,
    /// The id under which the call is on record.
    pub request_id: String,
    /// Whether the caller is at fault (`Sender`) rather than the service (`Receiver`).
    pub sender_fault: bool,
}

/// An error as an HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; empty for HEAD.
    pub body: Bytes,
}
