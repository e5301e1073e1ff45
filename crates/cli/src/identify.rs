//! `countersign identify`: requests in, what they are out, one line for one line.

mod answer;
mod host;
mod json;
mod lines;
mod meaning;
mod request;
mod scope;
mod table;
mod unframe;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
};

use crate::{
    cli::IdentifyOptions,
    ending::{CliError, Ending},
};

use answer::Answer;
pub(crate) use answer::protocol_name;
use lines::{Line, Lines};
use request::Captured;

/// Requests of 10 MB, API Gateway's limit, are 13.4 MB in base64; headers and parameters need room.
const LONGEST_LINE: usize = 32 * 1024 * 1024;

/// Identifies the requests of a file or of stdin.
///
/// # Errors
/// When the input cannot be read or the output not be written; what a line holds is never an error.
pub(crate) fn run(options: &IdentifyOptions) -> Result<Ending, CliError> {
    eprintln!("note: signatures are not verified; the gateway verifies every request before it looks at it");
    let output = BufWriter::new(io::stdout().lock());
    match &options.file {
        Some(path) => {
            let file = File::open(path).map_err(|source| CliError::File { path: path.clone(), source })?;
            each_line(options, BufReader::new(file), output)
        }
        None => each_line(options, BufReader::new(io::stdin().lock()), output),
    }
}

fn each_line(options: &IdentifyOptions, input: impl BufRead, mut output: impl Write) -> Result<Ending, CliError> {
    let input_failed = |source| CliError::Stream { what: "the input", source };
    let mut lines = Lines::new(input, LONGEST_LINE);
    let mut number = 0;
    while let Some(line) = lines.next_line().map_err(input_failed)? {
        let answer = answer(options, &line);
        number += 1;
        let text = if options.table { table::block(number, &answer) } else { answer.to_json() + "\n" };
        output.write_all(text.as_bytes()).map_err(CliError::output)?;
        // Whoever waits for an answer before asking on gets it; whoever sends a file is not slowed down.
        if lines.would_wait() {
            output.flush().map_err(CliError::output)?;
        }
    }
    output.flush().map_err(CliError::output)?;
    Ok(Ending::Well)
}

fn answer(options: &IdentifyOptions, line: &Line<'_>) -> Answer {
    match line {
        Line::TooLong => Answer::unread(format!("UnreadableLine: the line is longer than {LONGEST_LINE} bytes")),
        Line::Text(bytes) => match Captured::read(bytes) {
            Ok(captured) => meaning::of(&captured, options),
            Err(error) => Answer::unread(format!("UnreadableLine: {error}")),
        },
    }
}
