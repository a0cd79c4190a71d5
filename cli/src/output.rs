//! How answers are printed: a table for people, the v1 messages in JSON for programs.

use comfy_table::{CellAlignment, Table, TableStyle};
use serde::Serialize;

use crate::failure::Failure;

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// What people look for
    #[default]
    Table,
    /// The same with whole ids and more columns
    Wide,
    /// The messages of the API, one document, or one a line for what goes on
    Json,
}

/// One column of a table.
pub(crate) struct Column {
    name: &'static str,
    is_number: bool,
    is_wide: bool,
}

impl Column {
    /// A column of text.
    pub(crate) const fn text(name: &'static str) -> Self {
        Self {
            name,
            is_number: false,
            is_wide: false,
        }
    }

    /// A column of numbers, aligned to the right.
    pub(crate) const fn number(name: &'static str) -> Self {
        Self {
            name,
            is_number: true,
            is_wide: false,
        }
    }

    /// A column that only `-o wide` shows.
    pub(crate) const fn wide(name: &'static str) -> Self {
        Self {
            name,
            is_number: false,
            is_wide: true,
        }
    }
}

/// Prints `message` as JSON, or the rows that `row` makes.
pub(crate) fn print<M: Serialize>(
    format: Format,
    message: &M,
    columns: &[Column],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> Result<(), Failure> {
    match format {
        Format::Json => print_json(message),
        Format::Table | Format::Wide => {
            println!("{}", table(format == Format::Wide, columns, rows));
            Ok(())
        }
    }
}

/// Prints one document, indented.
pub(crate) fn print_json<M: Serialize>(message: &M) -> Result<(), Failure> {
    println!(
        "{}",
        serde_json::to_string_pretty(message).map_err(Failure::failed)?
    );
    Ok(())
}

/// Prints one document on one line: an item of a stream.
pub(crate) fn print_json_line<M: Serialize>(message: &M) -> Result<(), Failure> {
    println!(
        "{}",
        serde_json::to_string(message).map_err(Failure::failed)?
    );
    Ok(())
}

fn table(is_wide: bool, columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let shown = |at: usize| is_wide || !columns[at].is_wide;
    let pick = |row: Vec<String>| -> Vec<String> {
        row.into_iter()
            .enumerate()
            .filter(|(at, _)| shown(*at))
            .map(|(_, cell)| cell)
            .collect()
    };
    let mut table = Table::new();
    table.load_style(TableStyle::new());
    table.set_header(pick(columns.iter().map(|it| it.name.to_owned()).collect()));
    for row in rows {
        table.add_row(pick(row));
    }
    let visible: Vec<&Column> = columns.iter().filter(|it| is_wide || !it.is_wide).collect();
    for (at, column) in visible.iter().enumerate() {
        if let Some(shown) = table.column_mut(at) {
            shown.set_padding((0, 2));
            if column.is_number {
                shown.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let lines = table.to_string();
    lines
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A quantity without needless digits.
pub(crate) fn number(value: f64) -> String {
    // The sum of nothing is minus zero.
    let text = format!("{:.3}", value + 0.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::text("NAME"),
        Column::number("CPUS"),
        Column::wide("ID"),
    ];

    fn rows() -> Vec<Vec<String>> {
        vec![
            vec!["a".into(), "1".into(), "x-1".into()],
            vec!["bcd".into(), "0.5".into(), "x-2".into()],
        ]
    }

    #[test]
    fn a_table_aligns_numbers_and_hides_wide_columns() {
        assert_eq!(
            table(false, &COLUMNS, rows()),
            "NAME  CPUS\na        1\nbcd    0.5"
        );
    }

    #[test]
    fn a_wide_table_shows_every_column() {
        assert_eq!(
            table(true, &COLUMNS, rows()).lines().next(),
            Some("NAME  CPUS  ID")
        );
    }

    #[test]
    fn numbers_lose_trailing_zeros_only() {
        assert_eq!([number(2.0), number(0.1), number(10.0)], ["2", "0.1", "10"]);
        assert_eq!(number([].iter().sum::<f64>()), "0");
    }
}
