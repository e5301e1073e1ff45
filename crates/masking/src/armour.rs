//! Private keys in PEM (RFC 7468) and OpenPGP armour.
//!
//! Only the key itself is found: the base64 that follows the first line of the armour without
//! anything else in between. What an agent writes between such lines, or after them, stays to be
//! read.

use std::ops::Range;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";
/// The longest label.
const LONGEST_LABEL: usize = 40;
/// The lines of headers at most (RFC 1421 §4.6, RFC 9580 §6.2), and the bytes of one.
const MOST_HEADERS: usize = 8;
const LONGEST_HEADER: usize = 300;
/// The shortest line of a key, but for its last: writers break lines at 64 or more.
const SHORTEST_LINE: usize = 16;
/// What stands between two lines at most: a line break, as it is or escaped, indentation, quotes.
const LONGEST_GAP: usize = 40;
/// No key is longer: RSA with 16,384 bits has 12,700 bytes.
const LONGEST_KEY: usize = 32 * 1024;

/// The base64 of every private key in `text`, in order.
pub(crate) fn private_keys(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.match_indices(BEGIN) {
        let covered = found.last().is_some_and(|last| at < last.end);
        if !covered && let Some(key) = after_label(text, at).and_then(|start| key_at(text, start)) {
            found.push(key);
        }
    }
    found
}

/// Where the first line of the armour ends, if it is a private key's.
fn after_label(text: &str, begin: usize) -> Option<usize> {
    let start = begin.checked_add(BEGIN.len())?;
    let fits = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ';
    let length = text.get(start..)?.bytes().take(LONGEST_LABEL).take_while(fits).count();
    let label_end = start.checked_add(length)?;
    let label = text.get(start..label_end)?;
    let is_private = label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK");
    let end = label_end.checked_add(DASHES.len())?;
    (is_private && text.get(label_end..end)? == DASHES).then_some(end)
}

/// The base64 that begins after `start`, its headers and a gap: line after line, as long as nothing
/// else stands between.
fn key_at(text: &str, start: usize) -> Option<Range<usize>> {
    let first = skip_headers(text, start)?;
    let mut end = first;
    let mut next = first;
    while end.saturating_sub(first) < LONGEST_KEY {
        let rest = text.get(next..)?;
        let line = rest.bytes().take_while(|byte| is_base64(*byte)).count();
        let after = next.checked_add(line)?;
        let gap = gap(text.get(after..)?);
        let follows = text.get(after.checked_add(gap)?..)?;
        // The end, or OpenPGP's line with the check sum before it.
        let is_last = follows.is_empty() || follows.starts_with(DASHES) || follows.starts_with('=');
        // A short word alone is no key.
        if line < SHORTEST_LINE && (line == 0 || !is_last || end == first) {
            break;
        }
        end = after;
        next = after.checked_add(gap)?;
        if gap == 0 {
            break;
        }
    }
    (end > first).then_some(first..end)
}

/// Where the first line of base64 begins.
fn skip_headers(text: &str, start: usize) -> Option<usize> {
    let mut at = start.checked_add(gap(text.get(start..)?))?;
    for _ in 0..MOST_HEADERS {
        let rest = text.get(at..)?;
        let goes_on = |byte: &u8| !matches!(byte, b'\n' | b'\r' | b'\\');
        let line = rest.bytes().take(LONGEST_HEADER).take_while(goes_on).count();
        let Some((name, _)) = rest.get(..line).and_then(|line| line.split_once(": ")) else { break };
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name || line == LONGEST_HEADER {
            break;
        }
        let after = at.checked_add(line)?;
        at = after.checked_add(gap(text.get(after..)?))?;
    }
    Some(at)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// The bytes of what may stand between two lines: white space, and what texts within texts put
/// there, which is quotes, commas and escaped line breaks.
fn gap(text: &str) -> usize {
    let mut bytes = text.bytes().take(LONGEST_GAP).peekable();
    let mut length = 0_usize;
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b',' | b'>' | b'|' | b'#' | b'*' => length += 1,
            b'\\' => {
                length += 1;
                if bytes.next_if(|next| matches!(next, b'n' | b'r' | b't')).is_some() {
                    length += 1;
                }
            }
            _ => break,
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "MIIEowIBAAKCAQEA7bq0MIIEowIBAAKCAQEA7bq0MIIEowIBAAKCAQEA7bq0abcd";

    fn hidden(text: &str) -> Vec<&str> {
        private_keys(text).into_iter().filter_map(|range| text.get(range)).collect()
    }

    fn key(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn every_form_of_a_key_is_hidden_from_its_first_line_to_its_last() {
        let body = format!("{LINE}\n{LINE}\nAbC=");
        for label in
            ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]
        {
            assert_eq!(hidden(&key(label, &body)), [&body], "{label}");
        }
        let encrypted = format!("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\n{body}");
        assert_eq!(hidden(&key("RSA PRIVATE KEY", &encrypted)), [&body]);
        let armour = format!("Version: GnuPG v2\n\n{body}\n=abcd");
        assert_eq!(hidden(&key("PGP PRIVATE KEY BLOCK", &armour)), [format!("{body}\n=abcd")]);
        for written in [
            body.replace('\n', "\r\n"),
            body.replace('\n', "\\n"),
            body.replace('\n', "\\\\n"),
            body.replace('\n', " "),
            body.replace('\n', "\n      "),
            body.replace('\n', "\\n\" ,\n  \""),
            LINE.repeat(30),
        ] {
            assert_eq!(
                hidden(&format!("x = \"-----BEGIN PRIVATE KEY-----\\n{written}\\n-----END PRIVATE KEY-----\"")),
                [&written]
            );
            let cut = format!("-----BEGIN PRIVATE KEY-----\n{written}");
            assert_eq!(hidden(&cut), [&written], "without its end");
        }
    }

    #[test]
    fn text_of_an_agent_between_such_lines_stays_to_be_read() {
        let command = "rm -rf / --no-preserve-root";
        for text in [
            key("PRIVATE KEY", command),
            key("PRIVATE KEY", "reboot"),
            key("PRIVATE KEY", &format!("\"; {command}; \"")),
            key("PRIVATE KEY", &format!("{LINE}\n{command}\n{LINE}")),
            format!("-----BEGIN PRIVATE KEY-----\n{LINE}\n{command}"),
            format!("-----BEGIN PRIVATE KEY-----\n{LINE}\n-----END PRIVATE KEY-----\n{command}"),
            format!("-----BEGIN PRIVATE KEY-----\nComment: {command}\n\n{LINE}\n-----END PRIVATE KEY-----"),
            format!("-----BEGIN PRIVATE KEY-----\n{LINE}\nreboot\n{command}\n-----END PRIVATE KEY-----"),
        ] {
            for hidden in hidden(&text) {
                assert!(!hidden.contains("rm") && !hidden.contains("reboot"), "`{hidden}` is hidden of {text}");
            }
        }
        let endless = key("PRIVATE KEY", &format!("{LINE}\n").repeat(2000));
        let most = hidden(&endless).iter().map(|hidden| hidden.len()).sum::<usize>();
        assert!(most <= LONGEST_KEY + LINE.len(), "{most} bytes are hidden");
    }

    #[test]
    fn what_is_no_private_key_is_left_alone() {
        for text in [
            key("CERTIFICATE", LINE),
            key("PUBLIC KEY", LINE),
            key("private key", LINE),
            format!("-----BEGIN {} PRIVATE KEY-----\n{LINE}", "A".repeat(50)),
            format!("-----BEGIN PRIVATE KEY\n{LINE}"),
            "-----BEGIN PRIVATE KEY-----".to_owned(),
            "-----BEGIN ".to_owned(),
        ] {
            assert!(private_keys(&text).is_empty(), "{text}");
        }
    }
}
