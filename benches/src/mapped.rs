//! How much of the data that is compiled into a program a process has mapped.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

use anyhow::{Context, Result};

const PAGE: u64 = 4096;

/// So many bytes from its beginning tell a blob from everything else in a program.
const TELLING: usize = 64;

/// Where `blob` begins in the bytes of a program.
pub(crate) fn place_in(program: &[u8], blob: &[u8]) -> Option<u64> {
    let beginning = blob.get(..TELLING)?;
    let place = program.windows(TELLING).position(|window| window == beginning)?;
    u64::try_from(place).ok()
}

/// How many KB of the `length` bytes from `place` in the file of its program a process has mapped. The kernel maps what
/// it has at hand around a page that is touched, so fewer may have been read.
/// Source: the kernel's `Documentation/admin-guide/mm/pagemap.rst` (bit 63: the page is present) and proc(5).
pub(crate) fn kilobytes(process: u32, place: u64, length: u64) -> Result<u64> {
    let program = fs::read_link(format!("/proc/{process}/exe"))?;
    let program = program.to_str().context("the program's path is no text")?;
    let pages = File::open(format!("/proc/{process}/pagemap"))?;
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let mut present = 0;
    for line in maps.lines().filter(|line| line.ends_with(program)) {
        let Some((from, to, offset)) = range(line) else { continue };
        let last = offset + (to - from);
        for page in (offset..last).step_by(4096).filter(|page| page + PAGE > place && *page < place + length) {
            let mut entry = [0; 8];
            pages.read_exact_at(&mut entry, (from + (page - offset)) / PAGE * 8)?;
            present += u64::from_ne_bytes(entry) >> 63;
        }
    }
    Ok(present * PAGE / 1024)
}

/// Begin, end and place in the file of a line such as `5555-6666 r--p 00001000 08:01 42 /program`.
fn range(line: &str) -> Option<(u64, u64, u64)> {
    let mut words = line.split_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(from)?, number(to)?, number(words.nth(1)?)?))
}
