//! The pages of the approvers' door. They need no script; every value of others goes through
//! [`crate::visible`] and maud's escaping.

mod layout;
mod link;
mod request;

pub(crate) use layout::{Tone, content_security_policy, message};
pub(crate) use link::{decided, link, type_code};
pub(crate) use request::{ApproveBy, RequestView, ResourceRow, request};
