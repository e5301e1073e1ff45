//! The reviewed tables: text files in blocks, each with its reason.
//!
//! ```text
//! bind dynamodb:table
//!   on arn:$P:dynamodb:$R:$A:table/{TableName}
//!   because the member takes a name or an ARN
//!
//! operation dynamodb BatchGetItem
//!   check dynamodb:BatchGetItem each RequestItems{} on arn:$P:dynamodb:$R:$A:table/{@key}
//!   because AWS checks the action for each table
//!
//! class secret-returning ssm:GetParameter when WithDecryption=true
//!   because the value of a SecureString comes back in clear
//!
//! level xyz:GetIt Write
//!   because …
//!
//! fold rds
//!   because identifiers are stored in small letters
//!
//! account quicksight AwsAccountId
//!   because the member says whose the resource is
//! ```
//! `check` lines take the place of the mechanical primary checks, `also` lines are added to what is
//! there, `only` says that no mechanical secondary check is added. A line is the action (or
//! `@partiql`), then any of `when CONDITION`, `each PATH`, `on RESOURCE`, `or RESOURCE`, `optional`. A
//! RESOURCE is a template, an `@expression(…)`, `prefix:type` for that type's binding, or `*`: any, even
//! where AWS defines no resource for the action.

use std::path::Path;

use countersign_domain::{AccessLevel, Class};

use crate::error::BuildError;

/// A check as a table writes it.
#[derive(Clone, Debug, Default)]
pub struct CheckLine {
    /// The action's full name, or `@partiql`.
    pub action: String,
    /// The condition.
    pub when: String,
    /// The path whose values are checked one by one.
    pub each: String,
    /// Resources, the most specific first.
    pub resources: Vec<String>,
    /// Whether the row says `*`: any resource, even if AWS defines none for the action.
    pub any: bool,
    /// Whether the pair is left out when no resource is given.
    pub optional: bool,
}

/// A block about operations.
#[derive(Clone, Debug, Default)]
pub struct OperationBlock {
    /// The botocore service.
    pub service: String,
    /// The operations.
    pub operations: Vec<String>,
    /// Checks that replace the mechanical ones.
    pub checks: Vec<CheckLine>,
    /// Checks besides.
    pub also: Vec<CheckLine>,
    /// Whether mechanical secondary checks are left away.
    pub only: bool,
    /// Why the row is as it is.
    pub reason: String,
}

/// A block that gives a class.
#[derive(Clone, Debug)]
pub struct ClassBlock {
    /// The class.
    pub class: Class,
    /// `prefix:Action` names, or `service/Operation` names.
    pub names: Vec<String>,
    /// The condition; empty for always.
    pub when: String,
    /// Whether the block takes the class away where a mechanical seed gave it.
    pub not: bool,
}

/// All tables.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Templates by `prefix:type`, in order of preference.
    pub bindings: Vec<(String, Vec<String>)>,
    /// Blocks about operations.
    pub operations: Vec<OperationBlock>,
    /// Classes.
    pub classes: Vec<ClassBlock>,
    /// Levels that are raised above the sources'.
    pub levels: Vec<(String, AccessLevel)>,
    /// IAM prefixes whose identifiers AWS stores in small letters.
    pub folded: Vec<String>,
    /// Members that say in which account an operation's resources are: botocore service and member.
    pub accounts: Vec<(String, String)>,
    /// Operations under another IAM prefix than the mechanical one: botocore service and prefix.
    pub prefixes: Vec<(String, String)>,
    /// Secondary actions that no request triggers, by pattern `prefix:Action`.
    pub untriggered: Vec<String>,
}

/// Reads every `.txt` file of a directory, in the order of their names.
///
/// # Errors
/// [`BuildError::Tables`] lists every row that is wrong.
pub fn load(directory: &Path) -> Result<Tables, BuildError> {
    let read = |source| BuildError::Read { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            files.push(path);
        }
    }
    files.sort();
    let mut tables = Tables::default();
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|source| BuildError::Read { path: file.clone(), source })?;
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        tables.add(&name, &text, &mut wrong);
    }
    if wrong.is_empty() { Ok(tables) } else { Err(BuildError::Tables(wrong)) }
}

impl Tables {
    /// Adds the blocks of one file; what is wrong goes to `wrong`.
    pub fn add(&mut self, name: &str, text: &str, wrong: &mut Vec<String>) {
        let mut block: Vec<(usize, &str)> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.split_once('#').filter(|(before, _)| before.trim().is_empty()).map_or(line, |_| "");
            if line.trim().is_empty() {
                continue;
            }
            if !line.starts_with(' ') {
                self.block(name, &block, wrong);
                block.clear();
            }
            block.push((at + 1, line.trim()));
        }
        self.block(name, &block, wrong);
    }

    fn block(&mut self, name: &str, lines: &[(usize, &str)], wrong: &mut Vec<String>) {
        let Some(((at, head), body)) = lines.split_first() else { return };
        let reason: Vec<_> =
            body.iter().map(|(_, line)| *line).skip_while(|line| !line.starts_with("because ")).collect();
        let reason = reason.join(" ");
        let reason = reason.trim_start_matches("because ");
        if reason.len() <= 8 {
            wrong.push(format!("{name}:{at}: `{head}` has no reason"));
        }
        let body: Vec<_> = body.iter().take_while(|(_, line)| !line.starts_with("because ")).copied().collect();
        if let Err(reason) = self.read(head, &body, reason) {
            wrong.push(format!("{name}:{at}: `{head}`: {reason}"));
        }
    }

    fn read(&mut self, head: &str, body: &[(usize, &str)], reason: &str) -> Result<(), String> {
        let words: Vec<_> = head.split_whitespace().collect();
        match words.as_slice() {
            ["bind", kind @ ..] => {
                let templates: Option<Vec<_>> = body.iter().map(|(_, line)| line.strip_prefix("on ")).collect();
                let templates = templates.ok_or("a binding has `on` lines only")?;
                let templates: Vec<_> = templates.iter().map(|template| template.trim().to_owned()).collect();
                self.bindings.push((kind.join(" "), templates));
            }
            ["operation", service, operations @ ..] => {
                let block = operation(service, operations, body)?;
                self.operations.push(OperationBlock { reason: reason.to_owned(), ..block });
            }
            ["class", class, names @ ..] => self.classes.push(class_block(class, names, body, false)?),
            ["unclass", class, names @ ..] => self.classes.push(class_block(class, names, body, true)?),
            ["level", action, level @ ..] => {
                self.levels.push(((*action).to_owned(), level_named(&level.join(" "))?));
            }
            ["fold", prefixes @ ..] => self.folded.extend(prefixes.iter().map(|prefix| (*prefix).to_owned())),
            ["account", service, members @ ..] => {
                let rows = members.iter().map(|member| ((*service).to_owned(), (*member).to_owned()));
                self.accounts.extend(rows);
            }
            ["prefix", service, prefix] => self.prefixes.push(((*service).to_owned(), (*prefix).to_owned())),
            ["untriggered", actions @ ..] => {
                self.untriggered.extend(actions.iter().map(|action| (*action).to_owned()));
                self.untriggered.extend(body.iter().flat_map(|(_, line)| line.split_whitespace()).map(str::to_owned));
            }
            _ => return Err("an unknown kind of block".to_owned()),
        }
        Ok(())
    }
}

fn operation(service: &str, operations: &[&str], body: &[(usize, &str)]) -> Result<OperationBlock, String> {
    let mut block = OperationBlock {
        service: service.to_owned(),
        operations: operations.iter().map(|name| (*name).to_owned()).collect(),
        ..OperationBlock::default()
    };
    for (_, line) in body {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("check", rest) => block.checks.push(check(rest)?),
            ("also", rest) => block.also.push(check(rest)?),
            ("only", "") => block.only = true,
            _ => return Err(format!("`{line}` is not a check")),
        }
    }
    Ok(block)
}

fn check(text: &str) -> Result<CheckLine, String> {
    let mut words = text.split_whitespace();
    let mut line =
        CheckLine { action: words.next().ok_or("a check without an action")?.to_owned(), ..CheckLine::default() };
    while let Some(word) = words.next() {
        if word == "optional" {
            line.optional = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("`{word}` without a value"))?.to_owned();
        match word {
            "when" => line.when = value,
            "each" => line.each = value,
            "on" | "or" => line.resources.push(value),
            _ => return Err(format!("`{word}` is no keyword of a check")),
        }
    }
    line.any = line.resources.iter().any(|resource| resource == "*");
    line.resources.retain(|resource| resource != "*");
    Ok(line)
}

fn class_block(class: &str, names: &[&str], body: &[(usize, &str)], not: bool) -> Result<ClassBlock, String> {
    let class =
        Class::ALL.into_iter().find(|known| known.as_str() == class).ok_or_else(|| format!("no class `{class}`"))?;
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut when = String::new();
    if let Some(at) = names.iter().position(|name| name == "when") {
        when = names.get(at + 1).cloned().ok_or("`when` without a condition")?;
        names.truncate(at);
    }
    names.extend(body.iter().flat_map(|(_, line)| line.split_whitespace()).map(str::to_owned));
    Ok(ClassBlock { class, names, when, not })
}

fn level_named(text: &str) -> Result<AccessLevel, String> {
    [AccessLevel::List, AccessLevel::Read, AccessLevel::Tagging, AccessLevel::Write, AccessLevel::PermissionsManagement]
        .into_iter()
        .find(|level| level.as_str() == text)
        .ok_or_else(|| format!("no level `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_and_reasons_demanded() {
        let mut tables = Tables::default();
        let mut wrong = Vec::new();
        tables.add(
            "t",
            "# a remark\nbind a:b c\n  on arn:$P:a:$R:$A:b/{B}\n  because it is so and not otherwise\n\
             operation a X Y\n  check a:X when P=q each R[] on * or a:b optional\n  also iam:PassRole\n  only\n\
             fold rds\n  because it folds letter case\n",
            &mut wrong,
        );
        assert_eq!(wrong, ["t:5: `operation a X Y` has no reason"]);
        assert_eq!(tables.bindings, [("a:b c".to_owned(), vec!["arn:$P:a:$R:$A:b/{B}".to_owned()])]);
        let block = &tables.operations[0];
        assert_eq!((block.operations.len(), block.only, block.also.len()), (2, true, 1));
        assert_eq!(
            (block.checks[0].resources.as_slice(), block.checks[0].optional),
            (["a:b".to_owned()].as_slice(), true)
        );
    }
}
