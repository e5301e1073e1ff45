//! Asking and telling.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_aws::{
    authority::{Authority, AuthorityError, LinkItem, UntrustedRequest},
    environment::{BaseUrl, required},
    mail::{Letter, Mail},
    record::{RecordError, Recorder},
    states::TaskToken,
    topics::Topics,
};
use countersign_domain::{
    Digest, PersonId, RequestId, Timestamp,
    event::{Event, Happening, Subject, WriterKind},
    request::{Unasked, Verdict},
    settings::Person,
};
use countersign_policy::Bundle;
use countersign_startup::{StartError, Startup};

use crate::{
    letters::{self, Text},
    order::{Announced, Order},
};

/// Why an order was not carried out; the state machine tries again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotifyError {
    #[error("the authority table: {0}")]
    Authority(#[from] AuthorityError),
    #[error("the record: {0}")]
    Record(#[from] RecordError),
    #[error("there is no request {0}")]
    NoRequest(RequestId),
    #[error("nobody with an address is in any of the groups that are asked for request {0}")]
    Nobody(RequestId),
    #[error("request {0} has expired before anybody could be asked")]
    Expired(RequestId),
    #[error("request {0} is denied")]
    Denied(RequestId),
    #[error("no message about request {0} could be sent")]
    NotSent(RequestId),
    #[error("the system gives no randomness")]
    Random,
}

impl NotifyError {
    /// The stable name that the state machine sees.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            NotifyError::Authority(_) | NotifyError::Record(_) | NotifyError::NotSent(_) | NotifyError::Random => {
                "TemporaryFailure"
            }
            NotifyError::NoRequest(_) => "NoRequest",
            NotifyError::Nobody(_) => NOBODY,
            NotifyError::Expired(_) => "RequestExpired",
            NotifyError::Denied(_) => "Denied",
        }
    }
}

/// The name of [`NotifyError::Nobody`], which comes back from the state machine.
const NOBODY: &str = "NobodyToAsk";

/// One function instance.
pub(crate) struct Notifier {
    bundle: Bundle,
    authority: Authority,
    recorder: Recorder,
    mail: Mail,
    topics: Topics,
    approvals_url: BaseUrl,
}

impl Notifier {
    pub(crate) fn start() -> Result<Self, StartError> {
        let start = Startup::read()?;
        Ok(Self {
            authority: start.authority(),
            recorder: start.recorder(WriterKind::Notifier),
            mail: start.aws.mail(&start.bundle.settings().channels.email_from),
            topics: start.aws.topics(),
            approvals_url: BaseUrl::new(&required("COUNTERSIGN_APPROVALS_URL")?),
            bundle: start.bundle,
        })
    }

    /// Carries out an order.
    pub(crate) async fn carry_out(&self, order: Order, now: Timestamp) -> Result<(), NotifyError> {
        match order {
            Order::Ask { request_id, task_token } => self.ask(&request_id, &task_token, now).await,
            Order::NotAsked { request_id, error } => {
                let reason = if error == NOBODY { Unasked::NobodyToAsk } else { Unasked::NotReached };
                Ok(self.authority.put_unasked(&request_id, reason, now).await?)
            }
            Order::Announce { request_id, state } => self.announce(&request_id, state, now).await,
        }
    }

    /// Keeps the token, then asks everybody. Who is asked decides nothing: who may decide is found
    /// by approvals from the frozen bytes.
    async fn ask(&self, id: &RequestId, token: &TaskToken, now: Timestamp) -> Result<(), NotifyError> {
        let request = self.authority.request(id).await?.ok_or_else(|| NotifyError::NoRequest(id.clone()))?;
        if now >= request.expires_at {
            return Err(NotifyError::Expired(id.clone()));
        }
        // A person whom an earlier try reached may have decided while the machine was not waiting.
        if self.authority.decisions(id).await?.iter().any(|decision| decision.verdict == Verdict::Deny) {
            return Err(NotifyError::Denied(id.clone()));
        }
        self.authority.put_task_token(id, token, now).await?;
        let persons: Vec<_> =
            self.persons(&request).into_iter().filter_map(|person| Some((person, person.emails.first()?))).collect();
        if persons.is_empty() {
            return Err(NotifyError::Nobody(id.clone()));
        }
        let mut asked = Vec::new();
        for (person, address) in persons {
            let link = self.new_link(&request, person).await?;
            if self.send(address, &letters::ask(&request, person, &link)).await {
                asked.push(person.id.clone());
            }
        }
        // The topic reaches nobody who could decide without a link of their own: telling it alone
        // is not asking, and would be done again with every try.
        if asked.is_empty() {
            return Err(NotifyError::NotSent(id.clone()));
        }
        let told = self.tell_topic(&letters::announce_waiting(&request)).await;
        self.note(&request, &asked, "email", now).await;
        if told {
            self.note(&request, &[], "sns", now).await;
        }
        Ok(())
    }

    /// The members of the groups that are asked, without the owners of the agent.
    fn persons(&self, request: &UntrustedRequest) -> Vec<&Person> {
        let settings = self.bundle.settings();
        let owners = settings.owners_of(&request.agent);
        let is_asked = |person: &&Person| person.groups.iter().any(|group| request.groups.contains(group));
        settings.persons.iter().filter(is_asked).filter(|person| !owners.contains(&person.id)).collect()
    }

    /// A link for one person, request and frozen call. Only its hash is stored.
    async fn new_link(&self, request: &UntrustedRequest, person: &Person) -> Result<String, NotifyError> {
        let secret: [u8; 32] = countersign_aws::process::random().ok_or(NotifyError::Random)?;
        let token = URL_SAFE_NO_PAD.encode(secret);
        let item = LinkItem {
            request: request.request.clone(),
            person: person.id.clone(),
            frozen_digest: request.frozen_digest,
            expires_at: request.expires_at,
        };
        self.authority.put_link(&Digest::of(token.as_bytes()), &item).await?;
        Ok(format!("{}/r/{token}", self.approvals_url))
    }

    async fn announce(&self, id: &RequestId, state: Announced, now: Timestamp) -> Result<(), NotifyError> {
        let request = self.authority.request(id).await?.ok_or_else(|| NotifyError::NoRequest(id.clone()))?;
        let happening = Happening::Closed { state: state.as_str().to_owned() };
        self.recorder.append(id.as_str(), &self.event(&request, happening, now)).await?;
        let text = letters::announce(&request, state);
        for person in self.persons(&request) {
            if let Some(address) = person.emails.first() {
                self.send(address, &text).await;
            }
        }
        self.tell_topic(&text).await;
        Ok(())
    }

    /// Sends a letter; one that cannot be sent must not keep others from being asked.
    async fn send(&self, address: &str, text: &Text) -> bool {
        let letter = Letter { to: address, subject: &text.subject, text: &text.text, html: &text.html };
        match self.mail.send(&letter).await {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(%error, "a letter could not be sent");
                false
            }
        }
    }

    async fn tell_topic(&self, text: &Text) -> bool {
        let Some(topic) = &self.bundle.settings().channels.sns_topic else { return false };
        match self.topics.publish(topic, &text.subject, &text.text).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the topic could not be told");
                false
            }
        }
    }

    /// Records who was asked. They have their letters: trying again because this is not on record
    /// would write to them with every try.
    async fn note(&self, request: &UntrustedRequest, persons: &[PersonId], channel: &str, now: Timestamp) {
        let happening = Happening::Asked { persons: persons.to_vec(), channel: channel.to_owned() };
        if let Err(error) = self.recorder.append(request.request.as_str(), &self.event(request, happening, now)).await {
            tracing::error!(%error, request = %request.request, ?persons, channel, "who was asked is not on record");
        }
    }

    fn event(&self, request: &UntrustedRequest, happening: Happening, now: Timestamp) -> Event {
        Event {
            at: now,
            subject: Subject {
                agent: Some(request.agent.clone()),
                session: Some(request.session.clone()),
                target: Some(request.target.clone()),
                request: Some(request.request.clone()),
                unverified_task: String::new(),
            },
            happening,
        }
    }
}
