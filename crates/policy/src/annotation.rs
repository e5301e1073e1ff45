//! Annotations of rules: which there are, what their values may be, and what they oblige to.

use std::{collections::BTreeSet, time::Duration};

use countersign_domain::{
    GroupName, Obligations,
    obligations::{Escalation, GrantLimit, MAX_APPROVAL_GROUPS},
    time::parse_duration,
};

/// The annotations there are, for messages and suggestions.
pub(crate) const KNOWN: [&str; 11] =
    ["id", "reason", "mode", "approval", "quorum", "expires", "escalate", "min_review", "confirm", "grant", "reveal"];

/// Those that only a `permit` with `@approval` may have.
const WITH_APPROVAL_ONLY: [&str; 6] = ["quorum", "expires", "escalate", "min_review", "confirm", "grant"];

const LONGEST_WAIT: Duration = Duration::from_secs(30 * 86_400);
const LONGEST_REVIEW: Duration = Duration::from_secs(3600);
const LONGEST_GRANT: Duration = Duration::from_secs(7 * 86_400);
const MOST_USES: u32 = 10_000;
const LARGEST_QUORUM: u32 = 20;
const LONGEST_REASON: usize = 500;

/// What a rule is, by its effect and annotations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `forbid`.
    Forbid,
    /// `permit` with `@approval`.
    Approval(Obligations),
    /// `permit` without.
    Permit(Obligations),
}

/// The annotations of one rule, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Annotations {
    pub(crate) id: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) shadow: bool,
    pub(crate) kind: Kind,
}

/// Something wrong with an annotation, and what to do about it.
pub(crate) type Wrong = (String, String);

/// Reads the annotations of a `forbid` (or else a `permit`).
///
/// # Errors
/// Everything that is wrong with them.
pub(crate) fn read<'a>(
    forbid: bool,
    annotations: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Result<Annotations, Vec<Wrong>> {
    let mut reader = Reader { wrong: Vec::new(), obligations: Obligations::none(), escalates: false };
    let (mut id, mut reason, mut shadow, mut groups) = (None, None, false, None);
    let mut quorum = 1;
    let has_approval = annotations.clone().any(|(name, _)| name == "approval");
    for (name, value) in annotations {
        reader.check_place(name, forbid, has_approval);
        match name {
            "id" => id = reader.id(value),
            "reason" => reason = reader.reason(value),
            "mode" => shadow = reader.mode(value),
            "approval" => groups = Some(reader.groups(value)),
            "quorum" => quorum = reader.quorum(value),
            "reveal" => reader.reveal(value),
            "expires" => {
                if let Some(wait) = reader.duration("expires", value, Duration::from_secs(60), LONGEST_WAIT) {
                    reader.obligations.expires = wait;
                }
            }
            "min_review" => {
                if let Some(least) = reader.duration("min_review", value, Duration::ZERO, LONGEST_REVIEW) {
                    reader.obligations.min_review = least;
                }
            }
            "confirm" => reader.confirm(value),
            "grant" => reader.grant(value),
            "escalate" => reader.escalate(value),
            unknown => reader.unknown(unknown),
        }
    }
    reader.check_times();
    if let Some(groups) = groups {
        reader.obligations.approvals = groups.into_iter().map(|group| (group, quorum)).collect();
    }
    if !reader.wrong.is_empty() {
        return Err(reader.wrong);
    }
    let kind = match (forbid, has_approval) {
        (true, _) => Kind::Forbid,
        (false, true) => Kind::Approval(reader.obligations),
        (false, false) => Kind::Permit(reader.obligations),
    };
    Ok(Annotations { id, reason, shadow, kind })
}

struct Reader {
    wrong: Vec<Wrong>,
    obligations: Obligations,
    escalates: bool,
}

impl Reader {
    fn wrong(&mut self, message: String, fix: impl Into<String>) {
        self.wrong.push((message, fix.into()));
    }

    fn check_place(&mut self, name: &str, forbid: bool, has_approval: bool) {
        let only_permit = name == "approval" || name == "reveal" || WITH_APPROVAL_ONLY.contains(&name);
        if forbid && only_permit {
            self.wrong(
                format!("`@{name}` has no meaning on a forbid"),
                "remove it, or make the rule a permit with `@approval`",
            );
        } else if !has_approval && WITH_APPROVAL_ONLY.contains(&name) {
            self.wrong(
                format!("`@{name}` has no meaning without `@approval`"),
                format!("add `@approval(\"group\")` or remove `@{name}`"),
            );
        }
    }

    fn unknown(&mut self, name: &str) {
        let fix = match crate::nearest::nearest(name, KNOWN) {
            Some(near) => format!("did you mean `@{near}`?"),
            None => format!("the annotations are {}", KNOWN.map(|known| format!("`@{known}`")).join(", ")),
        };
        self.wrong(format!("unknown annotation `@{name}`"), fix);
    }

    fn id(&mut self, value: &str) -> Option<String> {
        let valid = !value.is_empty()
            && value.len() <= 64
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if !valid {
            self.wrong(format!("`@id(\"{value}\")` is not valid"), "use 1 to 64 characters of A-Z a-z 0-9 _ . -");
        }
        valid.then(|| value.to_owned())
    }

    fn reason(&mut self, value: &str) -> Option<String> {
        let valid = !value.trim().is_empty() && value.len() <= LONGEST_REASON && !value.chars().any(char::is_control);
        if !valid {
            self.wrong(
                "the value of `@reason` is not valid".to_owned(),
                format!("use one line of 1 to {LONGEST_REASON} bytes"),
            );
        }
        valid.then(|| value.trim().to_owned())
    }

    fn mode(&mut self, value: &str) -> bool {
        if value != "shadow" {
            self.wrong(format!("unknown mode `{value}`"), "the only mode is `@mode(\"shadow\")`");
        }
        value == "shadow"
    }

    fn groups(&mut self, value: &str) -> BTreeSet<GroupName> {
        let groups: BTreeSet<_> = items(value).filter_map(|name| self.group(name)).collect();
        if groups.is_empty() || groups.len() > MAX_APPROVAL_GROUPS {
            self.wrong(
                format!("`@approval(\"{value}\")` names {} groups", groups.len()),
                format!("name 1 to {MAX_APPROVAL_GROUPS} groups, separated by commas"),
            );
        }
        groups
    }

    fn group(&mut self, name: &str) -> Option<GroupName> {
        GroupName::new(name).map_err(|error| self.wrong(error.to_string(), "correct the group's name")).ok()
    }

    fn quorum(&mut self, value: &str) -> u32 {
        let quorum = value.trim().parse().ok().filter(|number| (1..=LARGEST_QUORUM).contains(number));
        if quorum.is_none() {
            self.wrong(
                format!("`@quorum(\"{value}\")` is not valid"),
                format!("use a whole number from 1 to {LARGEST_QUORUM}"),
            );
        }
        quorum.unwrap_or(LARGEST_QUORUM)
    }

    fn reveal(&mut self, value: &str) {
        self.obligations.reveal = items(value).map(str::to_owned).collect();
        let valid = |path: &String| {
            path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]{}".contains(&byte)) && path.len() <= 256
        };
        if self.obligations.reveal.is_empty() || !self.obligations.reveal.iter().all(valid) {
            self.wrong(
                format!("`@reveal(\"{value}\")` is not valid"),
                "name members of the answer, separated by commas, as in `SecretString` or `Items[].Key`",
            );
        }
    }

    fn confirm(&mut self, value: &str) {
        self.obligations.confirm_resource = value == "resource";
        if value != "resource" {
            self.wrong(format!("`@confirm(\"{value}\")` is not valid"), "the only value is `@confirm(\"resource\")`");
        }
    }

    fn grant(&mut self, value: &str) {
        self.obligations.grant = parse_grant(value);
        if self.obligations.grant.is_none() {
            self.wrong(
                format!("`@grant(\"{value}\")` is not valid"),
                format!("write a lifetime of 1m to 7d and 1 to {MOST_USES} uses, as in `1h, 20 uses`"),
            );
        }
    }

    fn escalate(&mut self, value: &str) {
        self.escalates = true;
        for item in items(value) {
            let step = item.split_once(" after ").and_then(|(group, after)| {
                Some((self.group(group.trim())?, parse_duration(after).filter(|after| !after.is_zero())?))
            });
            match step {
                Some((group, after)) => drop(self.obligations.escalations.insert(Escalation { after, group })),
                None => self.wrong(
                    format!("`{item}` is no step of an escalation"),
                    "write the group and the time, as in `leads after 10m`; several are separated by commas",
                ),
            }
        }
        if self.obligations.escalations.is_empty() {
            self.wrong("`@escalate` names nobody".to_owned(), "write the group and the time, as in `leads after 10m`");
        }
    }

    fn duration(&mut self, name: &str, value: &str, least: Duration, most: Duration) -> Option<Duration> {
        let duration = parse_duration(value).filter(|duration| (least..=most).contains(duration));
        if duration.is_none() {
            self.wrong(
                format!("`@{name}(\"{value}\")` is not valid"),
                format!(
                    "use a time from {} s to {} s, as in `30s`, `10m`, `2h` or `1d`",
                    least.as_secs(),
                    most.as_secs()
                ),
            );
        }
        duration
    }

    /// An escalation or a review that ends after the request has expired can never happen.
    fn check_times(&mut self) {
        let expires = self.obligations.expires;
        if self.escalates && self.obligations.escalations.iter().any(|step| step.after >= expires) {
            self.wrong(
                format!("the request expires after {} s, before it escalates", expires.as_secs()),
                "escalate earlier or let `@expires` be longer",
            );
        }
        if self.obligations.min_review >= expires {
            self.wrong(
                "the request expires before it was reviewed for long enough".to_owned(),
                "let `@min_review` be shorter than `@expires`",
            );
        }
    }
}

fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn parse_grant(value: &str) -> Option<GrantLimit> {
    let (lifetime, uses) = value.split_once(',')?;
    let lifetime = parse_duration(lifetime)?;
    let uses = uses.trim();
    let uses: u32 = uses.strip_suffix(" uses").or_else(|| uses.strip_suffix(" use"))?.trim().parse().ok()?;
    let lifetime_valid = (Duration::from_secs(60)..=LONGEST_GRANT).contains(&lifetime);
    (lifetime_valid && (1..=MOST_USES).contains(&uses)).then_some(GrantLimit { lifetime, uses })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit(annotations: &[(&'static str, &'static str)]) -> Result<Annotations, Vec<Wrong>> {
        read(false, annotations.iter().copied())
    }

    #[test]
    fn a_full_approval_rule_is_read() {
        let read = permit(&[
            ("approval", "dba, security"),
            ("quorum", "2"),
            ("expires", "1h"),
            ("escalate", "leads after 10m, managers after 30m"),
            ("min_review", "20s"),
            ("confirm", "resource"),
            ("grant", "1h, 20 uses"),
            ("reveal", "SecretString, Items[].Key"),
            ("reason", "because"),
            ("mode", "shadow"),
            ("id", "a.b-c_1"),
        ])
        .unwrap();
        let Kind::Approval(obligations) = read.kind else { panic!() };
        assert_eq!(obligations.approvals.values().copied().collect::<Vec<_>>(), [2, 2]);
        assert_eq!(obligations.expires, Duration::from_secs(3600));
        assert_eq!(obligations.escalations.len(), 2);
        assert_eq!(obligations.grant, Some(GrantLimit { lifetime: Duration::from_secs(3600), uses: 20 }));
        assert!(obligations.confirm_resource && read.shadow);
        assert_eq!(read.reason.as_deref(), Some("because"));
    }

    #[test]
    fn unknown_or_bad_annotations_are_errors() {
        for bad in [
            ("approvals", "dba"),
            ("Approval", "dba"),
            ("quorum", "2"),
            ("confirm", "resource"),
            ("mode", "live"),
            ("id", ""),
            ("id", "a b"),
            ("reason", " "),
            ("reveal", ""),
            ("reveal", "a b"),
            ("approval", ""),
            ("approval", "a b"),
        ] {
            assert!(permit(&[bad]).is_err(), "{bad:?}");
        }
        for bad in [
            ("quorum", "0"),
            ("quorum", "two"),
            ("expires", "1s"),
            ("expires", "31d"),
            ("expires", ""),
            ("escalate", "leads"),
            ("escalate", "leads after 30m"),
            ("min_review", "30m"),
            ("confirm", ""),
            ("grant", "1h"),
            ("grant", "20 uses"),
            ("grant", "1h, 0 uses"),
            ("grant", "30d, 1 uses"),
        ] {
            assert!(permit(&[("approval", "dba"), bad]).is_err(), "{bad:?}");
        }
        assert!(read(true, [("approval", "dba")].into_iter()).is_err());
        assert!(read(true, [("reveal", "X")].into_iter()).is_err());
        assert!(read(true, [("reason", "x"), ("id", "y"), ("mode", "shadow")].into_iter()).is_ok());
    }
}
