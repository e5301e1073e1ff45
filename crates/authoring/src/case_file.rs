//! Policy tests as people write them: TOML, one `[[case]]` for each call.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use countersign_domain::{AgentId, GroupName, PersonId, Timestamp};
use countersign_policy::parse_duration;
use serde::Deserialize;
use serde_json::Value as Json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use toml::Spanned;

use crate::request::RawRequest;

/// What a call should come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// Denied by policy.
    Deny,
    /// Held for approval.
    Approval,
    /// Allowed.
    Allow,
    /// Not understood by the gateway, and so denied before policy is asked.
    Refused,
}

impl Expected {
    /// The name in case files.
    pub fn as_str(self) -> &'static str {
        match self {
            Expected::Deny => "deny",
            Expected::Approval => "approval",
            Expected::Allow => "allow",
            Expected::Refused => "refused",
        }
    }
}

/// One case as it is written; `[defaults]` is another, which fills what cases leave out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: Option<String>,
    pub(crate) agent: Option<AgentId>,
    pub(crate) groups: Option<BTreeSet<GroupName>>,
    pub(crate) owners: Option<BTreeSet<PersonId>>,
    pub(crate) target: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) source_ip: Option<IpAddr>,
    pub(crate) at: Option<Moment>,
    pub(crate) session_age: Option<Time>,
    pub(crate) task: Option<String>,
    pub(crate) call: Option<String>,
    pub(crate) parameters: Option<Parameters>,
    pub(crate) body: Option<String>,
    pub(crate) request: Option<RawRequest>,
    pub(crate) expect: Option<Expected>,
    pub(crate) rule: Option<String>,
    pub(crate) rules: Option<BTreeSet<String>>,
    pub(crate) shadow: Option<BTreeSet<String>>,
    pub(crate) approvers: Option<BTreeSet<String>>,
    pub(crate) quorum: Option<u32>,
    pub(crate) expires: Option<Time>,
    pub(crate) min_review: Option<Time>,
    pub(crate) confirm: Option<bool>,
    pub(crate) reveal: Option<BTreeSet<String>>,
    pub(crate) reason: Option<String>,
}

impl Case {
    fn or(self, defaults: &Case) -> Case {
        let defaults = defaults.clone();
        // A raw request and a call exclude each other, so neither is a default for the other.
        let own_call = self.call.is_some() || self.request.is_some();
        let from = |own: bool| if own { Case::default() } else { defaults.clone() };
        let calls = from(own_call);
        Case {
            name: self.name,
            agent: self.agent.or(defaults.agent),
            groups: self.groups.or(defaults.groups),
            owners: self.owners.or(defaults.owners),
            target: self.target.or(defaults.target),
            region: self.region.or(defaults.region),
            source_ip: self.source_ip.or(defaults.source_ip),
            at: self.at.or(defaults.at),
            session_age: self.session_age.or(defaults.session_age),
            task: self.task.or(defaults.task),
            call: self.call.or(calls.call),
            parameters: self.parameters.or(defaults.parameters),
            body: self.body.or(defaults.body),
            request: self.request.or(calls.request),
            expect: self.expect.or(defaults.expect),
            rule: self.rule.or(defaults.rule),
            rules: self.rules.or(defaults.rules),
            shadow: self.shadow.or(defaults.shadow),
            approvers: self.approvers.or(defaults.approvers),
            quorum: self.quorum.or(defaults.quorum),
            expires: self.expires.or(defaults.expires),
            min_review: self.min_review.or(defaults.min_review),
            confirm: self.confirm.or(defaults.confirm),
            reveal: self.reveal.or(defaults.reveal),
            reason: self.reason.or(defaults.reason),
        }
    }
}

/// A time such as `30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Time(pub(crate) Duration);

impl TryFrom<String> for Time {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        parse_duration(&text).map(Self).ok_or_else(|| format!("`{text}` is no time, as `30s`, `10m`, `2h` or `1d`"))
    }
}

/// A moment: RFC 3339, quoted or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "MomentForm")]
pub(crate) struct Moment(pub(crate) Timestamp);

#[derive(Deserialize)]
#[serde(untagged)]
enum MomentForm {
    Toml(toml::value::Datetime),
    Text(String),
}

impl TryFrom<MomentForm> for Moment {
    type Error = String;
    fn try_from(form: MomentForm) -> Result<Self, String> {
        let text = match form {
            MomentForm::Toml(moment) => moment.to_string(),
            MomentForm::Text(text) => text,
        };
        moment(&text).map(Self)
    }
}

/// A moment in RFC 3339, in whole seconds.
///
/// # Errors
/// When `text` has another form, or is before 1970; the message says so.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
    let seconds = moment.and_then(|moment| u64::try_from(moment.unix_timestamp()).ok());
    seconds
        .map(Timestamp::from_secs)
        .ok_or_else(|| format!("`{text}` is no moment with an offset, as `2026-11-21T12:00:00Z`"))
}

/// Parameters as a TOML table, or as JSON text, which has null and can repeat a name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Parameters {
    Json(String),
    Toml(toml::Table),
}

impl Parameters {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        match self {
            Parameters::Json(text) => text.clone().into_bytes(),
            Parameters::Toml(table) => json_of(&toml::Value::Table(table.clone())).to_string().into_bytes(),
        }
    }
}

fn json_of(value: &toml::Value) -> Json {
    match value {
        toml::Value::String(text) => Json::from(text.as_str()),
        toml::Value::Integer(number) => Json::from(*number),
        toml::Value::Float(number) => Json::from(*number),
        toml::Value::Boolean(flag) => Json::from(*flag),
        toml::Value::Datetime(moment) => Json::from(moment.to_string()),
        toml::Value::Array(items) => items.iter().map(json_of).collect(),
        toml::Value::Table(members) => {
            Json::Object(members.iter().map(|(name, member)| (name.clone(), json_of(member))).collect())
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    defaults: Case,
    #[serde(default, rename = "case")]
    cases: Vec<Spanned<Case>>,
}

/// A file of cases.
#[derive(Clone, Debug)]
pub struct CaseFile {
    /// Where it is, for messages.
    pub path: PathBuf,
    /// Each with its line, defaults filled in.
    pub(crate) cases: Vec<(usize, Case)>,
}

/// A file that holds no cases that could be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {message}", path.display())]
pub struct CaseFileError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl CaseFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`CaseFileError`] with the first thing that is wrong.
    pub fn read(path: &Path, text: &str) -> Result<CaseFile, CaseFileError> {
        let line_of = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        let wrong = |at: usize, message: String| CaseFileError { path: path.to_owned(), line: line_of(at), message };
        let written: Written = toml::from_str(text)
            .map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message().trim().to_owned()))?;
        let mut cases = Vec::with_capacity(written.cases.len());
        for case in written.cases {
            let at = case.span().start;
            let case = case.into_inner().or(&written.defaults);
            check(&case).map_err(|message| wrong(at, message))?;
            cases.push((line_of(at), case));
        }
        if cases.is_empty() {
            return Err(wrong(0, "there is no `[[case]]` in it".to_owned()));
        }
        Ok(CaseFile { path: path.to_owned(), cases })
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether there is none, which reading excludes.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }
}

/// What a case cannot do without, and what excludes itself.
fn check(case: &Case) -> Result<(), String> {
    let Some(expected) = case.expect else {
        return Err(
            "the case expects nothing; write `expect = \"deny\"`, `\"approval\"`, `\"allow\"` or `\"refused\"`"
                .to_owned(),
        );
    };
    if case.agent.is_none() {
        return Err("the case names no agent; write `agent = \"…\"` here or in `[defaults]`".to_owned());
    }
    match (&case.call, &case.request) {
        (None, None) => return Err("the case makes no call; write `call = \"service:Operation\"`".to_owned()),
        (Some(_), Some(_)) => return Err("the case has a `call` and a `request`; one of them is enough".to_owned()),
        _ => {}
    }
    let obligations = [
        ("approvers", case.approvers.is_some()),
        ("quorum", case.quorum.is_some()),
        ("expires", case.expires.is_some()),
        ("min_review", case.min_review.is_some()),
        ("confirm", case.confirm.is_some()),
    ];
    for (name, is_set) in obligations {
        if is_set && expected != Expected::Approval {
            return Err(format!("`{name}` has no meaning with `expect = \"{}\"`", expected.as_str()));
        }
    }
    if expected == Expected::Refused && (case.rule.is_some() || case.rules.is_some() || case.shadow.is_some()) {
        return Err("what is refused reaches no rule; write `reason` instead of `rule`".to_owned());
    }
    if case.rule.is_some() && case.rules.is_some() {
        return Err("write `rule` (this one is among those that decide) or `rules` (exactly these)".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CaseFile, CaseFileError> {
        CaseFile::read(Path::new("tests/x.toml"), text)
    }

    #[test]
    fn defaults_fill_what_cases_leave_out() {
        let file = read(
            "[defaults]\nagent = \"deployer\"\nat = 2026-11-21T12:00:00Z\n\n[[case]]\ncall = \"iam:GetRole\"\nexpect = \"allow\"\n\n\
             [[case]]\nagent = \"explorer\"\nat = \"2026-11-21T13:00:00+01:00\"\ncall = \"iam:GetRole\"\nexpect = \"deny\"\nsession_age = \"1h30m\"\n",
        )
        .unwrap();
        let [(5, first), (9, second)] = file.cases.as_slice() else { panic!("{file:?}") };
        assert_eq!(
            (first.agent.as_ref().unwrap().as_str(), second.agent.as_ref().unwrap().as_str()),
            ("deployer", "explorer")
        );
        assert_eq!(first.at, second.at);
        assert_eq!(second.session_age, Some(Time(Duration::from_secs(5400))));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let case = |more: &str| format!("[[case]]\nagent = \"a\"\n{more}\n");
        for (text, line, part) in [
            (String::new(), 1, "no `[[case]]`"),
            (case("call = \"a:B\""), 1, "expects nothing"),
            (case("call = \"a:B\"\nexpect = \"yes\""), 4, "unknown variant"),
            (case("expect = \"deny\""), 1, "makes no call"),
            ("[[case]]\ncall = \"a:B\"\nexpect = \"deny\"".to_owned(), 1, "names no agent"),
            (case("call = \"a:B\"\nexpect = \"deny\"\nquorum = 2"), 1, "`quorum` has no meaning"),
            (case("call = \"a:B\"\nexpect = \"refused\"\nrule = \"x\""), 1, "reaches no rule"),
            (case("call = \"a:B\"\nexpect = \"deny\"\nexpcet = 2"), 5, "unknown field"),
            (case("call = \"a:B\"\nexpect = \"deny\"\nat = \"noon\""), 5, "no moment"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.line == line && error.message.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn parameters_are_toml_or_json() {
        let toml: toml::Table = "A = 1\nB = [1.5, true]\nC = { D = \"x\" }".parse().unwrap();
        assert_eq!(Parameters::Toml(toml).to_json(), br#"{"A":1,"B":[1.5,true],"C":{"D":"x"}}"#);
        assert_eq!(Parameters::Json("{\"A\":null}".into()).to_json(), br#"{"A":null}"#);
    }
}
