//! ARN templates: how a resource is written from the parameters.
//!
//! ```text
//! arn:$P:dynamodb:$R:$A:table/{TableName}/index/{IndexName}
//! ```
//! `$P`, `$R` and `$A` are the partition, region and account of the call. `{source|source:kind}`
//! is filled from the first source that is given: a member path, `^path` from the call as a whole,
//! `@key` for the key of the map entry, `=text` for a constant, `$A` or `$R`, or `-` for a part that
//! the request never holds, so that only a whole ARN fills the template. The kind says which values
//! are the resource's own name; see [`Kind`].
//!
//! A value that is an ARN is taken as it is when it has the template's shape up to that variable,
//! followed by the rest of the template.

mod kind;

use std::borrow::Cow;

use countersign_domain::Resource;

use crate::arn::{self, Arn};
use crate::scope::Scope;

pub use kind::Kind;

/// What a call brings besides its parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'q> {
    pub(crate) partition: &'q str,
    pub(crate) region: &'q str,
    pub(crate) account: &'q str,
}

#[derive(Clone, Debug)]
enum Part<'t> {
    Literal(&'t str),
    Partition,
    Region,
    Account,
    Variable { sources: Vec<&'t str>, kind: Kind },
}

/// A template, taken apart.
#[derive(Clone, Debug)]
pub struct Template<'t> {
    parts: Vec<Part<'t>>,
}

/// The most ARNs that one template may give in one call. DeleteObjects takes 1,000 keys.
const MOST_RESOURCES: usize = 1_000;

impl<'t> Template<'t> {
    /// Takes a template apart; `None` if it is malformed.
    pub fn parse(text: &'t str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('{') {
                let (variable, after) = split_variable(after)?;
                let (sources, kind) = variable.rsplit_once(':').unwrap_or((variable, ""));
                parts.push(Part::Variable { sources: sources.split('|').collect(), kind: Kind::parse(kind)? });
                rest = after;
                continue;
            }
            if let Some(after) = rest.strip_prefix('$') {
                let (part, length) = match after.chars().next()? {
                    'P' => (Part::Partition, 1),
                    'R' => (Part::Region, 1),
                    'A' => (Part::Account, 1),
                    _ => return None,
                };
                parts.push(part);
                rest = after.get(length..)?;
                continue;
            }
            let (literal, after) = rest.split_at(rest.find(['{', '$']).unwrap_or(rest.len()));
            parts.push(Part::Literal(literal));
            rest = after;
        }
        Some(Self { parts })
    }

    /// The member paths that the template reads.
    pub fn paths(&self) -> Vec<&'t str> {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Variable { sources, .. } => Some(sources.iter().copied().filter(|source| is_path(source))),
                _ => None,
            })
            .flatten()
            .collect()
    }

    /// The resources that the parameters in `scope` give; empty if the request does not fill the
    /// template.
    pub(crate) fn fill(&self, scope: &Scope<'_>, place: &Place<'_>) -> Vec<Resource> {
        let values: Vec<Vec<Cow<'_, str>>> = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => vec![Cow::Borrowed(*text)],
                Part::Partition => vec![Cow::Borrowed(place.partition)],
                Part::Region => vec![Cow::Borrowed(place.region)],
                Part::Account => vec![Cow::Borrowed(place.account)],
                Part::Variable { sources, .. } => source_values(sources, scope, place),
            })
            .collect();
        if let Some(resources) = self.fill_from_arn(&values, place) {
            return resources;
        }
        match combine(&self.parts, &values) {
            Some(texts) => texts.into_iter().map(|(text, canonical)| resource(text, canonical)).collect(),
            None => vec![Resource::Unresolved],
        }
    }

    /// Resources from the last variable whose values are ARNs. Values beside them that are no ARNs
    /// are filled in on their own.
    fn fill_from_arn(&self, values: &[Vec<Cow<'_, str>>], place: &Place<'_>) -> Option<Vec<Resource>> {
        let (at, arns) = values.iter().enumerate().rev().find(|(at, values)| {
            matches!(self.parts.get(*at), Some(Part::Variable { .. }))
                && values.iter().any(|value| arn::is_meant_as_arn(value))
        })?;
        let (before, after) = self.parts.split_at_checked(at + 1)?;
        let Some(tails) = combine(after, values.get(at + 1..)?) else { return Some(vec![Resource::Unresolved]) };
        let mut resources = Vec::new();
        for value in arns {
            if arn::is_meant_as_arn(value) {
                let fits = has_shape(before, value, place);
                resources.extend(
                    tails.iter().map(|(tail, canonical)| resource(format!("{value}{tail}"), fits && *canonical)),
                );
            } else {
                resources.push(Resource::NonCanonical(value.to_string()));
            }
        }
        Some(resources)
    }

    /// Whether `text` is an ARN of this template's shape, in the partition of the call.
    pub(crate) fn has_shape(&self, text: &str, place: &Place<'_>) -> bool {
        has_shape(&self.parts, text, place)
    }
}

/// Every combination of the values, each with whether all its values are canonical; `None` if they
/// are too many to list.
fn combine(parts: &[Part<'_>], values: &[Vec<Cow<'_, str>>]) -> Option<Vec<(String, bool)>> {
    if values.iter().map(Vec::len).fold(1_usize, usize::saturating_mul) > MOST_RESOURCES {
        return None;
    }
    let mut combined = vec![(String::new(), true)];
    for (part, values) in parts.iter().zip(values) {
        combined = combined
            .iter()
            .flat_map(|(text, canonical)| {
                values.iter().map(move |value| (format!("{text}{value}"), *canonical && part.takes(value)))
            })
            .collect();
    }
    Some(combined)
}

/// What stands before and after the brace that closes a variable; the `{}` of a path into a map does
/// not close it.
pub fn split_variable(text: &str) -> Option<(&str, &str)> {
    let close = text
        .match_indices('}')
        .map(|(at, _)| at)
        .find(|at| !text.get(..*at).is_some_and(|before| before.ends_with('{')))?;
    let (variable, after) = text.split_at_checked(close)?;
    Some((variable, after.strip_prefix('}')?))
}

/// An exact ARN where it is canonical and literal; the text for people where not.
pub(crate) fn resource(text: String, canonical: bool) -> Resource {
    if canonical && arn::is_literal(&text) && Arn::parse(&text).is_some() {
        Resource::Exact(text)
    } else {
        Resource::NonCanonical(text)
    }
}

fn is_path(source: &str) -> bool {
    !source.starts_with(['=', '$', '@']) && source != "-"
}

fn source_values<'s>(sources: &[&'s str], scope: &Scope<'s>, place: &Place<'s>) -> Vec<Cow<'s, str>> {
    for source in sources {
        let values = match *source {
            "-" => Vec::new(),
            "$A" => vec![Cow::Borrowed(place.account)],
            "$R" => vec![Cow::Borrowed(place.region)],
            path => match path.strip_prefix('=') {
                Some(constant) => vec![Cow::Borrowed(constant)],
                None => scope.texts(path).into_iter().filter(|text| !text.is_empty()).collect(),
            },
        };
        if !values.is_empty() {
            return values;
        }
    }
    Vec::new()
}

impl Part<'_> {
    fn takes(&self, value: &str) -> bool {
        match self {
            Part::Variable { kind, .. } => kind.takes(value),
            _ => true,
        }
    }
}

fn has_shape(parts: &[Part<'_>], text: &str, place: &Place<'_>) -> bool {
    if text.len() > arn::LONGEST {
        return false;
    }
    let Some((part, following)) = parts.split_first() else { return text.is_empty() };
    match part {
        Part::Literal(literal) => text.strip_prefix(literal).is_some_and(|rest| has_shape(following, rest, place)),
        Part::Partition => text.strip_prefix(place.partition).is_some_and(|rest| has_shape(following, rest, place)),
        Part::Region => takes_up_to_colon(text, following, place, arn::is_region),
        Part::Account => takes_up_to_colon(text, following, place, arn::is_account),
        Part::Variable { kind, .. } => match following.first() {
            None => kind.fits(text),
            Some(Part::Literal(next)) => text.match_indices(next).any(|(end, _)| {
                text.split_at_checked(end)
                    .is_some_and(|(value, rest)| kind.fits(value) && has_shape(following, rest, place))
            }),
            // No template has two parts side by side whose border only a guess could find.
            Some(_) => false,
        },
    }
}

fn takes_up_to_colon(text: &str, following: &[Part<'_>], place: &Place<'_>, fits: fn(&str) -> bool) -> bool {
    let (value, rest) = text.split_at(text.find([':', '/']).unwrap_or(text.len()));
    fits(value) && has_shape(following, rest, place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_domain::Value;

    const PLACE: Place<'_> = Place { partition: "aws", region: "eu-west-1", account: "111122223333" };

    fn fill(template: &str, members: &[(&str, &str)]) -> Vec<Resource> {
        let root = Value::Record(
            members.iter().map(|(name, value)| ((*name).to_owned(), Value::Text((*value).to_owned()))).collect(),
        );
        Template::parse(template).unwrap().fill(&Scope::whole(&root), &PLACE)
    }

    fn exact(arn: &str) -> Vec<Resource> {
        vec![Resource::Exact(arn.to_owned())]
    }

    const TABLE: &str = "arn:$P:dynamodb:$R:$A:table/{TableName}";
    const INDEX: &str = "arn:$P:dynamodb:$R:$A:table/{TableName}/index/{IndexName}";

    #[test]
    fn names_fill_a_template() {
        assert_eq!(fill(TABLE, &[("TableName", "t")]), exact("arn:aws:dynamodb:eu-west-1:111122223333:table/t"));
        assert_eq!(fill(TABLE, &[]), []);
        assert_eq!(fill(INDEX, &[("TableName", "t")]), []);
        assert_eq!(
            fill("arn:$P:ecr:$R:{registryId|$A:account}:repository/{name:path}", &[("name", "a/b")]),
            exact("arn:aws:ecr:eu-west-1:111122223333:repository/a/b")
        );
    }

    #[test]
    fn a_variable_may_step_into_a_map() {
        let template = Template::parse("arn:$P:iam::$A:role/{A{}[].Role:arn-path}/{B}").unwrap();
        assert_eq!(template.paths(), ["A{}[].Role", "B"]);
        assert!(Template::parse("arn:{A{}").is_none());
    }

    #[test]
    fn whole_arns_are_taken_as_they_are_when_the_shape_fits() {
        let other = "arn:aws:dynamodb:us-east-1:999988887777:table/t";
        assert_eq!(fill(TABLE, &[("TableName", other)]), exact(other));
        assert_eq!(
            fill(INDEX, &[("TableName", other), ("IndexName", "i")]),
            exact("arn:aws:dynamodb:us-east-1:999988887777:table/t/index/i")
        );
        for bad in [
            "arn:aws:dynamodb:us-east-1:999988887777:table/t/index/i",
            "arn:aws:dynamodb:us-east-1:999988887777:backup/t",
            "arn:aws:s3:us-east-1:999988887777:table/t",
            "arn:aws-cn:dynamodb:us-east-1:999988887777:table/t",
            "arn:aws:dynamodb::999988887777:table/t",
            "arn:aws:dynamodb:us-east-1:99998888777:table/t",
            "arn:aws:dynamodb:us-east-1:999988887777:table/*",
            "ARN:aws:dynamodb:us-east-1:999988887777:table/t",
        ] {
            assert_eq!(fill(TABLE, &[("TableName", bad)]), [Resource::NonCanonical(bad.to_owned())]);
        }
    }

    #[test]
    fn names_that_break_an_arn_are_not_canonical() {
        for bad in ["x*", "a/../b", "a:b", "a/b", "..", "${aws:username}", "a b", "a?", "tä", "a%2fb"] {
            let filled = fill(TABLE, &[("TableName", bad)]);
            assert!(matches!(filled.as_slice(), [Resource::NonCanonical(_)]), "{bad}: {filled:?}");
        }
    }
}
