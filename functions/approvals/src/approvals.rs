//! Approvals: everything that lives as long as the function instance.

use std::fmt;

use countersign_aws::{
    authority::Authority, documents::Documents, frozen::FrozenStore, keys::Keys, mail::Mail, record::Recorder,
    states::StateMachine,
};
use countersign_domain::{
    Timestamp,
    event::{Event, Happening, Subject, WriterKind},
    settings::Person,
};
use countersign_identity::{
    TokenVerifier,
    sealing::{Sealer, SealingKey},
};
use countersign_masking::Masker;
use countersign_policy::Bundle;
use countersign_startup::{StartError, Startup};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::{assess::Assessment, problem::Problem, settings::ApprovalsSettings};

const COOKIE_LABEL: &str = "countersign/approvals-cookies/v1";
const CODE_LABEL: &str = "countersign/emailed-codes/v1";

/// Refused attempts to decide that are recorded, for one person and request: enough to show that
/// somebody tries, and no way to fill the record.
const MOST_REFUSALS: u64 = 20;

/// One function instance.
pub(crate) struct Approvals {
    pub settings: ApprovalsSettings,
    pub bundle: Bundle,
    pub tokens: TokenVerifier<Documents>,
    pub documents: Documents,
    pub authority: Authority,
    pub frozen: FrozenStore,
    pub keys: Keys,
    pub states: StateMachine,
    pub mail: Mail,
    pub masker: Masker,
    recorder: Recorder,
    sealer: OnceCell<Sealer>,
    code_key: OnceCell<Zeroizing<[u8; 32]>>,
}

impl fmt::Debug for Approvals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Approvals").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Approvals {
    /// Reads the environment and the bundle. Nothing is asked of the network.
    pub(crate) fn start() -> Result<Self, StartError> {
        let settings = ApprovalsSettings::from_env()?;
        let start = Startup::read()?;
        let (aws, from_bundle) = (&start.aws, start.bundle.settings());
        Ok(Self {
            tokens: TokenVerifier::new(
                from_bundle.agent_issuers.clone(),
                from_bundle.person_issuers.clone(),
                aws.documents(),
            ),
            documents: aws.documents(),
            authority: start.authority(),
            frozen: aws.frozen(&settings.frozen_key, &settings.frozen_bucket),
            keys: aws.keys(),
            states: aws.states(String::new()),
            mail: aws.mail(&from_bundle.channels.email_from),
            masker: start.masker()?,
            recorder: start.recorder(WriterKind::Approvals),
            sealer: OnceCell::new(),
            code_key: OnceCell::new(),
            settings,
            bundle: start.bundle,
        })
    }

    /// The key of cookies and forms, derived by KMS on first use.
    pub(crate) async fn sealer(&self) -> Result<&Sealer, Problem> {
        self.sealer
            .get_or_try_init(|| async {
                let master = self.derive(COOKIE_LABEL).await?;
                let key = SealingKey::new("cookie", &Zeroizing::new(master.to_vec()))
                    .map_err(|error| Problem::unavailable("the cookie key cannot be used", &error))?;
                Ok(Sealer::new(key))
            })
            .await
    }

    /// The key under which codes are hashed: eight digits alone would be guessed from a plain hash.
    pub(crate) async fn code_key(&self) -> Result<&[u8; 32], Problem> {
        self.code_key.get_or_try_init(|| self.derive(CODE_LABEL)).await.map(|key| &**key)
    }

    async fn derive(&self, label: &str) -> Result<Zeroizing<[u8; 32]>, Problem> {
        self.keys
            .derive(&self.settings.cookie_key, label)
            .await
            .map_err(|error| Problem::unavailable("the cookie key cannot be reached", &error))
    }

    /// Records what happened to a request. Where that fails, nothing that depends on it is done.
    pub(crate) async fn record(
        &self,
        assessment: &Assessment,
        happening: Happening,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.append(assessment.subject(), happening, now).await
    }

    /// Records that `person` tried to decide and could not, as often as it says something.
    pub(crate) async fn record_refusal(
        &self,
        subject: Subject,
        person: &Person,
        problem: &Problem,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let Some(request) = &subject.request else { return Ok(()) };
        let counted = self.authority.count_refusal(request, &person.id, MOST_REFUSALS, now).await;
        if counted.map_err(|error| Problem::unavailable("the attempt cannot be counted", &error))? {
            let happening = Happening::VoteRefused { person: Some(person.id.clone()), reason: problem.to_string() };
            self.append(subject, happening, now).await?;
        }
        Ok(())
    }

    async fn append(&self, subject: Subject, happening: Happening, now: Timestamp) -> Result<(), Problem> {
        let about = subject.request.as_ref().map_or("", |request| request.as_str()).to_owned();
        self.recorder
            .append(&about, &Event { at: now, subject, happening })
            .await
            .map(|_| ())
            .map_err(|error| Problem::unavailable("the record cannot be written", &error))
    }
}
