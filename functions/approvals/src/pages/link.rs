//! The pages of a link from mail, before and after the call is seen.

use maud::{Markup, html};

use super::layout::{Tone, message, page};
use crate::decide::Decided;

/// What a link alone shows: that there is a request. `code_action` is there where a code by email
/// may stand for signing in.
pub(crate) fn link(sign_in: &str, code_action: Option<&str>) -> Markup {
    page(
        "A call waits",
        None,
        &html! {
            section.message.plain {
                h1 { "A call of an AI agent waits for your decision" }
                p { "Prove who you are to see it." }
                div.actions {
                    a.button #sign-in href=(sign_in) { "Sign in" }
                    @if let Some(action) = code_action {
                        form.inline method="post" action=(action) {
                            button.quiet #send-code type="submit" { "Send a code to my email address" }
                        }
                    }
                }
            }
        },
    )
}

/// Where a code is typed.
pub(crate) fn type_code(action: &str, resend: &str, address: &str) -> Markup {
    page(
        "Type the code",
        None,
        &html! {
            h1 { "Type the code" }
            p { "It was sent to " strong { (address) } " and can be used for ten minutes." }
            form #open method="post" action=(action) {
                label for="code" { "Code" }
                input #code type="text" name="code" inputmode="numeric" autocomplete="one-time-code" required;
                div.actions { button.go #show type="submit" { "Show me the call" } }
            }
            form method="post" action=(resend) { button.quiet type="submit" { "Send a new code" } }
        },
    )
}

/// What came of a decision.
pub(crate) fn decided(decided: Decided) -> Markup {
    let (title, text) = match decided {
        Decided::Runs => ("Approved", "The call runs now, once, exactly as you saw it. The agent collects the answer."),
        Decided::NeedsOthers => {
            ("Your approval is on record", "It runs when the others who are needed have approved too.")
        }
        Decided::Denied => ("Denied", "The agent is told your reason. The same call is answered so for a while."),
    };
    message(Tone::Done, title, text, None)
}
