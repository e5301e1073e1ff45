//! PartiQL tokens (PartiQL specification, section 2).

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// An unquoted word: a keyword or a name, as written.
    Word(String),
    /// A name in double quotes, unescaped.
    Quoted(String),
    /// A text in single quotes; its content never matters here.
    Text,
    /// A number.
    Number,
    /// An opening bracket: `(`, `[`, `{` or `<<` as `<`.
    Open(char),
    /// A closing bracket, by its opening one.
    Close(char),
    /// A dot.
    Dot,
    /// Any other sign: `,`, `*`, `=`, `?` …
    Sign(char),
}

impl Token {
    /// Whether this is the unquoted word `keyword`, in any letter case.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// The tokens of a statement; `None` for a comment, an unclosed quote, or a character that PartiQL
/// does not have outside quotes.
pub(crate) fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            ' ' | '\t' | '\r' | '\n' => (None, rest.get(1..)?),
            '\'' => quoted(rest, '\'').map(|(_, after)| (Some(Token::Text), after))?,
            '"' => quoted(rest, '"').map(|(name, after)| (Some(Token::Quoted(name)), after))?,
            '0'..='9' => (Some(Token::Number), skip(rest, |char| char.is_ascii_alphanumeric() || char == '.')),
            'a'..='z' | 'A'..='Z' | '_' => {
                let after = skip(rest, |char| char.is_ascii_alphanumeric() || char == '_' || char == '$');
                let (word, after) = rest.split_at(rest.len() - after.len());
                (Some(Token::Word(word.to_owned())), after)
            }
            _ => sign(rest, first)?,
        };
        tokens.extend(token);
        rest = after;
    }
    Some(tokens)
}

fn sign(rest: &str, first: char) -> Option<(Option<Token>, &str)> {
    if rest.starts_with("--") || rest.starts_with("/*") {
        return None;
    }
    if let Some(after) = rest.strip_prefix("<<") {
        return Some((Some(Token::Open('<')), after));
    }
    if let Some(after) = rest.strip_prefix(">>") {
        return Some((Some(Token::Close('<')), after));
    }
    let token = match first {
        '(' | '[' | '{' => Token::Open(first),
        ')' => Token::Close('('),
        ']' => Token::Close('['),
        '}' => Token::Close('{'),
        '.' => Token::Dot,
        ',' | '*' | '=' | '<' | '>' | '!' | '+' | '-' | '/' | '%' | '|' | ':' | '?' => Token::Sign(first),
        _ => return None,
    };
    Some((Some(token), rest.get(1..)?))
}

/// The content of a quote, where a doubled quote is one, and what follows it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut rest = text.strip_prefix(quote)?;
    loop {
        let (before, after) = rest.split_once(quote)?;
        content.push_str(before);
        match after.strip_prefix(quote) {
            Some(more) => {
                content.push(quote);
                rest = more;
            }
            None => return Some((content, after)),
        }
    }
}

fn skip(text: &str, belongs: fn(char) -> bool) -> &str {
    text.trim_start_matches(belongs)
}
