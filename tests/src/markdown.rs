//! As much of Markdown as our documents use.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

/// A document.
#[derive(Debug)]
pub struct Document {
    /// Its path from the root.
    pub path: String,
    /// All of it.
    pub text: String,
    /// Its fenced blocks.
    pub blocks: Vec<Block>,
    /// Where its links lead.
    pub links: Vec<String>,
}

/// A fenced block.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// File and line, for messages.
    pub place: String,
    /// The word after the fence.
    pub language: String,
    /// What stands in `<!-- check: … -->` on the line before.
    pub check: Option<String>,
    /// What is between the fences.
    pub text: String,
}

impl Document {
    /// Reads the document at `path` from `root`.
    ///
    /// # Errors
    /// When it cannot be read, or a block is not closed.
    pub fn read(root: &Path, path: String) -> Result<Self> {
        let text = fs::read_to_string(root.join(&path)).with_context(|| path.clone())?;
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let mut prose = String::new();
        let mut before = "";
        for (number, line) in text.lines().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (Some(_), Some("")) => blocks.extend(open.take()),
                (Some(block), _) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, Some(language)) => {
                    let check = before.strip_prefix("<!-- check: ").and_then(|rest| rest.strip_suffix(" -->"));
                    open = Some(Block {
                        place: format!("{path}:{}", number + 1),
                        language: language.to_owned(),
                        check: check.map(str::to_owned),
                        text: String::new(),
                    });
                }
                (None, None) => {
                    prose.push_str(line);
                    prose.push('\n');
                }
            }
            before = line;
        }
        ensure!(open.is_none(), "{path}: a block is not closed");
        Ok(Self { links: links(&prose), path, text, blocks })
    }

    /// The file that `link` leads to from this document.
    pub fn beside(&self, root: &Path, link: &str) -> PathBuf {
        root.join(&self.path).parent().map_or_else(PathBuf::new, |folder| folder.join(link))
    }
}

/// The targets of `[text](target)`.
fn links(prose: &str) -> Vec<String> {
    prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// The headings of a text, without their marks; `#` within blocks is none.
pub fn headings(text: &str) -> impl Iterator<Item = &str> {
    let mut in_block = false;
    text.lines().filter_map(move |line| {
        if line.starts_with("```") {
            in_block = !in_block;
        }
        let title = line.trim_start_matches('#');
        (!in_block && title.len() < line.len()).then(|| title.trim())
    })
}

/// The anchor that GitHub gives a heading.
pub fn anchor_of(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_links_and_headings_are_found() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let text =
            "# A b\n[x](y.md#z) and [w](v)\n<!-- check: syntax -->\n```sh\n# no heading [a](b)\n```\n## `C`: d!\n";
        fs::write(folder.path().join("a.md"), text)?;
        let document = Document::read(folder.path(), "a.md".to_owned())?;
        ensure!(document.links == ["y.md#z", "v"], "{:?}", document.links);
        let block = document.blocks.first().context("no block")?;
        ensure!((block.language.as_str(), block.check.as_deref()) == ("sh", Some("syntax")), "{block:?}");
        ensure!(block.text == "# no heading [a](b)\n" && block.place == "a.md:4", "{block:?}");
        let anchors: Vec<_> = headings(text).map(anchor_of).collect();
        ensure!(anchors == ["a-b", "c-d"], "{anchors:?}");
        Ok(())
    }
}
