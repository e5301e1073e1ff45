//! Starts every part in order and stops them again.

mod blueprint;
mod bundle;
mod credentials;
mod described;
mod listeners;
mod names;
mod state;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    bootstrap::{Admin, substituted},
    control_desk::{self, ControlDesk},
    doors::{Door, DoorConfig, DoorKind, Route},
    emulators::{Emulator, EmulatorStarter, Python},
    error::StackError,
    faults::Control,
    front::{Backends, Front, sts::Sts, upstream::UpstreamFront},
    inbox::{self, Inbox},
    issuer::{self, Issuer, IssuerSettings},
    lambda_host::{FunctionConfig, LambdaHost, Surroundings},
    random,
    supervise::Launcher,
    web::{self, Routes, WebClient},
};
use blueprint::{Templates, all_roles};
use bundle::{deploy_bundle, persons_of};
use described::{EmulatorUrls, described};
use listeners::{Listeners, Port};
use names::{ACCOUNT, AGENT_AUDIENCE, EMAIL_FROM, PERSON_CLIENT_ID, REGION, TARGET_ACCOUNT};

pub use state::{StateFile, running};

/// What to start.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// The folder of the bundle; the one beside the template when absent.
    pub bundle: Option<PathBuf>,
    /// The AWS endpoint that target calls end up at; an emulator of the stack's own when absent.
    pub upstream: Option<String>,
    /// What the printed gateway is.
    pub door: DoorKind,
    /// The folder with the function binaries.
    pub functions_dir: PathBuf,
    /// `infra/template.yaml`.
    pub template: PathBuf,
    /// The state machine's definition.
    pub state_machine: PathBuf,
    /// The folder of this run.
    pub state_dir: PathBuf,
    /// The folder with the installed emulators.
    pub venv: PathBuf,
}

/// A running stack.
pub struct Stack {
    lambda: Arc<LambdaHost>,
    emulators: Vec<(&'static str, Emulator)>,
    state: StateFile,
}

impl Stack {
    /// Starts a stack and waits until everything answers.
    ///
    /// # Errors
    /// [`StackError`]: what could not be started, and why. What was started is stopped again.
    pub async fn start(config: &StackConfig) -> Result<Self, StackError> {
        std::fs::create_dir_all(&config.state_dir).map_err(StackError::io("making the state folder"))?;
        let state_dir = config.state_dir.canonicalize().map_err(StackError::io("finding the state folder"))?;
        let templates = Templates::read(&config.template)?;
        let bundle = deploy_bundle(config, &state_dir)?;
        let launcher = Launcher::new()?;
        let python = Python::installed(&config.venv).await?;
        let starter = EmulatorStarter {
            python,
            launcher: launcher.clone(),
            state_dir: state_dir.clone(),
            region: REGION.to_owned(),
        };
        let listeners = Listeners::open(&templates.own.logical_ids("AWS::ApiGatewayV2::Api")).await?;

        let inbox = Arc::new(Inbox::default());
        let smtp_port = listeners.smtp.number;
        let (ministack, target) =
            tokio::try_join!(starter.ministack(ACCOUNT, smtp_port), default_upstream(config, &starter))?;
        let client = WebClient::new();
        let store = Admin { client: &client, base: &ministack.url, account: ACCOUNT, region: REGION };
        let plan = templates.plan(config, &listeners, &store).await?;
        let roles = all_roles(&plan, &templates, config.bundle.is_some())?;
        store.resources(&plan.declared, &plan.resolver).await?;
        store.identity(EMAIL_FROM).await?;

        let upstream_url = match (&config.upstream, &target) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(emulator)) => emulator.url.clone(),
            (None, None) => return Err(StackError::Usage("there is no upstream".to_owned())),
        };
        let sts = Arc::new(Sts::new(roles));
        let front_url = listeners.front.url();
        let mut functions = plan.functions(&config.functions_dir)?;
        for function in &mut functions {
            for (name, value) in [
                ("AWS_ENDPOINT_URL", front_url.clone()),
                ("COUNTERSIGN_UPSTREAM_ENDPOINT", listeners.upstream.url()),
                ("COUNTERSIGN_BUNDLE_DIR", bundle.to_string_lossy().into_owned()),
            ] {
                function.environment.insert(name.to_owned(), value);
            }
        }
        let routes = plan.routes(&functions)?;
        let lambda = lambda_host(functions, &sts, &launcher, &state_dir)?;
        let machines = plan.machines()?;
        let credentials = credentials::write(&state_dir, &sts, &lambda, &machines)?;
        let control = Arc::new(Control::default());

        let step_functions = starter.step_functions(ACCOUNT, &front_url, &credentials.by_role).await?;
        for machine in &machines {
            let definition = std::fs::read_to_string(&config.state_machine)
                .map_err(StackError::io(format!("reading `{}`", config.state_machine.display())))?;
            let definition = substituted(&definition, &machine.substitutions)?;
            let states = Admin { base: &step_functions.url, ..store };
            let arn = states.state_machine(&machine.name, &machine.role_arn, &definition).await?;
            if arn != machine.arn {
                return Err(StackError::Emulator(format!("the state machine is `{arn}`, not `{}`", machine.arn)));
            }
        }

        let front = Front {
            sts: Arc::clone(&sts),
            lambda: Arc::clone(&lambda),
            control: Arc::clone(&control),
            resources: plan.resources(&templates.pseudo)?,
            backends: Backends { ministack: ministack.url.clone(), step_functions: step_functions.url.clone() },
            client: client.clone(),
        };
        let upstream = UpstreamFront {
            sts: Arc::clone(&sts),
            control: Arc::clone(&control),
            backend: upstream_url.clone(),
            client,
        };
        let approvals = listeners.api_of(&plan, &lambda, "approvals");
        let approvals = approvals.ok_or_else(|| StackError::Template("no HTTP API leads to approvals".to_owned()))?;
        let issuer = issuer(&listeners, &approvals, &bundle)?;
        let backends = EmulatorUrls { upstream: upstream_url, store: ministack.url.clone() };
        let state = StateFile::write(
            &state_dir,
            &described(config, &listeners, &templates, &plan, &backends, &credentials, &lambda),
            &issuer.admin_secret,
        )?;
        let desk = ControlDesk { control, lambda: Arc::clone(&lambda) };
        Serving { front, upstream, issuer: issuer.issuer, inbox, desk, routes }.begin(listeners, &lambda);
        lambda.start_each().await?;
        let mut emulators = vec![("ministack", ministack), ("stepfunctions", step_functions)];
        emulators.extend(target.map(|emulator| ("upstream", emulator)));
        Ok(Self { lambda, emulators, state })
    }

    /// What is printed: one line of JSON.
    pub fn line(&self) -> String {
        self.state.public().to_string()
    }

    /// Waits until an emulator ends, which none should.
    pub async fn broken(&self) -> String {
        let ends = self.emulators.iter().map(|(name, emulator)| {
            Box::pin(async move {
                let ending = emulator.process.wait().await;
                format!("{name} ended: {ending:?}")
            })
        });
        first_of(ends.collect()).await
    }

    /// Stops everything and leaves no process behind.
    pub async fn stop(self) {
        self.state.remove();
        self.lambda.kill_all();
        let mut stopping = tokio::task::JoinSet::new();
        for (_, emulator) in self.emulators {
            stopping.spawn(async move { emulator.process.stop(Duration::from_secs(3)).await });
        }
        while stopping.join_next().await.is_some() {}
    }
}

/// The result of whichever future ends first.
async fn first_of<F: Future + Unpin>(mut futures: Vec<F>) -> F::Output {
    std::future::poll_fn(|context| {
        for future in &mut futures {
            if let std::task::Poll::Ready(output) = std::pin::Pin::new(future).poll(context) {
                return std::task::Poll::Ready(output);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

async fn default_upstream(config: &StackConfig, starter: &EmulatorStarter) -> Result<Option<Emulator>, StackError> {
    match &config.upstream {
        Some(url) if !url.starts_with("http://") => {
            Err(StackError::Usage(format!("`{url}`: only http:// upstreams are supported")))
        }
        Some(_) => Ok(None),
        None => starter.upstream(TARGET_ACCOUNT).await.map(Some),
    }
}

fn lambda_host(
    functions: Vec<FunctionConfig>,
    sts: &Arc<Sts>,
    launcher: &Launcher,
    state_dir: &Path,
) -> Result<Arc<LambdaHost>, StackError> {
    let log_dir = state_dir.join("functions");
    std::fs::create_dir_all(&log_dir).map_err(StackError::io("making the log folder"))?;
    let issuing = Arc::clone(sts);
    let surroundings = Surroundings {
        launcher: launcher.clone(),
        log_dir,
        region: REGION.to_owned(),
        credentials: Arc::new(move |role: &str| {
            let name = role.rsplit('/').next().unwrap_or_default();
            issuing.service_session(role, "lambda.amazonaws.com", name, "")
        }),
    };
    Ok(Arc::new(LambdaHost::new(functions, &surroundings)))
}

struct MadeIssuer {
    issuer: Issuer,
    admin_secret: String,
}

fn issuer(listeners: &Listeners, approvals: &str, bundle: &Path) -> Result<MadeIssuer, StackError> {
    let settings = IssuerSettings {
        agent_audience: AGENT_AUDIENCE.to_owned(),
        person_client_id: PERSON_CLIENT_ID.to_owned(),
        redirect_uri: format!("{approvals}/callback"),
        persons: persons_of(bundle)?,
    };
    let admin_secret = random::secret();
    Ok(MadeIssuer { issuer: Issuer::new(listeners.issuer.url(), settings, admin_secret.clone())?, admin_secret })
}

/// What answers on the listeners.
struct Serving {
    front: Front,
    upstream: UpstreamFront,
    issuer: Issuer,
    inbox: Arc<Inbox>,
    desk: ControlDesk,
    routes: BTreeMap<String, Vec<Route>>,
}

impl Serving {
    fn begin(mut self, listeners: Listeners, lambda: &Arc<LambdaHost>) {
        inbox::receive(listeners.smtp.listener, Arc::clone(&self.inbox));
        web::serve(listeners.inbox.listener, Arc::new(Routes { state: self.inbox, route: inbox::route }));
        web::serve(listeners.issuer.listener, Arc::new(Routes { state: Arc::new(self.issuer), route: issuer::route }));
        web::serve(
            listeners.control.listener,
            Arc::new(Routes { state: Arc::new(self.desk), route: control_desk::route }),
        );
        web::serve(listeners.front.listener, Arc::new(self.front));
        web::serve(listeners.upstream.listener, Arc::new(self.upstream));
        let door = |kind, api_id: String, routes| {
            let config = DoorConfig { kind, api_id, account: ACCOUNT.to_owned(), routes };
            Arc::new(Door::new(config, Arc::clone(lambda)))
        };
        for (api, Port { listener, .. }) in listeners.apis {
            let routes = self.routes.remove(&api).unwrap_or_default();
            web::serve(listener, door(DoorKind::HttpApi, api.to_lowercase(), routes));
        }
        let only = vec![Route { key: "$default".to_owned(), function: "gateway".to_owned() }];
        web::serve(listeners.function_url.listener, door(DoorKind::FunctionUrl, "functionurl".to_owned(), only));
    }
}
