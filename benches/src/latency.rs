//! An allowed call through the gateway, beside the same call sent straight to the same upstream.

use std::{fs, time::Instant};

use anyhow::{Context, Result};
use countersign_tests::{agent::Agent, stack::Stack};
use serde_json::{Value as Json, json};

const CALLS: usize = 200;

/// Prints the figures.
pub(crate) fn measure() -> Result<()> {
    println!("latency of an allowed read by one client of the AWS SDK for Python");
    let stack = Stack::start(&["--release"])?;
    let mut through = Agent::new(&stack, "explorer", "bench")?;
    let mut direct = Agent::direct(&stack)?;
    let direct_times = time(&mut direct)?;
    println!("  straight to the upstream  {}", crate::summary(direct_times));
    time(&mut through)?;
    let before = gateway_cpu()?;
    let times = time(&mut through)?;
    let spent = gateway_cpu()? - before;
    println!("  through the gateway       {}", crate::summary(times));
    println!("  processor time of the gateway per call  {:.2} ms", spent * 1000.0 / calls());
    stack.stop()
}

fn time(agent: &mut Agent) -> Result<Vec<f64>> {
    let order = json!({"service": "dynamodb", "operation": "list_tables", "parameters": {}});
    (0..CALLS)
        .map(|_| {
            let start = Instant::now();
            let answer: Json = agent.order(&order)?;
            answer.get("ok").with_context(|| answer.to_string())?;
            Ok(start.elapsed().as_secs_f64() * 1000.0)
        })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "a small count")]
fn calls() -> f64 {
    CALLS as f64
}

/// User and system time of all processes called `gateway`, in seconds.
/// Source: proc(5), `/proc/pid/stat` fields 14 and 15, in ticks of 10 ms.
fn gateway_cpu() -> Result<f64> {
    let mut ticks = 0.0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((front, rest)) = stat.rsplit_once(')') else { continue };
        if !front.ends_with("(gateway") {
            continue;
        }
        let fields: Vec<&str> = rest.split_whitespace().collect();
        for place in [11, 12] {
            ticks += fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        }
    }
    Ok(ticks / 100.0)
}
