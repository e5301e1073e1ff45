//! Approvals: everything that lives as long as the function instance.

use std::{fmt, path::Path};

use countersign_aws::{
    Aws, authority::Authority, documents::Documents, frozen::FrozenStore, keys::Keys, mail::Mail, record::Recorder,
    states::StateMachine,
};
use countersign_domain::{
    Timestamp,
    event::{Event, Happening, Subject, WriterKind},
};
use countersign_identity::{
    TokenVerifier,
    sealing::{Sealer, SealingKey},
};
use countersign_masking::Masker;
use countersign_policy::Bundle;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::{assess::Assessment, problem::Problem, settings::ApprovalsSettings};

const COOKIE_LABEL: &str = "countersign/approvals-cookies/v1";
const CODE_LABEL: &str = "countersign/emailed-codes/v1";

/// Why approvals cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Environment(#[from] countersign_aws::environment::EnvironmentError),
    #[error(transparent)]
    Bundle(#[from] countersign_policy::BundleError),
    #[error(transparent)]
    Masking(#[from] countersign_masking::UnknownPatternError),
    #[error("the system gives no randomness")]
    Random,
}

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
        let aws = Aws::from_env()?;
        let bundle =
            Bundle::load(Path::new(&settings.bundle_dir), |name| std::env::var(name).ok(), &settings.protected_arns)?;
        let from_bundle = bundle.settings();
        Ok(Self {
            tokens: TokenVerifier::new(
                from_bundle.agent_issuers.clone(),
                from_bundle.person_issuers.clone(),
                aws.documents(),
            ),
            documents: aws.documents(),
            authority: aws.authority(&settings.authority_table),
            frozen: aws.frozen(&settings.frozen_key, &settings.frozen_bucket),
            keys: aws.keys(),
            states: aws.states(String::new()),
            mail: aws.mail(&from_bundle.channels.email_from),
            masker: Masker::new(&from_bundle.masking)?,
            recorder: aws.recorder(
                &settings.record_table,
                WriterKind::Approvals,
                countersign_aws::process::random().ok_or(StartError::Random)?,
            ),
            sealer: OnceCell::new(),
            code_key: OnceCell::new(),
            settings,
            bundle,
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
        let caller = &assessment.frozen.caller;
        let event = Event {
            at: now,
            subject: Subject {
                agent: Some(caller.agent.clone()),
                session: Some(caller.session.clone()),
                target: Some(assessment.frozen.target.clone()),
                request: Some(assessment.frozen.request_id.clone()),
                unverified_task: caller.unverified_task.clone(),
            },
            happening,
        };
        self.recorder
            .append(assessment.frozen.request_id.as_str(), &event)
            .await
            .map(|_| ())
            .map_err(|error| Problem::unavailable("the record cannot be written", &error))
    }
}
