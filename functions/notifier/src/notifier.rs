//! Asking and telling.

use std::{sync::Arc, time::Duration};

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
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, timeout_at},
};

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

/// How long the letters that ask may take. An ask that the function's 30 s cut off would be tried
/// again, and write again to those whom it had reached.
const LONGEST_ASKING: Duration = Duration::from_secs(18);
/// How long all of an ask may take, with what follows the letters.
const LONGEST_ASK: Duration = Duration::from_secs(25);
/// How many letters are on their way at once; a new SES account sends few in a second.
const LETTERS_AT_ONCE: usize = 8;

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
        let begun = Instant::now();
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
            self.persons(&request).into_iter().filter(|person| !person.emails.is_empty()).cloned().collect();
        if persons.is_empty() {
            return Err(NotifyError::Nobody(id.clone()));
        }
        let request = Arc::new(request);
        let asked = self.write_to_all(&request, persons, begun + LONGEST_ASKING).await;
        // The topic reaches nobody who could decide without a link of their own: telling it alone
        // is not asking, and would be done again with every try.
        if asked.is_empty() {
            return Err(NotifyError::NotSent(id.clone()));
        }
        // From here on nothing is an error: what is tried again writes again to those who have letters.
        let follow_up = async {
            self.note(&request, &asked, "email", now).await;
            if self.tell_topic(&letters::announce_waiting(&request)).await {
                self.note(&request, &[], "sns", now).await;
            }
        };
        if timeout_at(begun + LONGEST_ASK, follow_up).await.is_err() {
            tracing::error!(request = %id, ?asked, "no time was left to tell the topic or to record who was asked");
        }
        Ok(())
    }

    /// Asks everybody at once; those who could be asked until `deadline`. One who cannot be asked
    /// keeps nobody else from being asked.
    async fn write_to_all(
        &self,
        request: &Arc<UntrustedRequest>,
        persons: Vec<Person>,
        deadline: Instant,
    ) -> Vec<PersonId> {
        let mut under_way = JoinSet::new();
        let mut asked = Vec::new();
        for person in persons {
            if under_way.len() >= LETTERS_AT_ONCE {
                asked.extend(under_way.join_next().await.and_then(asked_by));
            }
            let asking = Asking {
                authority: self.authority.clone(),
                mail: self.mail.clone(),
                request: Arc::clone(request),
                approvals_url: self.approvals_url.clone(),
            };
            under_way.spawn(async move {
                let asked = timeout_at(deadline, asking.ask(&person)).await.unwrap_or_else(|_| {
                    tracing::error!(person = %person.id, "there was no time to ask a person");
                    false
                });
                asked.then_some(person.id)
            });
        }
        while let Some(ended) = under_way.join_next().await {
            asked.extend(asked_by(ended));
        }
        asked
    }

    /// The members of the groups that are asked, without the owners of the agent.
    fn persons(&self, request: &UntrustedRequest) -> Vec<&Person> {
        let settings = self.bundle.settings();
        let owners = settings.owners_of(&request.agent);
        let is_asked = |person: &&Person| person.groups.iter().any(|group| request.groups.contains(group));
        settings.persons.iter().filter(is_asked).filter(|person| !owners.contains(&person.id)).collect()
    }

    async fn announce(&self, id: &RequestId, state: Announced, now: Timestamp) -> Result<(), NotifyError> {
        let request = self.authority.request(id).await?.ok_or_else(|| NotifyError::NoRequest(id.clone()))?;
        let happening = Happening::Closed { state: state.as_str().to_owned() };
        self.recorder.append(id.as_str(), &self.event(&request, happening, now)).await?;
        let text = letters::announce(&request, state);
        for person in self.persons(&request) {
            if let Some(address) = person.emails.first() {
                send(&self.mail, address, &text).await;
            }
        }
        self.tell_topic(&text).await;
        Ok(())
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

/// What it takes to ask one person, apart from the others.
struct Asking {
    authority: Authority,
    mail: Mail,
    request: Arc<UntrustedRequest>,
    approvals_url: BaseUrl,
}

impl Asking {
    /// Whether the person has a letter now.
    async fn ask(&self, person: &Person) -> bool {
        let Some(address) = person.emails.first() else { return false };
        match self.new_link(person).await {
            Ok(link) => send(&self.mail, address, &letters::ask(&self.request, person, &link)).await,
            Err(error) => {
                tracing::error!(%error, person = %person.id, "a person has no link and is not asked");
                false
            }
        }
    }

    /// A link for one person, request and frozen call. Only its hash is stored.
    async fn new_link(&self, person: &Person) -> Result<String, NotifyError> {
        let secret: [u8; 32] = countersign_aws::process::random().ok_or(NotifyError::Random)?;
        let token = URL_SAFE_NO_PAD.encode(secret);
        let item = LinkItem {
            request: self.request.request.clone(),
            person: person.id.clone(),
            frozen_digest: self.request.frozen_digest,
            expires_at: self.request.expires_at,
        };
        self.authority.put_link(&Digest::of(token.as_bytes()), &item).await?;
        Ok(format!("{}/r/{token}", self.approvals_url))
    }
}

/// Who was asked by a task that has ended.
fn asked_by(ended: Result<Option<PersonId>, JoinError>) -> Option<PersonId> {
    ended.unwrap_or_else(|error| {
        tracing::error!(%error, "asking a person was cut off");
        None
    })
}

/// Sends a letter; one that cannot be sent must not keep others from being written to.
async fn send(mail: &Mail, address: &str, text: &Text) -> bool {
    let letter = Letter { to: address, subject: &text.subject, text: &text.text, html: &text.html };
    match mail.send(&letter).await {
        Ok(_) => true,
        Err(error) => {
            tracing::error!(%error, "a letter could not be sent");
            false
        }
    }
}
