//! From a resource type's ARN format to a resource expression over an operation's members.
//!
//! Reviewed bindings come first. Where a type has none, the format's variables are matched with the
//! top-level members by their names: `${TableName}` with `TableName` or `TableNames`, `Name` where
//! the operation is about a table, and, only as a whole ARN, `TableArn`, `Table` or `resourceArn`.

mod names;
mod wording;

pub(crate) use wording::may_be_an_arn;

use countersign_permissions::resolve;
use countersign_permissions::template::split_variable;

use crate::botocore::{Model, Operation};
use crate::members::{Member, exists};
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
    pub(crate) service: &'b str,
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
            rest = after;
            if kept == ["$A"] {
                out.push_str("$A");
                continue;
            }
            out.push('{');
            out.push_str(&kept.join("|"));
            if let Some(kind) = kind {
                out.push(':');
                out.push_str(kind);
            }
            out.push('}');
        }
        out.push_str(rest);
        Some(out)
    }
}

/// The one member that a template takes whole ARNs from, if it takes nothing else.
fn only_whole_arn(expression: &str) -> Option<String> {
    let (_, variable) = expression.strip_suffix('}')?.rsplit_once('{')?;
    let (sources, kind) = variable.rsplit_once(':')?;
    let is_whole = matches!(kind, "arn" | "arn-path") && !sources.contains(['|', '}']) && !expression.contains("||");
    is_whole.then(|| sources.to_owned())
}
