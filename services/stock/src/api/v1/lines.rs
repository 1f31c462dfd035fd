//! Rows of a body that comes in pieces: lines of NDJSON, or records of CSV, which may have line ends within quotes.

/// The longest row, in bytes.
pub(super) const ROW_MAX: usize = 128 * 1024;

/// A row, and the number of the line with which it begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RawRow {
    pub line: u64,
    pub bytes: Vec<u8>,
}

/// A row is longer than [`ROW_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong {
    pub line: u64,
}

/// Takes pieces of a body and gives whole rows.
#[derive(Debug)]
pub(super) struct Rows {
    has_quotes: bool,
    row: Vec<u8>,
    is_quoted: bool,
    line: u64,
    begins: u64,
}

impl Rows {
    /// Of CSV, which has quotes, or of NDJSON.
    pub(super) fn new(has_quotes: bool) -> Self {
        Rows { has_quotes, row: Vec::new(), is_quoted: false, line: 1, begins: 1 }
    }

    /// Takes a piece; puts the rows that are whole now behind the others. Empty lines are no rows.
    ///
    /// # Errors
    /// `TooLong`: nothing behind it can be read.
    pub(super) fn take(&mut self, mut piece: &[u8], rows: &mut Vec<RawRow>) -> Result<(), TooLong> {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (part, rest) = piece.split_at(end);
            self.push(part)?;
            piece = &rest[1..];
            self.line += 1;
            if self.is_quoted {
                self.row.push(b'\n');
            } else {
                rows.extend(self.end());
            }
        }
        self.push(piece)
    }

    /// The row that no line end follows.
    pub(super) fn end(&mut self) -> Option<RawRow> {
        let (bytes, line) = (std::mem::take(&mut self.row), std::mem::replace(&mut self.begins, self.line));
        self.is_quoted = false;
        (!bytes.trim_ascii().is_empty()).then_some(RawRow { line, bytes })
    }

    fn push(&mut self, part: &[u8]) -> Result<(), TooLong> {
        if self.row.len() + part.len() > ROW_MAX {
            return Err(TooLong { line: self.begins });
        }
        // A quote in quotes is two of them.
        if self.has_quotes && part.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
            self.is_quoted = !self.is_quoted;
        }
        self.row.extend_from_slice(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(has_quotes: bool, pieces: &[&str]) -> Vec<(u64, String)> {
        let (mut rows, mut found) = (Rows::new(has_quotes), Vec::new());
        pieces.iter().for_each(|piece| rows.take(piece.as_bytes(), &mut found).unwrap());
        found.extend(rows.end());
        found.into_iter().map(|row| (row.line, String::from_utf8(row.bytes).unwrap())).collect()
    }

    fn row(line: u64, text: &str) -> (u64, String) {
        (line, text.to_owned())
    }

    #[test]
    fn rows_are_put_together_from_pieces() {
        assert_eq!(
            rows(false, &["{\"a\":", "1}\n\n {\"b", "\":\"\\\"\"}\r\n{}"]),
            [row(1, "{\"a\":1}"), row(3, " {\"b\":\"\\\"\"}\r"), row(4, "{}"),]
        );
    }

    #[test]
    fn a_record_of_csv_may_go_over_lines() {
        assert_eq!(rows(true, &["a,\"b\nc\"\"\n", "\"\nd\n"]), [row(1, "a,\"b\nc\"\"\n\""), row(4, "d")]);
    }

    #[test]
    fn a_row_has_a_bound() {
        let (mut rows, mut found) = (Rows::new(false), Vec::new());
        assert_eq!(rows.take(b"\n", &mut found), Ok(()));
        assert_eq!(rows.take(&vec![b'a'; ROW_MAX + 1], &mut found), Err(TooLong { line: 2 }));
    }
}
