//! `oracle`: what the clients of AWS send, compared with what the catalogue makes of it.
//!
//! The pinned botocore is compared in depth by `countersign-catalogue-builder`. Clients that nobody looked at while the rules were
//! written are compared from outside, through the program `countersign identify`.

use std::{fs, path::Path, path::PathBuf};

use crate::{
    cli::{Client, OracleOptions},
    error::{Outcome, TaskError},
    models,
    steps::{cargo, program, run},
    tools::{self, Tool},
    venv::Venv,
    workspace,
};

/// Where the recorders and the comparison are, below the root.
const RECORDERS: &str = "crates/catalogue-builder/oracle/clients";

/// Compares what a client sends with what is understood of it.
///
/// # Errors
/// When a tool is missing, something cannot be installed or does not compile, or there are differences that nobody
/// explained.
pub(crate) fn oracle(options: &OracleOptions) -> Outcome {
    let script = |name: &str| format!("{RECORDERS}/{name}");
    let words = |script: String, more: Vec<String>| std::iter::once(script).chain(more).collect::<Vec<_>>();
    let folder = workspace::target().join("oracle");
    fs::create_dir_all(&folder).map_err(|source| TaskError::File { path: folder.clone(), source })?;
    let requests = match options.client {
        Client::Botocore => return models::oracle(options),
        Client::Cli => {
            let requests = folder.join("cli.jsonl");
            record(&venv("clients-cli")?, &words(script("cli.py"), options.words()), &requests)?;
            requests
        }
        Client::OldBotocore => {
            let requests = folder.join("old-botocore.jsonl");
            record(
                &venv("clients-old-botocore")?,
                &words(script("old_botocore.py"), options.arguments.clone()),
                &requests,
            )?;
            requests
        }
        Client::Js => javascript(&folder, &options.arguments)?,
        Client::Rust => rust(&folder)?,
        Client::Moto => return moto(&folder, options),
    };
    compare(&requests, options)
}

fn venv(name: &str) -> Outcome<Venv> {
    Venv::install(name, &workspace::root().join(format!("xtask/{name}.txt")))
}

/// Runs a Python program with its output in `file`.
fn record(python: &Venv, words: &[String], file: &Path) -> Outcome {
    let mut recorder = program("sh");
    recorder.args(["-c", "out=$1; shift; exec \"$@\" >\"$out\"", "sh"]).arg(file);
    recorder.arg(python.program("python").get_program()).arg("-B");
    run("let the client write its requests", recorder.args(words))
}

fn javascript(folder: &Path, services: &[String]) -> Outcome<PathBuf> {
    tools::need(&[Tool::Node, Tool::Python])?;
    let sources = workspace::root().join(RECORDERS).join("js");
    let installed = workspace::tools().join("clients-js");
    let (plan, requests) = (folder.join("plan.jsonl"), folder.join("js.jsonl"));
    let lock = sources.join("package-lock.json");
    let read = |path: &Path| fs::read(path).map_err(|source| TaskError::File { path: path.to_owned(), source });
    let stamp = installed.join("installed.json");
    let wanted = read(&lock)?;
    fs::create_dir_all(&installed).map_err(|source| TaskError::File { path: installed.clone(), source })?;
    for name in ["package.json", "package-lock.json", "record.mjs"] {
        let path = installed.join(name);
        fs::copy(sources.join(name), &path).map_err(|source| TaskError::File { path, source })?;
    }
    // Written last, so an interrupted installation is done again.
    if !fs::read(&stamp).is_ok_and(|known| known == wanted) {
        let mut npm = program("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&installed);
        run("install the pinned AWS SDK for JavaScript", &mut npm)?;
        fs::write(&stamp, wanted).map_err(|source| TaskError::File { path: stamp.clone(), source })?;
    }
    let mut words = vec![format!("{RECORDERS}/plan.py"), format!("{RECORDERS}/js/package.json")];
    words.extend(services.iter().cloned());
    record(&models::python()?, &words, &plan)?;
    let mut node = program("sh");
    node.args(["-c", "exec node --no-warnings record.mjs <\"$1\" >\"$2\"", "sh"]).arg(&plan).arg(&requests);
    run("let the client write its requests", node.current_dir(&installed))?;
    Ok(requests)
}

fn rust(folder: &Path) -> Outcome<PathBuf> {
    tools::need(&[Tool::CCompiler, Tool::Python])?;
    let requests = folder.join("rust.jsonl");
    let sources = workspace::root().join(RECORDERS).join("rust");
    let target = workspace::target().join("clients-rust");
    let mut build = cargo();
    build.args(["build", "--locked", "--manifest-path"]).arg(sources.join("Cargo.toml"));
    run("build the recorder", build.arg("--target-dir").arg(&target))?;
    let mut recorder = program("sh");
    recorder.args(["-c", "exec \"$1\" >\"$2\"", "sh"]);
    recorder.arg(target.join("debug/countersign-oracle-rust")).arg(&requests);
    run("let the client write its requests", &mut recorder)?;
    Ok(requests)
}

/// Services that moto answers for, of every protocol.
const MOTO_SERVICES: &str = "acm,apigateway,apigatewayv2,appsync,athena,autoscaling,backup,batch,budgets,cloudformation,cloudfront,\
    cloudtrail,cloudwatch,codecommit,cognito-idp,config,dynamodb,ec2,ecr,ecs,efs,eks,elasticache,elbv2,emr,events,firehose,\
    glacier,glue,guardduty,iam,iot,kinesis,kms,lambda,logs,mediastore,organizations,pinpoint,rds,redshift,route53,\
    route53resolver,s3,s3control,sagemaker,scheduler,secretsmanager,ses,sesv2,sns,sqs,ssm,stepfunctions,sts,swf,wafv2,xray";

fn moto(folder: &Path, options: &OracleOptions) -> Outcome {
    tools::need(&[Tool::CCompiler, Tool::Python])?;
    let (requests, rewritten) = (folder.join("moto.jsonl"), folder.join("moto-rewritten.jsonl"));
    let generate = ["crates/catalogue-builder/oracle/generate.py", "--services", MOTO_SERVICES, "--sample", "20"];
    record(&models::python()?, &generate.map(str::to_owned), &requests)?;
    let mut rewrite = program("sh");
    rewrite.args(["-c", "out=$1; shift; exec \"$@\" >\"$out\"", "sh"]).arg(&rewritten);
    let builder = models::builder("catalogue");
    rewrite.arg(builder.get_program()).args(builder.get_args()).args(["oracle", "rewrite"]).arg(&requests);
    run("write the requests anew", &mut rewrite)?;
    let python = Venv::install("moto", &workspace::root().join("crates/local/emulators/requirements.txt"))?;
    let mut compare = python.program("python");
    compare.arg("-B").arg(format!("{RECORDERS}/moto.py")).arg(&requests).arg(&rewritten);
    compare.arg("--figures").arg(figures(options));
    run("compare the answers of moto", compare.args(&options.arguments))
}

/// Where a run keeps its figures: with what is committed if it was a whole one.
fn figures(options: &OracleOptions) -> PathBuf {
    match options.is_part() {
        true => workspace::target().join("oracle/figures-of-a-part.txt"),
        false => models::figures(options.client),
    }
}

fn compare(requests: &Path, options: &OracleOptions) -> Outcome {
    tools::need(&[Tool::CCompiler, Tool::Python])?;
    let mut build = cargo();
    run("build the program", build.args(["build", "--locked", "--package", "countersign-cli"]))?;
    let mut compare = program("sh");
    compare.args([
        "-c",
        "exec python3 -B \"$1/compare.py\" \"$2\" \"$1/explained.txt\" \"$4\" <\"$3\"",
        "sh",
        RECORDERS,
    ]);
    compare.arg(workspace::target().join("debug/countersign")).arg(requests).arg(figures(options));
    run("compare them with what is understood", &mut compare)
}
