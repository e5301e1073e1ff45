//! What persons read. The call itself is not in a letter: what the gateway wrote down about it is
//! not to be believed, and only the page shows what the frozen bytes say. Names that do appear have
//! been checked to be plain.

use countersign_aws::authority::UntrustedRequest;
use countersign_domain::settings::Person;
use maud::html;

use crate::order::Announced;

/// A letter without its address.
pub(crate) struct Text {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Asks one person, with the link that is theirs.
pub(crate) fn ask(request: &UntrustedRequest, person: &Person, link: &str) -> Text {
    let operation = plain(&request.operation);
    let (agent, id, until) = (&request.agent, &request.request, request.expires_at);
    Text {
        subject: format!("Approval needed: {operation} by {agent}"),
        text: format!(
            "Hello {},\n\n{agent} asks for {operation} on target {}.\nRequest {id}, until {until}.\n\n\
             Read it and decide here (the link is yours; it decides nothing by itself):\n\n    {link}\n\n\
             What is shown there was read from the call itself; this mail only says that there is one.\n",
            person.id, request.target
        ),
        html: html! {
            p { "Hello " (person.id) "," }
            p { strong { (agent) } " asks for " strong { (operation) } " on target " (request.target) "." }
            p { "Request " code { (id) } ", until " (until) "." }
            p { a href=(link) { "Read it and decide" } }
            p { small { "The link is yours and decides nothing by itself. What is shown there was read from the call \
                itself; this mail only says that there is one." } }
        }
        .into_string(),
    }
}

/// Tells a topic that a request waits: without a link, since nobody knows who reads it.
pub(crate) fn announce_waiting(request: &UntrustedRequest) -> Text {
    let operation = plain(&request.operation);
    let said =
        format!("{} asks for {operation} on target {}, until {}.", request.agent, request.target, request.expires_at);
    Text {
        subject: format!("Approval needed: {operation} by {}", request.agent),
        text: format!("{said}\n\nRequest {}. Those who may decide have links of their own by mail.\n", request.request),
        html: html! { p { (said) } }.into_string(),
    }
}

/// Tells one person what became of a request.
pub(crate) fn announce(request: &UntrustedRequest, state: Announced) -> Text {
    let operation = plain(&request.operation);
    let said = format!("{operation} by {} {}.", request.agent, state.words());
    Text {
        subject: format!("{operation} by {} {}", request.agent, state.as_str()),
        text: format!("{said}\n\nRequest {}.\n", request.request),
        html: html! { p { (said) } p { "Request " code { (request.request) } } }.into_string(),
    }
}

/// `service:Operation` as the catalogue writes it; anything else is not repeated.
fn plain(operation: &str) -> &str {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b":-".contains(&byte);
    if operation.len() <= 120 && operation.bytes().all(fits) { operation } else { "a call" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_operation_names_are_repeated() {
        assert_eq!(plain("iam:CreateRole"), "iam:CreateRole");
        for odd in ["<b>x</b>", "iam:Create\nRole", "a b", &"x".repeat(121)] {
            assert_eq!(plain(odd), "a call");
        }
    }
}
