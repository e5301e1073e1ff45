//! Fault injection and observation: what went through the front and the upstream, and what is to
//! go wrong there.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::sync::watch;

use crate::{
    front::{asked::Asked, errors::AwsError},
    iam::principals::Session,
};

/// How many calls are remembered.
const REMEMBERED: usize = 10_000;

/// One call at the front or the upstream.
#[derive(Clone, Debug, Serialize)]
pub struct CallRecord {
    /// When it came, RFC 3339.
    pub at: String,
    /// `front` or `upstream`.
    pub side: &'static str,
    /// The role of the caller, by name.
    pub role: String,
    /// The caller's session name.
    pub session_name: String,
    /// The caller's source identity.
    pub source_identity: Option<String>,
    /// The service, by its signing name.
    pub service: String,
    /// The operation; empty when it was not understood.
    pub operation: String,
    /// The IAM actions that were checked.
    pub actions: Vec<String>,
    /// The resources, one per action.
    pub resources: Vec<String>,
    /// The partition keys that a DynamoDB call touches.
    pub keys: Vec<String>,
    /// Whether the policies allow it.
    pub allowed: bool,
    /// The HTTP status of the answer; 0 when the connection was closed.
    pub status: u16,
}

impl CallRecord {
    /// The record of a call that was read; neither allowed nor answered yet.
    pub fn of(side: &'static str, session: &Session, asked: &Asked) -> Self {
        Self {
            at: OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
            side,
            role: session.role.name.clone(),
            session_name: session.name.clone(),
            source_identity: session.source_identity.clone(),
            service: asked.service.clone(),
            operation: asked.operation.clone(),
            actions: asked.checks.iter().map(|check| check.action.clone()).collect(),
            resources: asked.checks.iter().map(|check| check.resource.clone()).collect(),
            keys: asked.partition_keys(),
            allowed: false,
            status: 0,
        }
    }

    /// The record of a call that could not be read.
    pub fn unread(side: &'static str, session: &Session, service: &str, error: &AwsError) -> Self {
        let asked = Asked {
            service: service.to_owned(),
            signing_name: service.to_owned(),
            operation: String::new(),
            checks: Vec::new(),
            function: None,
        };
        Self { status: error.status, ..Self::of(side, session, &asked) }
    }
}

/// Which calls a fault is for; what is absent matches everything.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matching {
    /// `front` or `upstream`.
    pub side: Option<String>,
    /// The signing name of the service.
    pub service: Option<String>,
    /// The operation.
    pub operation: Option<String>,
    /// The end of the role's name, as in `executor`.
    pub role: Option<String>,
    /// A part of one of the resources, or of a partition key that is touched.
    pub path_contains: Option<String>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// An error answer.
    Error,
    /// A throttling answer.
    Throttle,
    /// No answer, ever; the connection stays open.
    Hang,
    /// No answer until `POST /release`.
    Hold,
    /// The connection is closed.
    Close,
}

/// When it goes wrong.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Instead of, or ahead of, the call.
    #[default]
    Before,
    /// When the call was made and its answer is about to go back.
    After,
}

/// A fault.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which calls.
    #[serde(rename = "match", default)]
    pub matching: Matching,
    /// What happens.
    pub action: Action,
    /// When.
    #[serde(default)]
    pub when: Moment,
    /// The HTTP status of an error; 500 if absent.
    pub status: Option<u16>,
    /// The code of an error; `InternalFailure` if absent.
    pub code: Option<String>,
    /// How often; without end if absent.
    pub times: Option<u32>,
}

/// What a fault makes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultAction {
    /// This error is the answer.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The code.
        code: String,
        /// The message.
        message: String,
    },
    /// The connection is closed.
    Hangup,
}

/// The faults that are set, the calls that were seen, and the calls that are held.
pub struct Control {
    faults: Mutex<Vec<Fault>>,
    calls: Mutex<VecDeque<CallRecord>>,
    held: Mutex<Vec<CallRecord>>,
    /// Counts the releases.
    releases: watch::Sender<u64>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            faults: Mutex::default(),
            calls: Mutex::default(),
            held: Mutex::default(),
            releases: watch::channel(0).0,
        }
    }
}

impl Control {
    /// The faults that are set.
    pub fn faults(&self) -> Vec<Fault> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets a fault.
    pub fn set(&self, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// Lifts every fault and releases what is held.
    pub fn lift_all(&self) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.release();
    }

    /// Lets every held call go on.
    pub fn release(&self) {
        self.releases.send_modify(|count| *count += 1);
    }

    /// Remembers a finished call.
    pub fn record(&self, record: CallRecord) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() == REMEMBERED {
            calls.pop_front();
        }
        calls.push_back(record);
    }

    /// The calls, oldest first.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The calls that are held now.
    pub fn held(&self) -> Vec<CallRecord> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets the first fault for this call at this moment happen; `None` when the call goes on.
    pub async fn fault(&self, call: &CallRecord, moment: Moment) -> Option<FaultAction> {
        let fault = self.take(call, moment)?;
        let answer = |status, code: &str| FaultAction::Answer {
            status: fault.status.unwrap_or(status),
            code: fault.code.clone().unwrap_or_else(|| code.to_owned()),
            message: "injected fault".to_owned(),
        };
        match fault.action {
            Action::Error => Some(answer(500, "InternalFailure")),
            Action::Throttle => Some(answer(400, "ThrottlingException")),
            Action::Close => Some(FaultAction::Hangup),
            Action::Hang => loop {
                tokio::time::sleep(Duration::from_secs(3600)).await;
            },
            Action::Hold => {
                self.hold(call).await;
                None
            }
        }
    }

    async fn hold(&self, call: &CallRecord) {
        let mut releases = self.releases.subscribe();
        let _listed = Held::list(self, call);
        // INVARIANT: the sender lives as long as `self`.
        let _released = releases.changed().await;
    }

    fn take(&self, call: &CallRecord, moment: Moment) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = faults
            .iter_mut()
            .find(|fault| fault.when == moment && fault.matching.fits(call) && fault.times != Some(0))?;
        fault.times = fault.times.map(|times| times - 1);
        Some(fault.clone())
    }
}

/// Keeps a call in the list of held ones until it goes on or its caller goes away.
struct Held<'a> {
    control: &'a Control,
    at: String,
}

impl<'a> Held<'a> {
    fn list(control: &'a Control, call: &CallRecord) -> Self {
        control.held.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
        Self { control, at: call.at.clone() }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut held = self.control.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = held.iter().position(|call| call.at == self.at) {
            held.remove(place);
        }
    }
}

impl Matching {
    fn fits(&self, call: &CallRecord) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        is(&self.side, call.side)
            && is(&self.service, &call.service)
            && is(&self.operation, &call.operation)
            && self.role.as_ref().is_none_or(|role| call.role.ends_with(role.as_str()))
            && self
                .path_contains
                .as_ref()
                .is_none_or(|part| call.resources.iter().chain(&call.keys).any(|text| text.contains(part.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn call(role: &str, resource: &str) -> CallRecord {
        CallRecord {
            at: "now".into(),
            side: "front",
            role: role.into(),
            session_name: "s".into(),
            source_identity: None,
            service: "dynamodb".into(),
            operation: "PutItem".into(),
            actions: vec!["dynamodb:PutItem".into()],
            resources: vec!["arn:aws:dynamodb:eu-central-1:111122223333:table/t".into()],
            keys: vec![resource.into()],
            allowed: true,
            status: 0,
        }
    }

    fn fault(text: &str) -> Fault {
        serde_json::from_str(text).expect("fault")
    }

    #[tokio::test]
    async fn a_fault_happens_to_matching_calls_as_often_as_said() {
        let control = Control::default();
        control.set(fault(
            r#"{"match":{"service":"dynamodb","role":"executor","path_contains":"OUT#"},"action":"error","code":"X","times":1}"#,
        ));
        assert_eq!(control.fault(&call("c-gateway", "OUT#1"), Moment::Before).await, None);
        assert_eq!(control.fault(&call("c-executor", "REQ#1"), Moment::Before).await, None);
        assert_eq!(control.fault(&call("c-executor", "OUT#1"), Moment::After).await, None);
        let hit = control.fault(&call("c-executor", "OUT#1"), Moment::Before).await;
        assert!(matches!(hit, Some(FaultAction::Answer { status: 500, code, .. }) if code == "X"));
        assert_eq!(control.fault(&call("c-executor", "OUT#1"), Moment::Before).await, None);
    }

    #[tokio::test]
    async fn a_held_call_goes_on_when_released() {
        let control = Arc::new(Control::default());
        control.set(fault(r#"{"action":"hold"}"#));
        let held = Arc::clone(&control);
        let waiting = tokio::spawn(async move { held.fault(&call("r", "x"), Moment::Before).await });
        while control.held().is_empty() {
            tokio::task::yield_now().await;
        }
        control.release();
        assert_eq!(waiting.await.expect("task"), None);
        assert!(control.held().is_empty());
    }

    #[test]
    fn unknown_members_of_a_fault_are_refused() {
        assert!(serde_json::from_str::<Fault>(r#"{"action":"error","match":{"opration":"x"}}"#).is_err());
    }
}
