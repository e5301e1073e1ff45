//! From a resource type's ARN format to a resource expression over an operation's members.
//!
//! Reviewed bindings come first. Where a type has none, the format's variables are matched with the
//! top-level members by their names: `${TableName}` with `TableName` or `TableNames`, `Name` where
//! the operation is about a table, and, only as a whole ARN, `TableArn`, `Table` or `resourceArn`.

use countersign_permissions::resolve;
use countersign_permissions::template::{Template, split_variable};

use crate::botocore::{Model, Operation};
use crate::members::{Member, exists, plain};
use crate::tables::Tables;

/// What a type's binding reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// The resource expression.
    pub(crate) expression: String,
    /// The member, where only a whole ARN in it fills the expression.
    pub(crate) whole_arn_in: Option<String>,
}

/// An operation and what is needed to bind its types.
pub(crate) struct Binder<'b> {
    pub(crate) model: &'b Model,
    pub(crate) operation: &'b Operation,
    pub(crate) name: &'b str,
    pub(crate) inputs: &'b [Member],
    pub(crate) tables: &'b Tables,
}

impl Binder<'_> {
    /// The alternatives for `prefix:kind`, the most specific first; empty if none binds.
    ///
    /// `is_only` says that the action has no other type, so that the operation's one name or id can
    /// hardly be of anything else.
    pub(crate) fn bind(&self, prefix: &str, kind: &str, formats: &[String], is_only: bool) -> Vec<Bound> {
        let key = format!("{prefix}:{kind}");
        let mut reviewed = self.tables.bindings.iter().filter(|(name, _)| *name == key).peekable();
        let folds = self.tables.folded.iter().any(|folded| folded == prefix);
        let by_names = formats.iter().filter_map(|format| self.by_names(prefix, kind, format, folds, is_only));
        if reviewed.peek().is_some() {
            let found: Vec<_> = reviewed
                .flat_map(|(_, expressions)| expressions)
                .filter_map(|expression| self.applicable(expression, ""))
                .map(|expression| Bound { whole_arn_in: only_whole_arn(&expression), expression })
                .collect();
            // Beside a reviewed binding only whole ARNs are taken mechanically: their shape tells the type.
            return if found.is_empty() {
                by_names.filter(|bound| bound.whole_arn_in.is_some()).collect()
            } else {
                found
            };
        }
        let mut found: Vec<Bound> = by_names.collect();
        match found.iter().filter(|bound| bound.whole_arn_in.is_none()).count() {
            0 => {}
            1 => found.retain(|bound| bound.whole_arn_in.is_none()),
            // One name, several forms of ARN: the name does not tell which.
            _ => return Vec::new(),
        }
        found.dedup();
        found
    }

    /// The expression without sources that the input does not have; `None` if a variable is then left
    /// without any.
    pub(crate) fn applicable(&self, expression: &str, each: &str) -> Option<String> {
        if let Some(call) = expression.strip_prefix('@') {
            let (_, arguments) = resolve::parse(call)?;
            return exists(self.model, self.operation, each, arguments.first()?).then(|| expression.to_owned());
        }
        let alternatives: Vec<_> =
            expression.split("||").filter_map(|template| self.applicable_template(template, each)).collect();
        (!alternatives.is_empty()).then(|| alternatives.join("||"))
    }

    fn applicable_template(&self, template: &str, each: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (variable, after) = split_variable(after)?;
            let (sources, kind) = variable.rsplit_once(':').map_or((variable, None), |(s, kind)| (s, Some(kind)));
            let kept: Vec<_> = sources
                .split('|')
                .filter(|source| {
                    source.starts_with(['=', '$']) || *source == "-" || exists(self.model, self.operation, each, source)
                })
                .collect();
            // A constant stands for a member that is not given, not for one that does not exist.
            let is_constant = |source: &&str| source.starts_with('=');
            if kept.is_empty()
                || (kept.iter().all(is_constant) && !sources.split('|').all(|source| is_constant(&source)))
            {
                return None;
            }
            out.push_str(before);
            out.push('{');
            out.push_str(&kept.join("|"));
            if let Some(kind) = kind {
                out.push(':');
                out.push_str(kind);
            }
            out.push('}');
            rest = after;
        }
        out.push_str(rest);
        Some(out)
    }

    fn by_names(&self, prefix: &str, kind: &str, format: &str, folds: bool, is_only: bool) -> Option<Bound> {
        if format.contains(['*', '?']) {
            return None;
        }
        let format = &with_account(format);
        let variables = variables(format)?;
        let (last, before) = variables.split_last()?;
        let last_match = self.matching(last, Some(kind), is_only)?;
        let mut whole = matches!(last_match, Match::WholeArn(_));
        let (Match::Plain(path) | Match::WholeArn(path)) = last_match;
        let mut paths = Vec::new();
        for variable in before {
            // The type's own name or id is what its last variable stands for, and no other.
            match self.matching(variable, None, false) {
                Some(Match::Plain(before)) if !whole && before != path => paths.push(before),
                _ if whole => paths.push("-".to_owned()),
                _ => {
                    // The last member may still hold a whole ARN.
                    whole = true;
                    paths.push("-".to_owned());
                }
            }
        }
        if whole {
            paths.iter_mut().for_each(|path| "-".clone_into(path));
        }
        paths.push(path.clone());
        let variable_kind = match () {
            () if whole => ":arn",
            () if folds => ":lower",
            () if prefix == "ec2" && last.ends_with("Id") => ":id",
            () => "",
        };
        let expression = fill_format(format, &variables, &paths, variable_kind);
        Template::parse(&expression)?;
        Some(Bound { expression, whole_arn_in: whole.then_some(path) })
    }

    /// The one top-level member that holds an ARN (or, for `is_only`, a name or id that may be one) where
    /// the operation makes nothing new.
    fn only_arn(&self, is_only: bool) -> Option<&Member> {
        const MAKES: [&str; 8] = ["Create", "Copy", "Restore", "Import", "Clone", "Start", "Generate", "Run"];
        if MAKES.iter().any(|verb| self.name.starts_with(verb)) {
            return None;
        }
        let is_top = |member: &&Member| member.kind == "string" && !member.path.contains(['.', '[', '{']);
        let is_other = |member: &&Member| {
            ["role", "kms", "topic", "principal", "policy"].iter().any(|word| member.plain.contains(word))
        };
        let top = || self.inputs.iter().filter(is_top).filter(|member| !is_other(member));
        let endings = [["arn"].as_slice(), ["identifier", "id"].as_slice(), ["name"].as_slice()];
        for names in endings.into_iter().take(if is_only { 3 } else { 1 }) {
            let mut found = top().filter(|member| names.iter().any(|name| member.plain.ends_with(name)));
            match (found.next(), found.next()) {
                (Some(member), None) => return Some(member),
                (Some(_), Some(_)) => return None,
                _ => {}
            }
        }
        None
    }

    /// The member that `variable` stands for; `kind` is the resource type, where the variable may be its own name or id.
    fn matching(&self, variable: &str, kind: Option<&str>, is_only: bool) -> Option<Match> {
        let wanted = plain(variable);
        let (base, suffix) = split_suffix(&wanted);
        let kind = plain(kind.unwrap_or(base));
        let is_about = [base, kind.as_str(), &wanted].iter().any(|noun| is_about(self.name, noun));
        let top = || {
            self.inputs.iter().filter(|member| {
                matches!(member.kind.as_str(), "string" | "integer" | "long") && !member.path.contains(['.', '{'])
            })
        };
        let single = |names: &[String]| {
            names.iter().find_map(|name| top().find(|member| !member.path.contains('[') && member.plain == *name))
        };
        let several = |names: &[String]| {
            names.iter().find_map(|name| top().find(|member| member.path.contains('[') && member.plain == *name))
        };
        let mut exact = vec![wanted.clone()];
        if !suffix.is_empty() {
            exact.push(format!("{kind}{suffix}"));
            if is_about {
                exact.push(suffix.to_owned());
            }
        }
        if suffix == "id" {
            exact.extend([format!("{base}identifier"), base.to_owned()]);
            if is_about {
                exact.push("identifier".to_owned());
            }
        }
        let plural: Vec<_> = exact.iter().map(|name| format!("{name}s")).collect();
        if let Some(member) = single(&exact).or_else(|| several(&plural)).or_else(|| several(&exact)) {
            return Some(Match::Plain(member.path.clone()));
        }
        let mut whole =
            vec![format!("{base}arn"), format!("{kind}arn"), format!("{base}identifier"), format!("{kind}identifier")];
        whole.extend([base.to_owned(), kind]);
        if is_about {
            whole.extend(["arn".to_owned(), "identifier".to_owned()]);
        }
        whole.extend(["resourcearn", "resourceidentifier", "resource"].map(str::to_owned));
        let plural: Vec<_> = whole.iter().map(|name| format!("{name}s")).collect();
        let member = single(&whole).or_else(|| several(&plural)).or_else(|| several(&whole));
        let member = member.filter(|member| !member.plain.is_empty()).or_else(|| self.only_arn(is_only));
        member.map(|member| Match::WholeArn(member.path.clone()))
    }
}

enum Match {
    /// The member holds the variable's value, or a whole ARN.
    Plain(String),
    /// The member tells the resource only where it holds a whole ARN.
    WholeArn(String),
}

/// The one member that a template takes whole ARNs from, if it takes nothing else.
fn only_whole_arn(expression: &str) -> Option<String> {
    let (_, variable) = expression.strip_suffix('}')?.rsplit_once('{')?;
    let (sources, kind) = variable.rsplit_once(':')?;
    let is_whole = matches!(kind, "arn" | "arn-path") && !sources.contains(['|', '}']) && !expression.contains("||");
    is_whole.then(|| sources.to_owned())
}

/// `tablename` as `table` and `name`.
fn split_suffix(plain: &str) -> (&str, &str) {
    for suffix in ["name", "id"] {
        if let Some(base) = plain.strip_suffix(suffix)
            && !base.is_empty()
        {
            return (base, suffix);
        }
    }
    (plain, if plain == "name" || plain == "id" { plain } else { "" })
}

/// Whether an operation such as `DescribeTable` or `ListTables` is about the noun `table`.
fn is_about(operation: &str, noun: &str) -> bool {
    let rest = operation.trim_start_matches(|char: char| char.is_ascii_lowercase());
    let verb_end = rest.char_indices().skip(1).find(|(_, char)| char.is_ascii_uppercase()).map(|(at, _)| at);
    let object = verb_end.and_then(|at| rest.get(at..)).map(plain).unwrap_or_default();
    !noun.is_empty() && (object == noun || object.strip_suffix('s') == Some(noun))
}

/// The format, with the account where the reference names it otherwise (Chime).
fn with_account(format: &str) -> String {
    let mut parts: Vec<&str> = format.splitn(6, ':').collect();
    if let Some(account) = parts.get_mut(4).filter(|account| **account == "${AccountId}") {
        *account = "${Account}";
    }
    parts.join(":")
}

/// The variables of a format besides partition, region and account.
fn variables(format: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = format;
    while let Some((_, after)) = rest.split_once("${") {
        let (variable, after) = after.split_once('}')?;
        if !matches!(variable, "Partition" | "Region" | "Account") {
            found.push(variable);
        }
        rest = after;
    }
    Some(found)
}

fn fill_format(format: &str, variables: &[&str], paths: &[String], last_kind: &str) -> String {
    let mut out = format.replace("${Partition}", "$P").replace("${Region}", "$R").replace("${Account}", "$A");
    for (at, (variable, path)) in variables.iter().zip(paths).enumerate() {
        let kind = if at + 1 == variables.len() { last_kind } else { "" };
        out = out.replacen(&format!("${{{variable}}}"), &format!("{{{path}{kind}}}"), 1);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_of_operations() {
        assert!(is_about("DescribeTable", "table"));
        assert!(is_about("ListTables", "table"));
        assert!(!is_about("CreateTableBackup", "table"));
        assert!(!is_about("Describe", "table"));
    }

    #[test]
    fn an_account_by_another_name_is_the_account() {
        let chime = "arn:${Partition}:chime:${Region}:${AccountId}:meeting/${MeetingId}";
        assert_eq!(with_account(chime), "arn:${Partition}:chime:${Region}:${Account}:meeting/${MeetingId}");
        let member = "arn:${Partition}:organizations::${Account}:account/o-${OrganizationId}/${AccountId}";
        assert_eq!(with_account(member), member);
    }

    #[test]
    fn formats_become_templates() {
        let format = "arn:${Partition}:x:${Region}:${Account}:a/${AId}/b/${BName}";
        let variables = variables(format).unwrap();
        assert_eq!(variables, ["AId", "BName"]);
        assert_eq!(
            fill_format(format, &variables, &["aId".into(), "Name".into()], ":lower"),
            "arn:$P:x:$R:$A:a/{aId}/b/{Name:lower}"
        );
    }
}
