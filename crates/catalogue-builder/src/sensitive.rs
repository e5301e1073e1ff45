//! The reviewed supplement to AWS's own marks of what is sensitive.

use crate::BuildError;

const TABLE: &str = include_str!("../tables/sensitive.txt");

/// The rows of `tables/sensitive.txt`, each `service Shape.Member reason…`.
pub struct Supplement {
    rows: Vec<Row>,
}

struct Row {
    line: usize,
    service: &'static str,
    shape: &'static str,
    member: &'static str,
    used: bool,
}

impl Supplement {
    /// Reads the table.
    ///
    /// # Errors
    /// [`BuildError::Table`] for a row without its reason, or otherwise not in form.
    pub fn read() -> Result<Self, BuildError> {
        let mut rows = Vec::new();
        for (number, line) in TABLE.lines().enumerate() {
            let line_number = number + 1;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong =
                |what: &str| BuildError::Table { table: "sensitive.txt", line: line_number, what: what.to_owned() };
            let mut columns = line.split_whitespace();
            let service = columns.next().ok_or_else(|| wrong("no service"))?;
            let (shape, member) = columns
                .next()
                .and_then(|place| place.split_once('.'))
                .ok_or_else(|| wrong("the second column should be `Shape.Member`"))?;
            if columns.next().is_none() {
                return Err(wrong("no reason"));
            }
            // `Shape.[]` marks the items of a list, or the keys and values of a map.
            let member = if member == "[]" { "" } else { member };
            rows.push(Row { line: line_number, service, shape, member, used: false });
        }
        Ok(Self { rows })
    }

    /// Whether the table marks `member` of `shape` in `service`.
    pub fn marks(&mut self, service: &str, shape: &str, member: &str) -> bool {
        let row = self.rows.iter_mut().find(|row| row.service == service && row.shape == shape && row.member == member);
        row.is_some_and(|row| {
            row.used = true;
            true
        })
    }

    /// Checks that every row marked something: a row that no longer does has lost its meaning.
    ///
    /// # Errors
    /// [`BuildError::Table`] for the first row that marked nothing.
    pub fn check(&self) -> Result<(), BuildError> {
        match self.rows.iter().find(|row| !row.used) {
            None => Ok(()),
            Some(row) => Err(BuildError::Table {
                table: "sensitive.txt",
                line: row.line,
                what: format!("`{} {}.{}` is not in the models", row.service, row.shape, row.member),
            }),
        }
    }
}
