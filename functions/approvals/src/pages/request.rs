//! The page of one held call.

use maud::{Markup, html};

use super::layout::page;

/// One (IAM action, resource) pair, ready to show.
#[derive(Clone, Debug)]
pub(crate) struct ResourceRow {
    /// The IAM action.
    pub action: String,
    /// The ARN, the odd form as sent, or `*`.
    pub resource: String,
    /// What the form of the resource means, where it is not exact.
    pub note: Option<&'static str>,
    /// AWS's access level.
    pub level: &'static str,
    /// The classes.
    pub classes: Vec<&'static str>,
}

/// How the person who looks can decide.
#[derive(Clone, Debug)]
pub(crate) enum ApproveBy {
    /// Signed in: the token that binds the form to the session and the request.
    SignedIn {
        /// Where the form goes.
        action: String,
        /// The form token.
        form_token: String,
    },
    /// By a code that was typed: the sealed proof of it.
    ByCode {
        /// Where the form goes.
        action: String,
        /// The proof.
        proof: String,
    },
    /// Not at all, and why.
    Not(String),
}

/// Everything the page shows. Each text of others has been made visible.
#[derive(Clone, Debug)]
pub(crate) struct RequestView {
    pub request: String,
    pub state: String,
    pub agent: String,
    pub owners: String,
    pub session: String,
    pub source_ip: String,
    pub target: String,
    pub account: String,
    pub region: String,
    pub host: String,
    pub operation: String,
    pub command_line: String,
    pub parameters: String,
    pub body: Option<String>,
    pub resources: Vec<ResourceRow>,
    pub rules: Vec<(String, String)>,
    pub needs: String,
    pub decided: Vec<(String, String)>,
    pub task: String,
    pub asked_at: String,
    pub expires_at: String,
    pub frozen_digest: String,
    pub min_review_seconds: u64,
    pub confirm: Option<String>,
    /// Why the person who looks can only deny it, if so.
    pub denial_only: Option<String>,
    pub approve_by: ApproveBy,
}

/// The page.
pub(crate) fn request(view: &RequestView, signed_in: Option<&str>) -> Markup {
    page(
        &view.operation,
        signed_in,
        &html! {
            h1 { (view.operation) " in " (view.account) " (" (view.target) ", " (view.region) ")" }
            p { "Agent " strong { (view.agent) } " asks. Request " code { (view.request) } ", " (view.state) "." }
            h2 { "The call, as this page read it from the frozen bytes" }
            pre #command { (view.command_line) }
            (resources(view))
            h2 { "Parameters" }
            pre #parameters { (view.parameters) }
            @if let Some(body) = &view.body { p.hint { (body) } }
            div.words {
                h2 { "The agent's own words (not checked)" }
                pre #task { (view.task) }
            }
            (facts(view))
            (decision(view))
        },
    )
}

fn resources(view: &RequestView) -> Markup {
    html! {
        h2 { "What it touches" }
        table #resources {
            tr { th { "IAM action" } th { "Resource" } th { "Level" } }
            @for row in &view.resources {
                tr {
                    td { code { (row.action) } }
                    td { code { (row.resource) } @if let Some(note) = row.note { br; span.hint { (note) } } }
                    td {
                        (row.level) " "
                        @for class in &row.classes { span.tag.danger { (class) } }
                    }
                }
            }
        }
    }
}

fn facts(view: &RequestView) -> Markup {
    html! {
        h2 { "Why it waits" }
        table {
            @for (rule, reason) in &view.rules { tr { th { code { (rule) } } td { (reason) } } }
            tr { th { "Needs" } td { (view.needs) } }
            @for (person, verdict) in &view.decided { tr { th { (person) } td { (verdict) } } }
        }
        h2 { "Where it comes from and goes" }
        table {
            tr { th { "Owners of the agent" } td { (view.owners) } }
            tr { th { "Session" } td { code { (view.session) } " from " (view.source_ip) } }
            tr { th { "Asked" } td { (view.asked_at) } }
            tr { th { "Expires" } td { (view.expires_at) } }
            tr { th { "Sent to" } td { code { (view.host) } } }
            tr { th { "Frozen digest" } td { code #frozen-digest { (view.frozen_digest) } } }
        }
    }
}

fn decision(view: &RequestView) -> Markup {
    html! {
        h2 { "Decide" }
        @match &view.approve_by {
            ApproveBy::Not(reason) => p #not-here { (reason) },
            ApproveBy::SignedIn { action, form_token } => {
                form #decision method="post" action=(action) {
                    input type="hidden" name="form_token" value=(form_token);
                    (fields(view))
                }
            },
            ApproveBy::ByCode { action, proof } => {
                form #decision method="post" action=(action) {
                    input type="hidden" name="proof" value=(proof);
                    (fields(view))
                }
            },
        }
    }
}

fn fields(view: &RequestView) -> Markup {
    html! {
        input type="hidden" name="frozen_digest" value=(view.frozen_digest);
        label for="reason" { "Your reason (kept on record; the agent reads it when you deny)" }
        textarea #reason name="reason" rows="3" maxlength="1000" required {}
        @if let Some(why) = &view.denial_only {
            p.hint #denial-only { "You can deny it, but not approve it: " (why) "." }
        } @else if let Some(name) = &view.confirm {
            label for="confirm" { "To approve, type the resource: " code #confirm-name { (name) } }
            input #confirm type="text" name="confirm" autocomplete="off";
        }
        @if view.denial_only.is_none() && view.min_review_seconds > 0 {
            p.hint { "An approval counts from " (view.min_review_seconds) " seconds after you first saw this page." }
        }
        div.actions {
            @if view.denial_only.is_none() {
                button.go #approve type="submit" name="verdict" value="approve" { "Approve this call" }
            }
            button.stop #deny type="submit" name="verdict" value="deny" { "Deny" }
        }
    }
}
