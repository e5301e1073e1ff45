//! The reviewed tables: what the models do not say, each row with its reason.

use crate::BuildError;

/// A table of rows `service Shape.Member … reason`.
pub struct Table {
    name: &'static str,
    rows: Vec<Row>,
}

struct Row {
    line: usize,
    service: &'static str,
    shape: &'static str,
    member: &'static str,
    /// The third column, in tables that have one before the reason.
    value: &'static str,
    used: bool,
}

/// The tables that the models are read with.
pub struct Tables {
    /// Members that are secret although AWS does not mark them.
    pub sensitive: Table,
    /// Names in the query protocol.
    pub query_names: Table,
}

impl Tables {
    /// Reads the tables.
    ///
    /// # Errors
    /// [`BuildError::Table`] for a row without its reason, or otherwise not in form.
    pub fn read() -> Result<Self, BuildError> {
        Ok(Self {
            sensitive: Table::read("sensitive.txt", include_str!("../tables/sensitive.txt"), false)?,
            query_names: Table::read("query-names.txt", include_str!("../tables/query-names.txt"), true)?,
        })
    }

    /// Checks that every row was used: one that no longer is has lost its meaning.
    ///
    /// # Errors
    /// [`BuildError::Table`] for the first row that was not.
    pub fn check(&self) -> Result<(), BuildError> {
        self.sensitive.check()?;
        self.query_names.check()
    }
}

impl Table {
    fn read(name: &'static str, text: &'static str, has_value: bool) -> Result<Self, BuildError> {
        let mut rows = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let line_number = number + 1;
            let wrong = |what: &str| BuildError::Table { table: name, line: line_number, what: what.to_owned() };
            let mut columns = line.split_whitespace();
            let service = columns.next().ok_or_else(|| wrong("no service"))?;
            let place = columns.next().and_then(|place| place.split_once('.'));
            let (shape, member) = place.ok_or_else(|| wrong("the second column should be `Shape.Member`"))?;
            let value = if has_value { columns.next().ok_or_else(|| wrong("no value"))? } else { "" };
            if columns.next().is_none() {
                return Err(wrong("no reason"));
            }
            rows.push(Row { line: line_number, service, shape, member, value, used: false });
        }
        Ok(Self { name, rows })
    }

    /// The value of the row for `member` of `shape` in `service`, if there is one.
    pub fn value(&mut self, service: &str, shape: &str, member: &str) -> Option<&'static str> {
        let row =
            self.rows.iter_mut().find(|row| row.service == service && row.shape == shape && row.member == member)?;
        row.used = true;
        Some(row.value)
    }

    fn check(&self) -> Result<(), BuildError> {
        match self.rows.iter().find(|row| !row.used) {
            None => Ok(()),
            Some(row) => Err(BuildError::Table {
                table: self.name,
                line: row.line,
                what: format!("`{} {}.{}` is not in the models", row.service, row.shape, row.member),
            }),
        }
    }
}
