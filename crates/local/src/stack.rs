//! Starts every part in order and stops them again.

mod credentials;
mod listeners;
mod state;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    bootstrap::{Admin, substituted},
    doors::{Door, DoorConfig, DoorKind, Route},
    emulators::{Emulator, EmulatorStarter, Python},
    error::StackError,
    faults::{self, Control, ControlDesk},
    front::{Backends, Front, sts::Sts, upstream::UpstreamFront},
    iam::principals::Roles,
    inbox::{self, Inbox},
    issuer::{self, Issuer, IssuerSettings},
    lambda_host::{FunctionConfig, LambdaHost, Surroundings},
    plan::Plan,
    random,
    supervise::Launcher,
    template::{
        Template,
        resolve::{Pseudo, Resolver},
        stack_resources::{self, Outside},
    },
    web::{self, Routes, WebClient},
};
use listeners::{Listeners, Port};

pub use state::{StateFile, running};

/// The account that the stack's own resources live in; apart from the target's, as recommended.
const ACCOUNT: &str = "111122223333";

/// The account that agents act in: moto's default.
const TARGET_ACCOUNT: &str = "123456789012";

/// The region of everything.
const REGION: &str = "eu-central-1";

/// The name of the stack; names of its resources start with it.
const STACK_NAME: &str = "countersign";

/// The audience of agents' tokens.
const AGENT_AUDIENCE: &str = "countersign-local";

/// The client id of the approvals function at the persons' issuer.
const PERSON_CLIENT_ID: &str = "countersign-approvals";

/// Where mail comes from.
const EMAIL_FROM: &str = "countersign@example.com";

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

/// The templates and what they need to be resolved.
struct Templates {
    own: Template,
    target: Template,
    pseudo: Pseudo,
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
        let bundle = copy_bundle(config, &state_dir)?;
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
        let roles = all_roles(&plan, &templates, EXTERNAL_ID)?;
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
        let state = StateFile::write(
            &state_dir,
            &described(config, &listeners, &templates, &plan, &upstream_url, &credentials, &lambda),
            &issuer.admin_secret,
        )?;
        let desk = ControlDesk { control, lambda: Arc::clone(&lambda) };
        serve(listeners, front, upstream, issuer.issuer, inbox, desk, &lambda, routes);
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

/// The external id of the local target.
const EXTERNAL_ID: &str = "";

impl Templates {
    fn read(path: &Path) -> Result<Self, StackError> {
        Ok(Self {
            own: Template::read(path)?,
            target: Template::read(&path.with_file_name("target-account.yaml"))?,
            pseudo: Pseudo {
                account: ACCOUNT.to_owned(),
                region: REGION.to_owned(),
                stack_name: STACK_NAME.to_owned(),
            },
        })
    }

    /// Makes the keys and resolves the template of the stack. The doors' URLs depend on which API
    /// leads to the gateway, which is known only after resolving once.
    async fn plan(&self, config: &StackConfig, listeners: &Listeners, store: &Admin<'_>) -> Result<Plan, StackError> {
        let parameters = parameters(config, listeners);
        let resolver = Resolver::new(&self.own, &parameters, &self.pseudo)?;
        let keys = stack_resources::of_type(&self.own, &resolver, "AWS::KMS::Key")?;
        let mut outside = Outside { keys: store.keys(&self.own, &keys, &resolver).await?, urls: BTreeMap::new() };
        outside.urls.extend(listeners.apis.iter().map(|(api, port)| (api.clone(), port.url())));
        for url in stack_resources::of_type(&self.own, &resolver, "AWS::Lambda::Url")? {
            outside.urls.insert(url, format!("{}/", listeners.function_url.url()));
        }
        let plan = Plan::read(&self.own, &parameters, &self.pseudo, &outside)?;
        if config.door == DoorKind::HttpApi {
            return Ok(plan);
        }
        let functions = plan.functions(&config.functions_dir)?;
        for (api, routes) in plan.routes(&functions)? {
            if routes.iter().any(|route| route.function == "gateway") {
                outside.urls.insert(api, listeners.function_url.url());
            }
        }
        Plan::read(&self.own, &parameters, &self.pseudo, &outside)
    }
}

impl Template {
    fn logical_ids(&self, kind: &str) -> Vec<String> {
        let resources = self.section("Resources");
        resources.keys().filter(|id| self.resource_type(id) == Some(kind)).cloned().collect()
    }
}

fn target_role(kind: &str) -> String {
    format!("arn:aws:iam::{TARGET_ACCOUNT}:role/countersign-target-{kind}")
}

/// The parameters of the stack's template.
fn parameters(config: &StackConfig, listeners: &Listeners) -> BTreeMap<String, String> {
    let issuer = listeners.issuer.url();
    let mut parameters = vec![
        ("AgentIssuer", Issuer::agent_issuer(&issuer)),
        ("AgentAudience", AGENT_AUDIENCE.to_owned()),
        ("PersonIssuer", Issuer::person_issuer(&issuer)),
        ("PersonClientId", PERSON_CLIENT_ID.to_owned()),
        ("TargetAccount", TARGET_ACCOUNT.to_owned()),
        ("TargetRegion", REGION.to_owned()),
        ("TargetAutoRole", target_role("auto")),
        ("TargetApprovedRole", target_role("approved")),
        ("EmailFrom", EMAIL_FROM.to_owned()),
        ("FunctionUrlDoor", "true".to_owned()),
    ];
    if config.door == DoorKind::HttpApi {
        parameters.push(("OtherDoorUrl", listeners.function_url.url()));
    }
    parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The roles of the stack and of the target account.
fn all_roles(plan: &Plan, templates: &Templates, external_id: &str) -> Result<Roles, StackError> {
    let role = |name: &str| {
        let wanted = format!("{STACK_NAME}-{name}");
        let role = plan.roles.iter().find(|role| role.name == wanted).map(|role| role.arn.clone());
        role.ok_or_else(|| StackError::Template(format!("the template declares no role `{wanted}`")))
    };
    let mut parameters = BTreeMap::from([
        ("GatewayRoleArn".to_owned(), role("gateway")?),
        ("ExecutorRoleArn".to_owned(), role("executor")?),
    ]);
    if !external_id.is_empty() {
        parameters.insert("ExternalId".to_owned(), external_id.to_owned());
    }
    let pseudo = Pseudo {
        account: TARGET_ACCOUNT.to_owned(),
        stack_name: "countersign-target".to_owned(),
        ..templates.pseudo.clone()
    };
    let target = Plan::read(&templates.target, &parameters, &pseudo, &Outside::default())?;
    let mut roles = plan.roles.clone();
    for wanted in [target_role("auto"), target_role("approved")] {
        let role = target.roles.get(&wanted);
        let role = role.ok_or_else(|| StackError::Template(format!("the target's template declares no `{wanted}`")))?;
        roles.add((*role).clone());
    }
    Ok(roles)
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

/// The ids of the bundle's persons, for the sign-in page.
fn persons_of(bundle: &Path) -> Result<Vec<String>, StackError> {
    let path = bundle.join("countersign.toml");
    let text = std::fs::read_to_string(&path).map_err(StackError::io(format!("reading `{}`", path.display())))?;
    let settings: toml::Table =
        text.parse().map_err(|error| StackError::Usage(format!("`{}`: {error}", path.display())))?;
    let persons = settings.get("persons").and_then(toml::Value::as_array).into_iter().flatten();
    Ok(persons.filter_map(|person| person.get("id").and_then(toml::Value::as_str).map(str::to_owned)).collect())
}

/// The bundle as the layer would hold it: a copy, so that a running stack does not see edits.
fn copy_bundle(config: &StackConfig, state_dir: &Path) -> Result<PathBuf, StackError> {
    let from = config.bundle.clone().unwrap_or_else(|| config.template.with_file_name("bundle"));
    let to = state_dir.join("bundle");
    std::fs::create_dir_all(&to).map_err(StackError::io("making the bundle's folder"))?;
    let entries = std::fs::read_dir(&from).map_err(StackError::io(format!("reading `{}`", from.display())))?;
    for entry in entries {
        let path = entry.map_err(StackError::io("reading the bundle"))?.path();
        let Some(name) = path.file_name() else { continue };
        let wanted = name == "countersign.toml" || path.extension().is_some_and(|extension| extension == "cedar");
        if wanted {
            std::fs::copy(&path, to.join(name)).map_err(StackError::io(format!("copying `{}`", path.display())))?;
        }
    }
    if !to.join("countersign.toml").is_file() {
        return Err(StackError::Usage(format!("`{}` has no countersign.toml", from.display())));
    }
    Ok(to)
}

/// What the stack tells of itself.
fn described(
    config: &StackConfig,
    listeners: &Listeners,
    templates: &Templates,
    plan: &Plan,
    upstream: &str,
    credentials: &credentials::Written,
    lambda: &LambdaHost,
) -> Value {
    let endpoint = |function: &str| listeners.api_of(plan, lambda, function).unwrap_or_default();
    let gateway = match config.door {
        DoorKind::HttpApi => endpoint("gateway"),
        DoorKind::FunctionUrl => listeners.function_url.url(),
    };
    let issuer = listeners.issuer.url();
    let roles: BTreeMap<&str, &str> =
        lambda.configs().map(|function| (function.short_name.as_str(), function.role_arn.as_str())).collect();
    json!({
        "gateway": gateway,
        "approvals": endpoint("approvals"),
        "issuer": Issuer::agent_issuer(&issuer),
        "person_issuer": Issuer::person_issuer(&issuer),
        "agent_audience": AGENT_AUDIENCE,
        "person_client_id": PERSON_CLIENT_ID,
        "inbox": listeners.inbox.url(),
        "upstream": upstream,
        "upstream_front": listeners.upstream.url(),
        "target_role_arn": target_role("auto"),
        "approved_role_arn": target_role("approved"),
        "region": templates.pseudo.region,
        "account": templates.pseudo.account,
        "target_account": TARGET_ACCOUNT,
        "function_url": listeners.function_url.url(),
        "aws": listeners.front.url(),
        "roles": roles,
        "credentials": credentials.by_function,
        "control": listeners.control.url(),
        "state_dir": config.state_dir,
        "pid": std::process::id(),
    })
}

#[expect(clippy::too_many_arguments, reason = "each part is handed its own listener, once")]
fn serve(
    listeners: Listeners,
    front: Front,
    upstream: UpstreamFront,
    issuer: Issuer,
    inbox: Arc<Inbox>,
    desk: ControlDesk,
    lambda: &Arc<LambdaHost>,
    mut routes: BTreeMap<String, Vec<Route>>,
) {
    inbox::receive(listeners.smtp.listener, Arc::clone(&inbox));
    web::serve(listeners.inbox.listener, Arc::new(Routes { state: inbox, route: inbox::route }));
    web::serve(listeners.issuer.listener, Arc::new(Routes { state: Arc::new(issuer), route: issuer::route }));
    web::serve(listeners.control.listener, Arc::new(Routes { state: Arc::new(desk), route: faults::route }));
    web::serve(listeners.front.listener, Arc::new(front));
    web::serve(listeners.upstream.listener, Arc::new(upstream));
    let door = |kind, api_id: String, routes| {
        let config = DoorConfig { kind, api_id, account: ACCOUNT.to_owned(), routes };
        Arc::new(Door::new(config, Arc::clone(lambda)))
    };
    for (api, Port { listener, .. }) in listeners.apis {
        let routes = routes.remove(&api).unwrap_or_default();
        web::serve(listener, door(DoorKind::HttpApi, api.to_lowercase(), routes));
    }
    let only = vec![Route { key: "$default".to_owned(), function: "gateway".to_owned() }];
    web::serve(listeners.function_url.listener, door(DoorKind::FunctionUrl, "functionurl".to_owned(), only));
}
