//! The gateway: everything that lives as long as the function instance, and the way of a request
//! through it.

use std::{fmt, path::Path};

use countersign_aws::{
    authority::Authority,
    documents::Documents,
    environment::{BaseUrl, list, required},
    forward::Forwarder,
    frozen::FrozenStore,
    keys::Keys,
    outcomes::Outcomes,
    record::Recorder,
    states::StateMachine,
    sts::Roles,
};
use countersign_domain::{Digest, Timestamp, event::WriterKind};
use countersign_identity::{
    TokenVerifier,
    sealing::{Sealer, SealingKey},
    web_identity,
};
use countersign_masking::Masker;
use countersign_policy::Bundle;
use countersign_startup::{StartError, Startup};
use countersign_understanding::UnverifiedEndpoint;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::{
    denial::Denial, door::Incoming, reply::Reply, settings::GatewaySettings, shadow::Shadow, stops::Stops, voice::Voice,
};

/// What the sealing keys of sessions are derived under.
const SEALING_LABEL: &str = "countersign/session-sealing/v1";

/// One function instance.
pub(crate) struct Gateway {
    pub(crate) settings: GatewaySettings,
    pub(crate) bundle: Bundle,
    pub(crate) shadow: Shadow,
    pub(crate) tokens: TokenVerifier<Documents>,
    pub(crate) authority: Authority,
    pub(crate) outcomes: Outcomes,
    pub(crate) recorder: Recorder,
    pub(crate) frozen: FrozenStore,
    pub(crate) states: StateMachine,
    pub(crate) roles: Roles,
    pub(crate) forwarder: Forwarder,
    pub(crate) masker: Masker,
    pub(crate) stops: Stops,
    keys: Keys,
    sealer: OnceCell<Sealer>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Gateway").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Reads the environment and the bundle. Nothing is asked of the network.
    ///
    /// # Errors
    /// [`StartError`]; a function that cannot start answers nothing.
    pub(crate) fn start() -> Result<Self, StartError> {
        let settings = GatewaySettings::from_env()?;
        let start = Startup::read()?;
        let shadow =
            Shadow::load(Path::new(&required("COUNTERSIGN_BUNDLE_DIR")?), &list("COUNTERSIGN_PROTECTED_ARNS")?);
        let (aws, from_bundle) = (&start.aws, start.bundle.settings());
        let tokens =
            TokenVerifier::new(from_bundle.agent_issuers.clone(), from_bundle.person_issuers.clone(), aws.documents());
        Ok(Self {
            outcomes: start.outcomes(&settings.frozen_bucket),
            recorder: start.recorder(WriterKind::Gateway),
            frozen: aws.frozen(&settings.frozen_key, &settings.frozen_bucket),
            states: aws.states(&settings.state_machine),
            roles: aws.roles(),
            forwarder: aws.forwarder(),
            keys: aws.keys(),
            authority: start.authority(),
            masker: start.masker()?,
            stops: Stops::default(),
            sealer: OnceCell::new(),
            settings,
            shadow,
            tokens,
            bundle: start.bundle,
        })
    }

    /// Answers a request. There is always an answer.
    pub(crate) async fn answer(&self, incoming: &Incoming, now: Timestamp) -> Reply {
        if self.is_own_endpoint(incoming) {
            return self.own_endpoint(incoming, now).await;
        }
        if is_unsigned(incoming) {
            if incoming.method == "POST"
                && incoming.path_text() == "/"
                && web_identity::is_web_identity_login(&incoming.body)
            {
                return self.web_identity_login(incoming, now).await;
            }
            return Voice::guessed(incoming).say(&Denial::Unsigned, incoming);
        }
        self.call(incoming, now).await
    }

    /// Whether the path is the gateway's own, on its own host: with virtual-host style addressing
    /// `/_/` is an S3 key.
    fn is_own_endpoint(&self, incoming: &Incoming) -> bool {
        let path = incoming.path_text();
        (path == "/_" || path.starts_with("/_/"))
            && self.host_prefix(incoming) == Some("")
            && self.unverified_endpoint(incoming).is_none()
    }

    /// The endpoint of a service that the path begins with, on the base host alone: behind a bucket's
    /// name it is a key.
    pub(crate) fn unverified_endpoint<'a>(&self, incoming: &'a Incoming) -> Option<UnverifiedEndpoint<'a>> {
        (self.host_prefix(incoming) == Some("")).then(|| UnverifiedEndpoint::of(incoming.path_text())).flatten()
    }

    /// The labels in front of the base host, without the final dot; `None` for another host. A base
    /// host is that of either door by the settings, or what the door itself says it answers on.
    pub(crate) fn host_prefix<'a>(&self, incoming: &'a Incoming) -> Option<&'a str> {
        let host = incoming.header("host")?;
        let bases = [self.settings.base_host(), self.settings.other_base_host()];
        let by_settings = bases.into_iter().filter(|base| !base.is_empty()).find_map(|base| prefix_of(host, base));
        // The door's own word has no port.
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        by_settings
            .or_else(|| Some(&incoming.domain_name).filter(|own| !own.is_empty()).and_then(|own| prefix_of(name, own)))
    }

    /// The door that a request came through.
    pub(crate) fn door_of(&self, incoming: &Incoming) -> &BaseUrl {
        let host = incoming.header("host").unwrap_or_default();
        let came_through = |door: &&BaseUrl| prefix_of(host, door.host()).is_some();
        self.settings.other_door_url.as_ref().filter(came_through).unwrap_or(&self.settings.gateway_url)
    }

    /// The sealing keys, derived by KMS on first use.
    pub(crate) async fn sealer(&self) -> Result<&Sealer, Denial> {
        self.sealer.get_or_try_init(|| self.derive_sealer()).await.map_err(|what| {
            tracing::error!(what, "no sealing key");
            Denial::Unavailable { what: "the sealing key cannot be reached" }
        })
    }

    async fn derive_sealer(&self) -> Result<Sealer, String> {
        let mut keys = Vec::with_capacity(self.settings.session_keys.len());
        for arn in &self.settings.session_keys {
            let master = self.keys.derive(arn, SEALING_LABEL).await.map_err(|error| error.to_string())?;
            // Tokens name their key: by a digest, so that the order of the setting does not matter.
            let id: String = Digest::of(arn.as_bytes()).to_string().chars().take(8).collect();
            let master = Zeroizing::new(master.to_vec());
            keys.push(SealingKey::new(&id, &master).map_err(|error| error.to_string())?);
        }
        let mut keys = keys.into_iter();
        let newest = keys.next().ok_or("COUNTERSIGN_SESSION_KEYS names no key")?;
        Sealer::with_older(newest, keys.collect()).map_err(|error| error.to_string())
    }
}

/// What stands in front of `base` in `host`, without the final dot; nothing if it is another host.
fn prefix_of<'a>(host: &'a str, base: &str) -> Option<&'a str> {
    if host.eq_ignore_ascii_case(base) {
        return Some("");
    }
    let split = host.len().checked_sub(base.len())?;
    let (front, back) = host.split_at_checked(split)?;
    back.eq_ignore_ascii_case(base).then_some(front)?.strip_suffix('.')
}

/// Whether a request carries no AWS signature of either form.
fn is_unsigned(incoming: &Incoming) -> bool {
    let header = incoming.headers.iter().any(|(name, _)| name == "authorization");
    let presigned = incoming.query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        name.eq_ignore_ascii_case("x-amz-signature") || name.eq_ignore_ascii_case("signature")
    });
    !header && !presigned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_labels_in_front_of_the_base_host_are_a_prefix() {
        for (host, prefix) in [
            ("gw.example.com", Some("")),
            ("GW.example.COM", Some("")),
            ("bucket.gw.example.com", Some("bucket")),
            ("a.b.gw.example.com", Some("a.b")),
            ("evilgw.example.com", None),
            ("gw.example.com.evil", None),
            ("example.com", None),
            ("", None),
        ] {
            assert_eq!(prefix_of(host, "gw.example.com"), prefix, "{host}");
        }
    }
}
