//! The command line.

use std::{io, path::PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::suite::UNDERSTANDING;

/// The workspace's own commands.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Countersign's own commands: run, show, test and check it on one machine"
)]
#[command(
    after_help = "Progress goes to stderr. Exit code 0: all is well; 2: this machine lacks a tool, or the command line is wrong; \
                        otherwise the code of the program that failed."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Show the whole way of a held call on a local stack; exit 0 only if every step truly held
    Demo(DemoOptions),
    /// Run every test of the workspace, end to end included
    Test(TestOptions),
    /// Start the local stack; runs until SIGINT or SIGTERM
    Up(UpOptions),
    /// Print a token of the running local stack's OIDC issuer
    Token(TokenOptions),
    /// Build the committed data anew: the AWS catalogue and the permissions
    Catalogue(CatalogueOptions),
    /// Compare the catalogue with what the real AWS clients send, for every operation
    Oracle(OracleOptions),
    /// Fuzz what reads requests: identification, parsers, the verifier of signatures
    Fuzz(FuzzOptions),
    /// Check the templates with cfn-lint and SAM, of pinned versions
    LintInfra,
    /// Measure understanding, cold starts and latency, each beside its baseline
    Bench(BenchOptions),
    /// Build the functions as they are deployed and check that they run on provided.al2023
    Package(PackageOptions),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoOptions {
    /// Run the functions as they are deployed
    #[arg(long)]
    pub(crate) release: bool,
}

/// Options of `test`.
#[derive(Debug, Args)]
pub(crate) struct TestOptions {
    /// Further arguments of `cargo test`, as in `-- --package countersign-domain merge`
    #[arg(last = true)]
    pub(crate) arguments: Vec<String>,
}

/// Options of `up`.
#[derive(Debug, Args)]
pub(crate) struct UpOptions {
    /// Folder with another bundle: `*.cedar` and `countersign.toml`
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// Send target calls to this AWS endpoint (say a moto server) instead of the stack's own
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
    /// What the agents' door does to a request
    #[arg(long, value_enum, default_value_t = Door::HttpApi)]
    pub(crate) door: Door,
    /// Print nothing but the one JSON line on stdout, with the addresses, when all is ready
    #[arg(long)]
    pub(crate) json: bool,
    /// Run the functions as they are deployed
    #[arg(long)]
    pub(crate) release: bool,
}

/// What stands before the gateway.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Door {
    /// API Gateway's HTTP API: decodes paths, collapses slashes, cuts at `?`
    HttpApi,
    /// A Lambda function URL: keeps paths
    FunctionUrl,
}

impl Door {
    /// The word on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Door::HttpApi => "http-api",
            Door::FunctionUrl => "function-url",
        }
    }
}

/// Options of `token`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("who").required(true))]
pub(crate) struct TokenOptions {
    /// For the agent of this name
    #[arg(long, value_name = "NAME", group = "who")]
    pub(crate) agent: Option<String>,
    /// A group of the agent; may be repeated
    #[arg(long = "group", value_name = "GROUP", conflicts_with = "person")]
    pub(crate) groups: Vec<String>,
    /// An owner of the agent; may be repeated
    #[arg(long = "owner", value_name = "PERSON", conflicts_with = "person")]
    pub(crate) owners: Vec<String>,
    /// Another audience than the stack's
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) audience: Option<String>,
    /// Lifetime in seconds; negative for a token that is over
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub(crate) expires: Option<String>,
    /// For the person of this name, who approves
    #[arg(long, value_name = "NAME", group = "who")]
    pub(crate) person: Option<String>,
    /// Of the stack that keeps its state here; the latest one otherwise
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// Options of `catalogue`.
#[derive(Debug, Args)]
pub(crate) struct CatalogueOptions {
    /// Build this only
    #[arg(long, value_enum)]
    pub(crate) only: Option<Data>,
    /// The AWS service reference that permissions are built from: `service-reference-YYYY-MM-DD.json` or `.json.zst`, or
    /// AWS's live address, <https://servicereference.us-east-1.amazonaws.com/>
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) reference: Option<String>,
    /// Fail if what is committed is not what is built, and leave it as it is
    #[arg(long)]
    pub(crate) check: bool,
}

impl CatalogueOptions {
    /// Whether `data` is to be built.
    pub(crate) fn builds(&self, data: Data) -> bool {
        self.only.is_none_or(|only| only == data)
    }
}

/// Committed data that a builder makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Data {
    /// The service models
    Catalogue,
    /// IAM actions and resources of each operation
    Permissions,
}

/// Options of `oracle`.
#[derive(Debug, Args)]
pub(crate) struct OracleOptions {
    /// Whose requests
    #[arg(long, value_enum, default_value_t = Client::Botocore)]
    pub(crate) client: Client,
    /// How many processes write requests, where the client is in Python; as many as there are processors when not given
    #[arg(long, value_name = "NUMBER")]
    pub(crate) jobs: Option<u32>,
    /// Arguments of the generator, as in `-- --services s3,iam` or, of botocore, `-- --sample 5 --seed 7`
    #[arg(last = true)]
    pub(crate) arguments: Vec<String>,
}

impl OracleOptions {
    /// Arguments for a recorder that takes `--jobs`.
    pub(crate) fn words(&self) -> Vec<String> {
        let jobs = self.jobs.iter().flat_map(|jobs| ["--jobs".to_owned(), jobs.to_string()]);
        jobs.chain(self.arguments.iter().cloned()).collect()
    }

    /// Whether only some requests are compared.
    pub(crate) fn is_part(&self) -> bool {
        !self.arguments.is_empty()
    }
}

/// Options of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchOptions {
    /// Only these: what understanding a call costs, or the cold start of a function
    #[arg(value_name = "WHAT", value_parser = clap::builder::PossibleValuesParser::new(
        [UNDERSTANDING].into_iter().chain(crate::binaries::FUNCTIONS)
    ))]
    pub(crate) what: Vec<String>,
}

/// Options of `fuzz`.
#[derive(Debug, Args)]
pub(crate) struct FuzzOptions {
    /// How long for each target
    #[arg(long, value_name = "MINUTES", default_value_t = 1)]
    pub(crate) minutes: u32,
    /// Fuzz this only
    #[arg(long, value_enum)]
    pub(crate) target: Option<FuzzTarget>,
    /// Another sequence of cases
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// What can be fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FuzzTarget {
    /// Identification, and writing anew
    Identify,
    /// Bodies of requests and of answers
    Parsers,
    /// Signatures, and the framing of bodies
    Verifier,
}

impl FuzzTarget {
    /// The word on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            FuzzTarget::Identify => "identify",
            FuzzTarget::Parsers => "parsers",
            FuzzTarget::Verifier => "verifier",
        }
    }
}

impl Client {
    /// The word on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Client::Botocore => "botocore",
            Client::Cli => "cli",
            Client::Js => "js",
            Client::Rust => "rust",
            Client::OldBotocore => "old-botocore",
            Client::Moto => "moto",
        }
    }
}

/// A client whose requests the oracle compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    /// The pinned botocore, from whose models the catalogue is made
    Botocore,
    /// The AWS CLI
    Cli,
    /// The AWS SDK for JavaScript v3
    Js,
    /// The AWS SDK for Rust
    Rust,
    /// A botocore of 2022 with its own models
    OldBotocore,
    /// Not a client: a moto server is asked with botocore's requests and with what is sent in their place
    Moto,
}

/// Options of `package`.
#[derive(Debug, Args)]
pub(crate) struct PackageOptions {
    /// Processor; another than this machine's needs its Rust target (`rustup target add aarch64-unknown-linux-gnu`)
    #[arg(long, value_enum, default_value_t = Architecture::X86_64)]
    pub(crate) architecture: Architecture,
    /// Build these functions only
    #[arg(long = "function", value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(crate::binaries::FUNCTIONS))]
    pub(crate) functions: Vec<String>,
}

/// A processor that Lambda offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    /// Intel and AMD
    #[value(name = "x86_64")]
    X86_64,
    /// Graviton
    Arm64,
}

/// Writes the completions of `shell` to stdout.
pub(crate) fn print_completions(shell: Shell) {
    clap_complete::generate(shell, &mut Cli::command(), "cargo-xtask", &mut io::stdout());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_token_is_for_an_agent_or_a_person() {
        for (line, valid) in [
            (&["token", "--agent", "a", "--group", "g", "--group", "h"][..], true),
            (&["token", "--person", "p"], true),
            (&["token"], false),
            (&["token", "--agent", "a", "--person", "p"], false),
            (&["token", "--person", "p", "--group", "g"], false),
        ] {
            let parsed = Cli::try_parse_from(["xtask"].iter().chain(line));
            assert_eq!(parsed.is_ok(), valid, "{line:?}");
        }
    }
}
