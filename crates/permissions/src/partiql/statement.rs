//! PartiQL statements as DynamoDB takes them (DynamoDB Developer Guide, "PartiQL for DynamoDB").

use super::lexer::{Token, tokens};

/// The table, or index of a table, that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) index: Option<String>,
    /// Whether every name was in double quotes.
    pub(crate) quoted: bool,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    Select(Table),
    Insert(Table),
    Update(Table),
    Delete(Table),
    /// A transaction's condition check.
    Exists(Table),
}

/// Words that open another statement or bring in another table. None may stand where the grammar
/// does not expect it.
const STATEMENT_WORDS: [&str; 14] = [
    "select",
    "insert",
    "update",
    "delete",
    "from",
    "into",
    "join",
    "union",
    "intersect",
    "except",
    "replace",
    "upsert",
    "exec",
    "unpivot",
];

/// Reads one statement; `None` if it is not one that DynamoDB takes.
pub(crate) fn parse(text: &str) -> Option<Statement> {
    let tokens = tokens(text)?;
    let mut rest = tokens.as_slice();
    let statement = match rest.split_first()? {
        (first, after) if first.is("exists") => {
            let (open, after) = after.split_first()?;
            let (close, inner) = after.split_last()?;
            if *open != Token::Open('(') || *close != Token::Close('(') {
                return None;
            }
            let (table, tail) = select(inner)?;
            rest = tail;
            Statement::Exists(table)
        }
        (first, _) if first.is("select") => {
            let (table, tail) = select(rest)?;
            rest = tail;
            Statement::Select(table)
        }
        (first, after) if first.is("insert") => {
            let (table, tail) = table(expect(after, "into")?)?;
            rest = expect(tail, "value")?;
            Statement::Insert(table)
        }
        (first, after) if first.is("update") => {
            let (table, tail) = table(after)?;
            let next = tail.first()?;
            if !next.is("set") && !next.is("remove") {
                return None;
            }
            rest = tail;
            Statement::Update(table)
        }
        (first, after) if first.is("delete") => {
            let (table, tail) = table(expect(after, "from")?)?;
            expect(tail, "where")?;
            rest = tail;
            Statement::Delete(table)
        }
        _ => return None,
    };
    is_plain_tail(rest).then_some(statement)
}

/// `SELECT` columns `FROM` table: the table and what follows it.
fn select(tokens: &[Token]) -> Option<(Table, &[Token])> {
    let after = expect(tokens, "select")?;
    let from = after.iter().position(|token| token.is("from"))?;
    let (columns, tail) = after.split_at_checked(from)?;
    if columns.is_empty() || !is_plain_tail(columns) {
        return None;
    }
    let (table, tail) = table(expect(tail, "from")?)?;
    match tail.first() {
        None => Some((table, tail)),
        Some(next) if next.is("where") || next.is("order") => Some((table, tail)),
        Some(_) => None,
    }
}

fn expect<'t>(tokens: &'t [Token], keyword: &str) -> Option<&'t [Token]> {
    tokens.split_first().filter(|(first, _)| first.is(keyword)).map(|(_, rest)| rest)
}

/// `name` or `name.index`.
fn table(tokens: &[Token]) -> Option<(Table, &[Token])> {
    let (name, quoted, mut rest) = name(tokens)?;
    let mut table = Table { name, index: None, quoted };
    if let Some((Token::Dot, after)) = rest.split_first() {
        let (index, index_quoted, after) = self::name(after)?;
        table.index = Some(index);
        table.quoted &= index_quoted;
        rest = after;
    }
    Some((table, rest))
}

fn name(tokens: &[Token]) -> Option<(String, bool, &[Token])> {
    match tokens.split_first()? {
        (Token::Quoted(name), rest) => Some((name.clone(), true, rest)),
        (Token::Word(name), rest) if !is_statement_word(name) => Some((name.clone(), false, rest)),
        _ => None,
    }
}

fn is_statement_word(word: &str) -> bool {
    STATEMENT_WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether brackets are balanced and no other statement begins.
fn is_plain_tail(tokens: &[Token]) -> bool {
    let mut open = Vec::new();
    for token in tokens {
        match token {
            Token::Open(bracket) => open.push(*bracket),
            Token::Close(bracket) if open.pop() != Some(*bracket) => return false,
            Token::Word(word) if is_statement_word(word) => return false,
            _ => {}
        }
    }
    open.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, index: Option<&str>, quoted: bool) -> Table {
        Table { name: name.into(), index: index.map(Into::into), quoted }
    }

    #[test]
    fn statements_are_read() {
        for (text, expected) in [
            (r#"SELECT * FROM "Music""#, Statement::Select(table("Music", None, true))),
            (
                r#"select "a b", x.y[0] from "Music"."idx" where x='from' and y in [1,2]"#,
                Statement::Select(table("Music", Some("idx"), true)),
            ),
            ("SELECT * FROM Music WHERE a=?", Statement::Select(table("Music", None, false))),
            (
                r#"INSERT INTO "Music" VALUE {'Artist':'A ''B''','l':[1,<<2>>]}"#,
                Statement::Insert(table("Music", None, true)),
            ),
            (
                r#"UPDATE "Music" SET a=1 SET b=list_append(b,['x']) REMOVE c WHERE k='v' RETURNING ALL OLD *"#,
                Statement::Update(table("Music", None, true)),
            ),
            (r#"DELETE FROM "Music" WHERE k=? RETURNING ALL OLD *"#, Statement::Delete(table("Music", None, true))),
            (r#"EXISTS(SELECT * FROM "Music" WHERE k='v')"#, Statement::Exists(table("Music", None, true))),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "DROP TABLE x",
            r#"SELECT * FROM "a", "b""#,
            r#"SELECT * FROM "a" JOIN "b" ON 1=1"#,
            r#"SELECT * FROM "a" WHERE x IN (SELECT y FROM "b")"#,
            r#"SELECT (SELECT * FROM "b") FROM "a""#,
            r#"SELECT * FROM "a" -- "b""#,
            r#"SELECT * FROM /* "b" */ "a""#,
            r#"SELECT * FROM "a" WHERE (x=1"#,
            r#"SELECT * FROM "a"; DELETE FROM "a" WHERE 1=1"#,
            r#"INSERT INTO "a" SELECT * FROM "b""#,
            r#"DELETE FROM "a""#,
            r#"SELECT FROM "a""#,
            r#"SELECT * FROM "a"."b"."c""#,
            r#"SELECT * FROM "a"#,
            r#"UPDATE "a" WHERE k=1"#,
            r#"SELECT * FROM "a" WHERE x = `ion`"#,
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
