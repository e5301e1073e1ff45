//! What the documentation of a member says that it may hold.

use crate::members::Member;

/// Whether anything about the member says that it holds an ARN.
pub(crate) fn may_be_an_arn(member: &Member) -> bool {
    let holds_word = |text: &str| words(text).any(|word| matches!(word.as_str(), "arn" | "arns"));
    member.plain.ends_with("arn")
        || member.pattern.contains("arn")
        || member.shape.to_ascii_lowercase().contains("arn")
        || member.documentation.contains("Amazon Resource Name")
        || holds_word(&member.documentation)
}

/// Whether a member for an id may hold a name or an alias instead, as in "the ID or name of the
/// application". An id of AWS's making then does not stand in the request, and a name is not in the ARN.
pub(super) fn may_be_another_name(member: &Member, variable: &str) -> bool {
    if !variable.ends_with("id") && !variable.ends_with("identifier") {
        return false;
    }
    let text = member.documentation.to_ascii_lowercase().replace("resource name", "arn");
    let words: Vec<_> = words(&text).collect();
    let is_name = |word: &str| {
        matches!(word, "name" | "names") || (!variable.contains("alias") && matches!(word, "alias" | "aliases"))
    };
    words.iter().enumerate().filter(|(_, word)| is_name(word)).any(|(at, word)| {
        let before = words.get(at.saturating_sub(3)..at).unwrap_or_default();
        let after = words.get(at + 1).map(String::as_str).unwrap_or_default();
        matches!(after, "or" | "," | "/")
            || before.iter().any(|word| matches!(word.as_str(), "or" | "either" | "and"))
            || (word == "name" && before.last().is_some_and(|word| word == "alias"))
    })
}

/// The words of a text in small letters, and its commas and slashes, without its HTML tags.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut spaced = String::new();
    let mut in_tag = false;
    for char in text.chars() {
        match char {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                spaced.push(' ');
            }
            _ if in_tag => {}
            ',' | '/' => spaced.extend([' ', char, ' ']),
            _ if char.is_ascii_alphanumeric() => spaced.push(char.to_ascii_lowercase()),
            _ => spaced.push(' '),
        }
    }
    spaced.split_whitespace().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_documentation_says_of_names_and_arns() {
        for (text, other, arn) in [
            ("The application ID or name.", true, false),
            ("The name, ID, or ARN of the application.", true, true),
            ("Specify either the name or the ARN of the group.", true, true),
            ("The Amazon Resource Name (ARN) or name of the throughput.", true, true),
            ("To specify a policy store, use its ID or alias name.", true, false),
            ("The Amazon Resource Name (ARN) or ID of the registry.", false, true),
            ("The unique identifier of the agent that the alias belongs to.", false, false),
            ("The name of the replication group.", false, false),
            ("<p>The identifier of the instance, not its name</p>", false, false),
            ("The account that you want to learn of.", false, false),
        ] {
            let member = Member { documentation: text.to_owned(), ..Member::named("ApplicationId") };
            assert_eq!(may_be_another_name(&member, "applicationid"), other, "{text}");
            assert_eq!(may_be_an_arn(&member), arn, "{text}");
            assert!(!may_be_another_name(&member, "applicationname"), "{text}");
        }
    }
}
