//! The reviewed list of differences that are right.

use super::Difference;
use crate::BuildError;

/// Differences that are right, each with its reason.
#[derive(Clone, Debug)]
pub struct ExpectedDifferences {
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    line: usize,
    what: String,
    service: String,
    operation: String,
    kind: String,
    used: usize,
}

impl ExpectedDifferences {
    /// The committed list, `oracle/expected.txt`.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn committed() -> Result<Self, BuildError> {
        Self::parse(include_str!("../../oracle/expected.txt"))
    }

    /// Reads a list.
    ///
    /// # Errors
    /// [`BuildError::Table`] for a row without its reason, or otherwise not in form.
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let rows = lines.map(|(number, line)| {
            let row = Row::read(number + 1, line);
            row.ok_or_else(|| BuildError::Table {
                table: "oracle/expected.txt",
                line: number + 1,
                what: "columns are: what, service:Operation, kind, reason".to_owned(),
            })
        });
        Ok(Self { rows: rows.collect::<Result<_, _>>()? })
    }

    /// Whether the difference is on the list.
    pub(crate) fn covers(&mut self, difference: &Difference) -> bool {
        let row = self.rows.iter_mut().find(|row| row.fits(difference));
        if let Some(row) = row {
            row.used += 1;
            return true;
        }
        false
    }

    /// How often each row was used, in the order of the list.
    pub fn uses(&self) -> impl Iterator<Item = (String, usize)> {
        self.rows.iter().map(|row| {
            let Row { line, what, service, operation, kind, used } = row;
            (format!("line {line}: {what} {service}:{operation} {kind}"), *used)
        })
    }
}

impl Row {
    fn read(line: usize, text: &str) -> Option<Self> {
        let mut columns = text.split_whitespace();
        let (what, place, kind) = (columns.next()?, columns.next()?, columns.next()?);
        columns.next()?;
        let (service, operation) = place.split_once(':')?;
        let own = str::to_owned;
        Some(Row { line, what: own(what), service: own(service), operation: own(operation), kind: own(kind), used: 0 })
    }

    fn fits(&self, difference: &Difference) -> bool {
        let fits = |wanted: &str, found: &str| wanted == "*" || wanted == found;
        self.what == difference.what
            && fits(&self.service, &difference.service)
            && fits(&self.operation, &difference.operation)
            && fits(&self.kind, &difference.kind)
    }
}
