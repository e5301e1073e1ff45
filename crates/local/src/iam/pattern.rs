//! Wildcards and policy variables, as they appear in actions, resources and condition values.

use super::conditions::Context;

/// One step of a compiled pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// `*`: any run of characters, also none.
    Any,
    /// `?`: exactly one character.
    One,
    /// The character itself.
    Literal(char),
}

/// A pattern in which policy variables were replaced by the values of one request.
#[derive(Clone, Debug)]
pub struct Pattern(Vec<Token>);

impl Pattern {
    /// Compiles `text` with `*` and `?` as wildcards and `${key}` as the request's value.
    ///
    /// `None` if a variable has no value in the request and no default: such an element matches
    /// nothing (IAM User Guide, "Policy elements: variables and tags").
    pub fn wildcards(text: &str, context: &Context) -> Option<Self> {
        compile(text, context, true)
    }

    /// Compiles `text` without wildcards; variables are still replaced.
    pub fn literal(text: &str, context: &Context) -> Option<Self> {
        compile(text, context, false)
    }

    /// Whether the whole of `candidate` fits.
    pub fn matches(&self, candidate: &str) -> bool {
        let candidate: Vec<char> = candidate.chars().collect();
        matches_tokens(&self.0, &candidate)
    }

    /// Whether the whole of `candidate` fits when letter case is ignored.
    pub fn matches_ignoring_case(&self, candidate: &str) -> bool {
        let candidate: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
        let tokens: Vec<Token> = self
            .0
            .iter()
            .flat_map(|token| match token {
                Token::Literal(character) => character.to_lowercase().map(Token::Literal).collect(),
                other => vec![*other],
            })
            .collect();
        matches_tokens(&tokens, &candidate)
    }

    /// Whether `candidate` fits as an ARN: each of the six parts by itself, so that a wildcard
    /// in one part never swallows the next.
    pub fn matches_arn(&self, candidate: &str) -> bool {
        let patterns: Vec<&[Token]> = self.0.splitn(6, |token| *token == Token::Literal(':')).collect();
        let parts: Vec<&str> = candidate.splitn(6, ':').collect();
        if patterns.len() == 1 {
            return self.0 == [Token::Any];
        }
        patterns.len() == parts.len()
            && patterns.iter().zip(parts).all(|(pattern, part)| {
                let part: Vec<char> = part.chars().collect();
                matches_tokens(pattern, &part)
            })
    }
}

fn compile(text: &str, context: &Context, wildcards: bool) -> Option<Pattern> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some((variable, after)) = rest.strip_prefix("${").and_then(|tail| tail.split_once('}')) {
            tokens.extend(variable_value(variable, context)?.chars().map(Token::Literal));
            rest = after;
            continue;
        }
        tokens.push(match character {
            '*' if wildcards => Token::Any,
            '?' if wildcards => Token::One,
            other => Token::Literal(other),
        });
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
    Some(Pattern(tokens))
}

/// The value of `key`, `key, 'default'`, or one of the escapes `*`, `?` and `$`.
fn variable_value(variable: &str, context: &Context) -> Option<String> {
    if matches!(variable, "*" | "?" | "$") {
        return Some(variable.to_owned());
    }
    let (key, default) = match variable.split_once(',') {
        Some((key, default)) => {
            (key.trim(), default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\'')))
        }
        None => (variable.trim(), None),
    };
    match context.values(key) {
        // A key with several values cannot be a variable.
        Some([value]) => Some(value.clone()),
        Some(_) => None,
        None => default.map(str::to_owned),
    }
}

/// Greedy matching with one remembered `*`: linear in practice, never exponential.
fn matches_tokens(tokens: &[Token], candidate: &[char]) -> bool {
    let (mut token, mut place) = (0, 0);
    let mut last_any: Option<(usize, usize)> = None;
    while let Some(character) = candidate.get(place) {
        match tokens.get(token) {
            Some(Token::Any) => {
                last_any = Some((token, place));
                token += 1;
                continue;
            }
            Some(Token::One) => {}
            Some(Token::Literal(expected)) if expected == character => {}
            _ => {
                let Some((any, from)) = last_any else { return false };
                last_any = Some((any, from + 1));
                token = any + 1;
                place = from + 1;
                continue;
            }
        }
        token += 1;
        place += 1;
    }
    tokens.iter().skip(token).all(|rest| *rest == Token::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_iam() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("s3:Get*", "s3:GetObject", true),
            ("s3:Get*", "s3:PutObject", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*ab*ab", "xxabyyabzzab", true),
            ("*ab*ab", "xxabyyabzz", false),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/a:b/c", true),
            ("${*}", "*", true),
            ("${*}", "x", false),
            ("${$}{x}", "${x}", true),
            ("REQ#*", "REQ#r-1", true),
            ("REQ#*", "REQ", false),
        ] {
            let compiled = Pattern::wildcards(pattern, &Context::default()).expect("compiles");
            assert_eq!(compiled.matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn variables_take_the_requests_value_and_never_become_wildcards() {
        let context = Context::from_pairs([("aws:PrincipalTag/team", "a*b"), ("aws:username", "ann")]);
        let team = Pattern::wildcards("x/${aws:PrincipalTag/team}/*", &context).expect("compiles");
        assert!(team.matches("x/a*b/c"));
        assert!(!team.matches("x/aZb/c"));
        assert!(Pattern::wildcards("x/${aws:PrincipalTag/other}", &context).is_none());
        let fallback = Pattern::wildcards("x/${aws:PrincipalTag/other, 'none'}", &context).expect("compiles");
        assert!(fallback.matches("x/none"));
    }

    #[test]
    fn a_wildcard_in_one_part_of_an_arn_stays_there() {
        let context = Context::default();
        let like = |pattern: &str, arn: &str| Pattern::wildcards(pattern, &context).expect("compiles").matches_arn(arn);
        assert!(like("arn:aws:iam::*:role/x", "arn:aws:iam::123456789012:role/x"));
        assert!(!like("arn:aws:iam:*:role/x", "arn:aws:iam::123456789012:role/x"));
        assert!(like("arn:aws:iam::123456789012:role/*", "arn:aws:iam::123456789012:role/a:b/c"));
        assert!(like("*", "arn:aws:iam::123456789012:role/x"));
    }
}
