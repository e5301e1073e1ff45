//! Measures the functions beside their baselines and prints the figures.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

mod cold_start;
mod latency;
mod mapped;

use anyhow::Result;

/// With names of functions: the cold start of these only.
fn main() -> Result<()> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    if named.is_empty() {
        cold_start::measure(&cold_start::FUNCTIONS.map(str::to_owned))?;
        return latency::measure();
    }
    cold_start::measure(&named)
}

/// The value below which `share` of the sorted `values` lie.
fn quantile(values: &[f64], share: f64) -> f64 {
    let last = values.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index of a short list"
    )]
    let place = (last as f64 * share).round() as usize;
    values.get(place).copied().unwrap_or(f64::NAN)
}

/// Median and 95th percentile in milliseconds.
fn summary(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    format!("median {:.2} ms, p95 {:.2} ms, of {}", quantile(&values, 0.5), quantile(&values, 0.95), values.len())
}
