//! The one handle that every adapter starts from.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};

use crate::{
    authority::Authority,
    documents::Documents,
    environment::{Environment, EnvironmentError},
    forward::Forwarder,
    frozen::FrozenStore,
    keys::Keys,
    mail::Mail,
    outcomes::Outcomes,
    record::Recorder,
    states::StateMachine,
    sts::Roles,
    topics::Topics,
};

/// How long a TCP and TLS handshake may take. It ends before every other limit, so that a failed
/// connection is always known as one: nothing has been sent.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one attempt of our own calls may take; they are all small.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one of our own calls may take with its retries, well under an API's 30 s.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(12);
/// Attempts of one of our own calls.
const ATTEMPTS: u32 = 3;
/// An instance is frozen between invocations, and a connection that AWS closed meanwhile looks
/// open: those that idled longer than this are not used again.
const POOL_IDLE: Duration = Duration::from_secs(8);

/// Where every adapter comes from. Cloning shares everything.
#[derive(Clone, Debug)]
pub struct Aws(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    environment: Environment,
    http: OnceLock<SharedHttpConnector>,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    kms: OnceLock<aws_sdk_kms::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    sesv2: OnceLock<aws_sdk_sesv2::Client>,
    sfn: OnceLock<aws_sdk_sfn::Client>,
    sns: OnceLock<aws_sdk_sns::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
}

/// One client, made when it is first used, over the one HTTP connector.
macro_rules! client {
    ($shared:expr, $field:ident, $crate_name:ident) => {
        $shared
            .0
            .$field
            .get_or_init(|| {
                let environment = &$shared.0.environment;
                let mut config = $crate_name::Config::builder()
                    .behavior_version($crate_name::config::BehaviorVersion::latest())
                    .region($crate_name::config::Region::new(environment.region.clone()))
                    .credentials_provider(environment.credentials.clone())
                    .http_client($shared.http_client())
                    .timeout_config(timeouts())
                    .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
                config.set_endpoint_url(environment.endpoint_url.clone());
                $crate_name::Client::from_conf(config.build())
            })
            .clone()
    };
}

impl Aws {
    /// The handle for the Lambda environment. Reads variables and nothing else.
    ///
    /// # Errors
    /// [`EnvironmentError`] names the variable that is missing.
    pub fn from_env() -> Result<Self, EnvironmentError> {
        Environment::read().map(Self::new)
    }

    /// The handle for a known environment.
    pub fn new(environment: Environment) -> Self {
        Self(Arc::new(Shared {
            environment,
            http: OnceLock::new(),
            dynamodb: OnceLock::new(),
            kms: OnceLock::new(),
            s3: OnceLock::new(),
            sesv2: OnceLock::new(),
            sfn: OnceLock::new(),
            sns: OnceLock::new(),
            sts: OnceLock::new(),
        }))
    }

    /// The environment that the handle was made for.
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// The authority table called `table`.
    pub fn authority(&self, table: impl Into<String>) -> Authority {
        Authority::new(self.clone(), table.into())
    }

    /// The outcomes of replays: summaries in the authority table called `table`, large bodies in
    /// `bucket`.
    pub fn outcomes(&self, table: impl Into<String>, bucket: impl Into<String>) -> Outcomes {
        Outcomes::new(self.authority(table), self.clone(), bucket.into())
    }

    /// What `writer` appends to the record table called `table`. `random` tells this function
    /// instance from every other.
    pub fn recorder(
        &self,
        table: impl Into<String>,
        writer: countersign_domain::event::WriterKind,
        random: [u8; 8],
    ) -> Recorder {
        Recorder::new(self.clone(), table.into(), writer, random)
    }

    /// Frozen calls, sealed under the KMS key `key_arn`, large ones in `bucket`.
    pub fn frozen(&self, key_arn: impl Into<String>, bucket: impl Into<String>) -> FrozenStore {
        FrozenStore::new(self.clone(), key_arn.into(), bucket.into())
    }

    /// The roles of the targets.
    pub fn roles(&self) -> Roles {
        Roles::new(self.clone())
    }

    /// MACs and signatures by KMS.
    pub fn keys(&self) -> Keys {
        Keys::new(self.clone())
    }

    /// The approval state machine `state_machine_arn`. Waking a task needs no ARN: any text will do
    /// where executions are never started.
    pub fn states(&self, state_machine_arn: impl Into<String>) -> StateMachine {
        StateMachine::new(self.clone(), state_machine_arn.into())
    }

    /// Mail from `from`, an address that is verified in SES.
    pub fn mail(&self, from: impl Into<String>) -> Mail {
        Mail::new(self.clone(), from.into())
    }

    /// SNS topics.
    pub fn topics(&self) -> Topics {
        Topics::new(self.clone())
    }

    /// Sends agents' calls over connections that are kept for a few seconds: the gateway's way.
    pub fn forwarder(&self) -> Forwarder {
        Forwarder::new(self.http(), self.0.environment.upstream_endpoint.clone())
    }

    /// Sends each call over a connection of its own: the executor's way. A connection that was
    /// kept may turn out closed after the request was written, and then nobody can say whether
    /// the call happened; a fresh one cannot.
    pub fn fresh_forwarder(&self) -> Forwarder {
        Forwarder::new(connector(0), self.0.environment.upstream_endpoint.clone())
    }

    /// Documents of OIDC issuers.
    pub fn documents(&self) -> Documents {
        Documents::new(self.http())
    }

    pub(crate) fn http(&self) -> SharedHttpConnector {
        self.0.http.get_or_init(|| connector(16)).clone()
    }

    fn http_client(&self) -> SharedHttpClient {
        let connector = self.http();
        http_client_fn(move |_, _| connector.clone())
    }

    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        client!(self, dynamodb, aws_sdk_dynamodb)
    }

    pub(crate) fn kms(&self) -> aws_sdk_kms::Client {
        client!(self, kms, aws_sdk_kms)
    }

    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        self.0
            .s3
            .get_or_init(|| {
                let environment = &self.0.environment;
                let mut config = aws_sdk_s3::Config::builder()
                    .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
                    .region(aws_sdk_s3::config::Region::new(environment.region.clone()))
                    .credentials_provider(environment.credentials.clone())
                    .http_client(self.http_client())
                    .timeout_config(timeouts())
                    .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
                    // A custom endpoint has no name for each bucket.
                    .force_path_style(environment.endpoint_url.is_some());
                config.set_endpoint_url(environment.endpoint_url.clone());
                aws_sdk_s3::Client::from_conf(config.build())
            })
            .clone()
    }

    pub(crate) fn sesv2(&self) -> aws_sdk_sesv2::Client {
        client!(self, sesv2, aws_sdk_sesv2)
    }

    pub(crate) fn sfn(&self) -> aws_sdk_sfn::Client {
        client!(self, sfn, aws_sdk_sfn)
    }

    pub(crate) fn sns(&self) -> aws_sdk_sns::Client {
        client!(self, sns, aws_sdk_sns)
    }

    pub(crate) fn sts(&self) -> aws_sdk_sts::Client {
        client!(self, sts, aws_sdk_sts)
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// The HTTP connector: rustls with ring, the machine's trust store, no proxy. Reading has its own
/// limits where it is used.
fn connector(idle_per_host: usize) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .connector_settings(settings)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(idle_per_host)
        .build();
    SharedHttpConnector::new(connector)
}
