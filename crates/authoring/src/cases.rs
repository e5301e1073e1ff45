//! Runs policy tests: each case becomes a request, is understood as the gateway does, and decided.

use std::collections::BTreeSet;

use countersign_domain::{Call, Decision, Obligations};
use countersign_policy::{Bundle, Explanation, RuleOutcome};
use serde::Serialize;

use crate::{
    case_file::{Case, CaseFile, Expected},
    circumstances::{Circumstances, DEFAULT_MOMENT, target_named},
    request::{CallError, call_of, understand_raw},
};

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseResult {
    /// The file.
    pub file: String,
    /// The line of its `[[case]]`.
    pub line: usize,
    /// Its name, or its call.
    pub name: String,
    /// `deny`, `approval`, `allow` or `refused`; absent where the case could not be run.
    pub decision: Option<&'static str>,
    /// The rules that decided.
    pub rules: Vec<String>,
    /// Why it was denied or refused.
    pub reason: Option<String>,
    /// Every rule that matched, whether it decided or not.
    pub matched: BTreeSet<String>,
    /// What is not as expected; empty when the case passes.
    pub failures: Vec<String>,
}

impl CaseResult {
    /// Whether all is as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Runs every case of `file` on `bundle`.
pub fn run(bundle: &Bundle, file: &CaseFile) -> Vec<CaseResult> {
    file.cases.iter().map(|(line, case)| run_case(bundle, file, *line, case)).collect()
}

fn run_case(bundle: &Bundle, file: &CaseFile, line: usize, case: &Case) -> CaseResult {
    let mut result = CaseResult {
        file: file.path.display().to_string(),
        line,
        name: case.name.clone().or_else(|| case.call.clone()).unwrap_or_else(|| "raw request".to_owned()),
        decision: None,
        rules: Vec::new(),
        reason: None,
        matched: BTreeSet::new(),
        failures: Vec::new(),
    };
    let circumstances = match circumstances(bundle, case) {
        Ok(circumstances) => circumstances,
        Err(message) => {
            result.failures.push(message);
            return result;
        }
    };
    match call(case, &circumstances) {
        Ok(call) => {
            let explanation = bundle.explain(&call, &circumstances.facts());
            judge(case, &explanation, &mut result);
        }
        Err(CallError::Refused(refusal)) => {
            result.decision = Some(Expected::Refused.as_str());
            result.reason = Some(format!("{}: {refusal}", refusal.reason()));
            expect(case, Expected::Refused, &mut result);
            expect_reason(case, &mut result);
        }
        Err(error) => result.failures.push(error.to_string()),
    }
    result
}

fn circumstances(bundle: &Bundle, case: &Case) -> Result<Circumstances, String> {
    let target = target_named(bundle.settings(), case.target.as_deref()).map_err(|error| error.to_string())?;
    let agent = case.agent.clone().ok_or("the case names no agent")?;
    let mut all = Circumstances::new(agent, target.clone());
    all.groups = case.groups.clone().unwrap_or_default();
    all.owners = case.owners.clone().unwrap_or_default();
    all.unverified_task = case.task.clone().unwrap_or_default();
    all.source_ip = case.source_ip;
    all.at = case.at.map_or(DEFAULT_MOMENT, |moment| moment.0);
    if let Some(age) = case.session_age {
        all.session_age = age.0;
    }
    Ok(all)
}

fn call(case: &Case, circumstances: &Circumstances) -> Result<Call, CallError> {
    let target = &circumstances.target;
    let first = target.regions.first().map_or("", |region| region.as_str());
    let region = case.region.as_deref().unwrap_or(first);
    match (&case.request, &case.call) {
        (Some(raw), _) => understand_raw(raw, region, target),
        (None, name) => {
            let parameters = case.parameters.as_ref().map_or_else(|| b"{}".to_vec(), |given| given.to_json());
            call_of(name.as_deref().unwrap_or_default(), &parameters, case.body.as_deref(), region, target)
        }
    }
}

fn judge(case: &Case, explanation: &Explanation, result: &mut CaseResult) {
    let decision = &explanation.verdict.decision;
    let came = match decision {
        Decision::Deny { reason, .. } => {
            result.reason = Some(reason.clone());
            Expected::Deny
        }
        Decision::NeedsApproval { .. } => Expected::Approval,
        Decision::Allow { .. } => Expected::Allow,
    };
    result.decision = Some(came.as_str());
    result.rules = decision.rules().iter().map(|hit| hit.rule.clone()).collect();
    result.rules.dedup();
    let matched =
        explanation.considered.iter().filter(|one| matches!(one.outcome, RuleOutcome::Matches | RuleOutcome::MayMatch));
    result.matched = matched.map(|one| one.rule.clone()).collect();
    expect(case, came, result);
    expect_rules(case, explanation, result);
    if let Decision::NeedsApproval { obligations, .. } = decision {
        expect_obligations(case, obligations, result);
    }
    if let (Some(reveal), Decision::NeedsApproval { obligations, .. } | Decision::Allow { obligations, .. }) =
        (&case.reveal, decision)
        && *reveal != obligations.reveal
    {
        result.failures.push(format!("expected to reveal {reveal:?}, and it reveals {:?}", obligations.reveal));
    }
    expect_reason(case, result);
}

fn expect(case: &Case, came: Expected, result: &mut CaseResult) {
    let Some(expected) = case.expect.filter(|expected| *expected != came) else { return };
    let by = if result.rules.is_empty() { String::new() } else { format!(" by {}", result.rules.join(", ")) };
    let reason = result.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    result.failures.push(format!("expected {}, and it is {}{by}{reason}", expected.as_str(), came.as_str()));
}

fn expect_rules(case: &Case, explanation: &Explanation, result: &mut CaseResult) {
    let rules: BTreeSet<_> = result.rules.iter().cloned().collect();
    let told = || if rules.is_empty() { "no rule".to_owned() } else { result.rules.join(", ") };
    let mut failures = Vec::new();
    if let Some(rule) = case.rule.as_ref().filter(|rule| !rules.contains(*rule)) {
        failures.push(format!("expected the rule {rule}, and what decides is {}", told()));
    }
    if let Some(exactly) = case.rules.as_ref().filter(|exactly| **exactly != rules) {
        let exactly: Vec<_> = exactly.iter().map(String::as_str).collect();
        failures.push(format!("expected exactly the rules {}, and what decides is {}", exactly.join(", "), told()));
    }
    let shadow: BTreeSet<_> = explanation.verdict.shadow.iter().map(|hit| hit.rule.clone()).collect();
    if let Some(expected) = case.shadow.as_ref().filter(|expected| **expected != shadow) {
        failures.push(format!("expected the shadow rules {expected:?}, and they are {shadow:?}"));
    }
    result.failures.extend(failures);
}

fn expect_obligations(case: &Case, obligations: &Obligations, result: &mut CaseResult) {
    let mut differ = |what: &str, expected: String, is: String| {
        if expected != is {
            result.failures.push(format!("expected {what} {expected}, and it is {is}"));
        }
    };
    if let Some(approvers) = &case.approvers {
        let groups: Vec<_> = obligations.approvals.keys().map(|group| group.as_str()).collect();
        differ("approvers", approvers.iter().map(String::as_str).collect::<Vec<_>>().join(", "), groups.join(", "));
    }
    if let Some(quorum) = case.quorum {
        let largest = obligations.approvals.values().max().copied().unwrap_or_default();
        differ("a quorum of", quorum.to_string(), largest.to_string());
    }
    let seconds = |time: std::time::Duration| format!("{} s", time.as_secs());
    if let Some(expires) = case.expires {
        differ("expiry after", seconds(expires.0), seconds(obligations.expires));
    }
    if let Some(review) = case.min_review {
        differ("a review of at least", seconds(review.0), seconds(obligations.min_review));
    }
    if let Some(confirm) = case.confirm {
        differ("confirmation by name", confirm.to_string(), obligations.confirm_resource.to_string());
    }
}

/// A part of the reason, letter case aside.
fn expect_reason(case: &Case, result: &mut CaseResult) {
    let Some(part) = &case.reason else { return };
    let reason = result.reason.clone().unwrap_or_default();
    if !reason.to_lowercase().contains(&part.to_lowercase()) {
        result.failures.push(format!("expected a reason with `{part}`, and it is `{reason}`"));
    }
}
