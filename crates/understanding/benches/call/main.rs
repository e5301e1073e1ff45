//! What it costs to understand a call: `cargo bench -p countersign-understanding`.
//!
//! A signed PutItem of 1 KB takes the gateway's way from what it claims to a call with its actions and resources, beside
//! its signing by `aws-sigv4` and the plain parsing of its body by `serde_json`, in the same run on one thread. The first
//! use of each service is timed in a process of its own for each, so that nothing was decoded or mapped before.

mod first_use;
mod signed;

use std::{
    hint::black_box,
    io::Write,
    time::{Duration, Instant},
};

use countersign_catalogue::{Catalogue, Endpoint, Place, WireRequest};
use countersign_domain::Call;
use countersign_permissions::{Permissions, Question};
use countersign_sigv4::{Presented, SecretKey, Verified};
use countersign_understanding::{DoorPath, understand, verify};
use signed::{NOW, Outcome, Signed};

const ROUNDS: usize = 20_000;

fn main() -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    if first_use::answer(&mut out)? {
        return Ok(());
    }
    warm(&Signed::new()?, &mut out)?;
    first_use::measure(&mut out)
}

/// Verifies as the gateway does behind an HTTP API, which hands paths over decoded.
fn verified(signed: &Signed, secret: &SecretKey) -> Outcome<(Verified, String)> {
    let request = signed.unverified();
    let presented = Presented::parse(black_box(&request))?;
    Ok(verify(&presented, &request, DoorPath::Decoded("/"), secret, NOW)?)
}

fn wire<'a>(signed: &'a Signed, verified: &'a Verified, path: &'a str) -> WireRequest<'a> {
    WireRequest {
        method: "POST",
        path,
        query: "",
        headers: &signed.headers,
        body: verified.body.clone(),
        signing_name: &verified.scope.service,
        signing_region: &verified.scope.region,
        host_prefix: "",
        from_chunked: verified.decoded_from_chunked,
        body_is_signed: verified.payload.is_signed(),
        endpoint: Endpoint::Any,
    }
}

/// From the request as it came to the call.
fn understood(signed: &Signed, secret: &SecretKey) -> Outcome<Call> {
    let (verified, path) = verified(signed, secret)?;
    Ok(understand(&wire(signed, &verified, &path), &signed.target)?)
}

fn warm(signed: &Signed, out: &mut impl Write) -> Outcome<()> {
    let secret = SecretKey::new(signed.credentials.secret_access_key.expose());
    let token = &signed.credentials.session_token;
    let (verified, path) = verified(signed, &secret)?;
    let wire = wire(signed, &verified, &path);
    let call = understood(signed, &secret)?;
    let (catalogue, permissions, place) = (Catalogue::embedded(), Permissions::embedded(), Place::aws());
    let question = Question {
        service: &call.service,
        operation: &call.operation,
        parameters: &call.parameters,
        partition: &signed.target.partition,
        account: &signed.target.account,
        region: &call.region,
        http_method_path: Some((&call.outgoing.method, &call.outgoing.path)),
    };
    writeln!(
        out,
        "a signed dynamodb:PutItem, body {} B, headers {} B, session token {} B; {ROUNDS} times each",
        signed.body.len(),
        signed.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>(),
        token.len()
    )?;
    writeln!(out, "{:<64} {:>8} {:>8}", "", "median", "p99")?;
    let mut line = |what: &str, work: &mut dyn FnMut()| -> Outcome<()> {
        let (median, p99) = times(work);
        Ok(writeln!(out, "{what:<64} {:>8} {:>8}", microseconds(median), microseconds(p99))?)
    };
    line("verify, identify, typed parse, write anew, actions and resources", &mut || {
        drop(black_box(understood(signed, &secret)));
    })?;
    line("  of this: read what is presented, verify", &mut || drop(black_box(self::verified(signed, &secret))))?;
    line("  of this: identify, typed parse, host, write anew", &mut || {
        drop(black_box(catalogue.understand(black_box(&wire), &place)));
    })?;
    line("    write anew alone", &mut || {
        drop(black_box(catalogue.serialise(&call.service, &call.operation, None, black_box(&call.parameters), None)));
    })?;
    line("  of this: actions and resources", &mut || drop(black_box(permissions.of(black_box(&question)))))?;
    line("besides: open the session of the token", &mut || {
        let opened = signed.sealer.open_session(&signed.credentials.access_key_id, black_box(token), NOW);
        drop(black_box(opened));
    })?;
    line("baseline: aws-sigv4 signs the same request", &mut || drop(black_box(signed.signature())))?;
    line("baseline: serde_json reads the same body as a Value", &mut || {
        drop(black_box(serde_json::from_slice::<serde_json::Value>(black_box(&signed.body))));
    })
}

/// Median and 99th percentile of the times that `work` takes.
fn times(work: &mut dyn FnMut()) -> (Duration, Duration) {
    (0..ROUNDS / 10).for_each(|_| work());
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| timed(&mut *work)).collect();
    (quantile(&mut times, 50), quantile(&mut times, 99))
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// The value below which so many percent of the values lie.
fn quantile<T: Ord + Copy + Default>(values: &mut [T], percent: usize) -> T {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}

fn microseconds(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}
