//! The names that the local stack gives.

/// The account that the stack's own resources live in; apart from the target's, as recommended.
pub(super) const ACCOUNT: &str = "111122223333";

/// The account that agents act in: moto's default.
pub(super) const TARGET_ACCOUNT: &str = "123456789012";

/// The region of everything.
pub(super) const REGION: &str = "eu-central-1";

/// The name of the stack; names of its resources start with it.
pub(super) const STACK_NAME: &str = "countersign";

/// The audience of agents' tokens.
pub(super) const AGENT_AUDIENCE: &str = "countersign-local";

/// The client id of the approvals function at the persons' issuer.
pub(super) const PERSON_CLIENT_ID: &str = "countersign-approvals";

/// Where mail comes from.
pub(super) const EMAIL_FROM: &str = "countersign@example.com";
