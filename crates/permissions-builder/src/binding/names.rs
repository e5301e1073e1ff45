//! Binding by names: the variables of an ARN format against the top-level members of the input.
//!
//! The last variable is the resource's own name or id; those before it name what it is in. Only the last
//! one may therefore be given by a member that is called after the resource type, or just `Name` or `Id`,
//! and no member may fill two variables: the index of a bucket is not the bucket.

use countersign_permissions::template::Template;

use super::wording::{may_be_an_arn, may_be_another_name};
use super::{Binder, Bound};
use crate::members::{Member, plain};

/// Variables that AWS uses for the name or id of any type: what they stand for, only the type says.
const GENERIC: [&str; 6] = ["id", "name", "resourceid", "resourcename", "identifier", "uuid"];

enum Match {
    /// The member holds the variable's value, or a whole ARN.
    Plain(String),
    /// The member tells the resource only where it holds a whole ARN.
    WholeArn(String),
}

impl Binder<'_> {
    pub(super) fn by_names(&self, prefix: &str, kind: &str, format: &str, folds: bool, is_only: bool) -> Option<Bound> {
        if format.contains(['*', '?']) {
            return None;
        }
        let format = &with_account(format);
        let variables = variables(format)?;
        let account = self.account();
        let Some((last, before)) = variables.split_last() else {
            // There is one such resource, and the action is about it.
            return is_only
                .then(|| Bound { expression: fill_format(format, &[], &[], "", &account), whole_arn_in: None });
        };
        let (path, mut whole) = match self.matching_last(last, kind, is_only)? {
            Match::Plain(path) => (path, false),
            Match::WholeArn(path) => (path, true),
        };
        let mut paths = Vec::new();
        for variable in before {
            match self.matching_before(variable) {
                Some(found) if found != path && !paths.contains(&found) => paths.push(found),
                // The last member may still hold a whole ARN.
                _ => whole = true,
            }
        }
        if whole {
            paths = before.iter().map(|_| "-".to_owned()).collect();
        } else if folds {
            paths.iter_mut().for_each(|path| path.push_str(":lower"));
        }
        paths.push(path.clone());
        let variable_kind = match () {
            () if whole => ":arn",
            () if folds => ":lower",
            () if prefix == "ec2" && last.ends_with("Id") => ":id",
            () => "",
        };
        let expression = fill_format(format, &variables, &paths, variable_kind, &account);
        Template::parse(&expression)?;
        Some(Bound { expression, whole_arn_in: whole.then_some(path) })
    }

    /// The account of the ARNs: the call's, unless a member says whose the resource is.
    fn account(&self) -> String {
        let mut members = self.tables.accounts.iter().filter(|(service, _)| service == self.service);
        let named = members.find(|(_, member)| self.inputs.iter().any(|input| input.path == *member));
        named.map_or_else(|| "$A".to_owned(), |(_, member)| format!("{{{member}|$A:account}}"))
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
                (Some(member), None) => return Some(member).filter(|member| may_be_an_arn(member)),
                (Some(_), Some(_)) => return None,
                _ => {}
            }
        }
        None
    }

    /// The members that can stand in an ARN. One of fixed values cannot: AWS spells them in its own way
    /// there, `RDS` as `rds` and `REGIONAL` as `regional`.
    fn top(&self) -> impl Iterator<Item = &Member> {
        self.inputs.iter().filter(|member| {
            (matches!(member.kind.as_str(), "integer" | "long") || member.is_free_text)
                && member.kind != "blob"
                && !member.path.contains(['.', '{'])
        })
    }

    /// The first member called one of `names`; then a list called one of them, or one of their plurals.
    fn called(&self, names: &[String]) -> Option<&Member> {
        let single = |name: &String| self.top().find(|member| !member.path.contains('[') && member.plain == *name);
        let several = |name: &String| self.top().find(|member| member.path.contains('[') && member.plain == *name);
        let plural: Vec<_> = names.iter().map(|name| format!("{name}s")).collect();
        names
            .iter()
            .find_map(single)
            .or_else(|| plural.iter().find_map(several))
            .or_else(|| names.iter().find_map(several))
    }

    /// The member for a variable before the last: one of the variable's own name.
    fn matching_before(&self, variable: &str) -> Option<String> {
        let wanted = plain(variable);
        if GENERIC.contains(&wanted.as_str()) {
            return None;
        }
        let mut names = vec![wanted.clone()];
        if let (base, "id") = split_suffix(&wanted) {
            names.extend([format!("{base}identifier"), base.to_owned()]);
        }
        self.called(&names).filter(|member| !may_be_another_name(member, &wanted)).map(|member| member.path.clone())
    }

    fn matching_last(&self, variable: &str, kind: &str, is_only: bool) -> Option<Match> {
        let wanted = plain(variable);
        let (base, suffix) = split_suffix(&wanted);
        let kind = plain(kind);
        let is_about = [base, kind.as_str(), &wanted].iter().any(|noun| is_about(self.name, noun));
        let mut exact = Vec::new();
        let is_generic = GENERIC.contains(&wanted.as_str());
        if !is_generic {
            exact.push(wanted.clone());
        }
        if !suffix.is_empty() {
            exact.push(format!("{kind}{suffix}"));
        }
        // A member called `ResourceId` or `Name` is of whatever the operation is about.
        if is_generic && (is_about || is_only) && (!wanted.starts_with("resource") || kind == "resource") {
            exact.push(wanted.clone());
        }
        if is_about && !suffix.is_empty() {
            exact.push(suffix.to_owned());
        }
        if suffix == "id" {
            exact.extend([format!("{base}identifier"), base.to_owned()]);
            // What starts or joins something is given the identifier of something else.
            let is_of_it =
                !["Associate", "Create", "Disassociate", "Start"].iter().any(|verb| self.name.starts_with(verb));
            if is_about && is_of_it {
                exact.push("identifier".to_owned());
            }
        }
        if let Some(member) = self.called(&exact) {
            let path = member.path.clone();
            let says_kind = format!("{}type", member.plain);
            let is_of_any_kind = self.inputs.iter().any(|other| other.plain == says_kind);
            let whole = is_of_any_kind || may_be_another_name(member, &wanted);
            return Some(if whole { Match::WholeArn(path) } else { Match::Plain(path) });
        }
        let mut whole =
            vec![format!("{base}arn"), format!("{kind}arn"), format!("{base}identifier"), format!("{kind}identifier")];
        whole.extend([base.to_owned(), kind]);
        if is_about {
            whole.extend(["arn".to_owned(), "identifier".to_owned()]);
        }
        whole.extend(["resourcearn", "resourceidentifier", "resource"].map(str::to_owned));
        let member = self.called(&whole).filter(|member| !member.plain.is_empty()).or_else(|| self.only_arn(is_only));
        member.map(|member| Match::WholeArn(member.path.clone()))
    }
}

/// `tablename` as `table` and `name`.
fn split_suffix(plain: &str) -> (&str, &str) {
    if plain == "uuid" {
        return (plain, "id");
    }
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

fn fill_format(format: &str, variables: &[&str], paths: &[String], last_kind: &str, account: &str) -> String {
    let mut out = format.replace("${Partition}", "$P").replace("${Region}", "$R");
    for (at, (variable, path)) in variables.iter().zip(paths).enumerate() {
        let kind = if at + 1 == variables.len() { last_kind } else { "" };
        out = out.replacen(&format!("${{{variable}}}"), &format!("{{{path}{kind}}}"), 1);
    }
    out.replace("${Account}", account)
}

/// The format with the account where a service calls it `${AccountId}`.
fn with_account(format: &str) -> String {
    let mut parts: Vec<_> = format.splitn(6, ':').collect();
    if let Some(account) = parts.get_mut(4).filter(|account| **account == "${AccountId}") {
        *account = "${Account}";
    }
    parts.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the resource type `kind` of the operation `name` is bound to by its inputs alone.
    fn bound(name: &str, kind: &str, inputs: &[Member], format: &str) -> Option<String> {
        let (tables, model) = (crate::tables::Tables::default(), crate::botocore::Model::empty());
        let operation = crate::botocore::Operation::empty();
        let binder = Binder { service: "x", model: &model, operation: &operation, name, inputs, tables: &tables };
        // The prefix in front of an action is that of the format.
        let prefix = format.split(':').nth(2).unwrap();
        binder.by_names(prefix, kind, format, false, true).map(|bound| bound.expression)
    }

    #[test]
    fn nouns_of_operations() {
        assert!(is_about("DescribeTable", "table"));
        assert!(is_about("ListTables", "table"));
        assert!(!is_about("CreateTableBackup", "table"));
        assert!(!is_about("Describe", "table"));
    }

    #[test]
    fn formats_become_templates() {
        let format = "arn:${Partition}:x:${Region}:${Account}:a/${AId}/b/${BName}";
        let variables = variables(format).unwrap();
        assert_eq!(variables, ["AId", "BName"]);
        assert_eq!(
            fill_format(format, &variables, &["aId".into(), "Name".into()], ":lower", "$A"),
            "arn:$P:x:$R:$A:a/{aId}/b/{Name:lower}"
        );
        assert_eq!(
            with_account("arn:${Partition}:x:${Region}:${AccountId}:a/${AccountId}"),
            "arn:${Partition}:x:${Region}:${Account}:a/${AccountId}"
        );
    }

    #[test]
    fn only_the_last_variable_is_called_after_the_type() {
        let input = |names: &[&str]| -> Vec<Member> { names.iter().map(|name| Member::named(name)).collect() };
        let format = "arn:${Partition}:x:${Region}:${Account}:bucket/${BucketName}/index/${IndexName}";
        for (name, members, expected) in [
            ("GetIndex", ["bucketName", "indexName"].as_slice(), "bucket/{bucketName}/index/{indexName}"),
            ("GetIndex", &["bucketName", "name"], "bucket/{bucketName}/index/{name}"),
            ("GetIndex", &["indexName"], "bucket/{-}/index/{indexName:arn}"),
            ("GetIndex", &["name"], "bucket/{-}/index/{name:arn}"),
        ] {
            assert_eq!(
                bound(name, "index", &input(members), format),
                Some(format!("arn:$P:x:$R:$A:{expected}")),
                "{members:?}"
            );
        }
        let generic = "arn:${Partition}:x:${Region}:${Account}:index/${ResourceId}";
        assert_eq!(
            bound("GetIndex", "index", &input(&["ResourceId", "IndexId"]), generic),
            Some("arn:$P:x:$R:$A:index/{IndexId}".to_owned())
        );
    }

    #[test]
    fn a_member_of_fixed_values_is_no_name() {
        let kind = Member { is_free_text: false, ..Member::named("kind") };
        let format = "arn:${Partition}:x:${Region}:${Account}:${Kind}/${ThingId}";
        let bound = bound("GetThing", "thing", &[kind, Member::named("thingId")], format);
        assert_eq!(bound, Some("arn:$P:x:$R:$A:{-}/{thingId:arn}".to_owned()));
    }

    #[test]
    fn an_id_of_any_kind_is_not_this_kinds() {
        let inputs = [Member::named("Identifier"), Member::named("IdentifierType")];
        let format = "arn:${Partition}:x:${Region}:${Account}:thing/${ThingId}";
        assert_eq!(
            bound("GetThing", "thing", &inputs, format),
            Some("arn:$P:x:$R:$A:thing/{Identifier:arn}".to_owned())
        );
    }

    #[test]
    fn an_account_is_no_resource() {
        let format = "arn:${Partition}:s3:::${BucketName}";
        assert_eq!(bound("GetBlock", "bucket", &[Member::named("AccountId")], format), None);
    }
}
