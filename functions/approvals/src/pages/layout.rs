//! What all pages share.

use std::sync::OnceLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_domain::Digest;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// No script, no frame, nothing from elsewhere; forms go to this host only. The one style sheet is
/// inline and named by its hash, so that no other can be smuggled in.
pub(crate) fn content_security_policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let hash = STANDARD.encode(Digest::of(STYLE.as_bytes()).as_bytes());
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    })
}

const STYLE: &str = include_str!("style.css");

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It went as wanted.
    Done,
    /// It did not.
    Refused,
    /// Neither.
    Plain,
}

/// A page.
pub(crate) fn page(title: &str, signed_in: Option<&str>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · Countersign" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    span.brand { "Countersign" }
                    @if let Some(person) = signed_in {
                        form.inline method="post" action="/logout" {
                            span { "signed in as " strong { (person) } " " }
                            button.quiet type="submit" { "Sign out" }
                        }
                    }
                }
                main { (content) }
            }
        }
    }
}

/// A page that only says something.
pub(crate) fn message(tone: Tone, title: &str, text: &str, sign_in: Option<&str>) -> Markup {
    let class = match tone {
        Tone::Done => "done",
        Tone::Refused => "refused",
        Tone::Plain => "plain",
    };
    page(
        title,
        None,
        &html! {
            section.message.(class) #result {
                h1 { (title) }
                p { (text) }
                @if let Some(link) = sign_in {
                    p { a.button #sign-in href=(link) { "Sign in to see it" } }
                }
            }
        },
    )
}
