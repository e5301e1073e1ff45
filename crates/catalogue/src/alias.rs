//! Requests whose bytes mean the same under several names.

use crate::Refusal;
use crate::understand::Reading;

/// Services whose operations another one repeats: the one that is named wins.
const CANONICAL: &[(&str, &str)] = &[];

/// The canonical one of several readings, with the names of the others.
///
/// # Errors
/// [`Refusal::Ambiguous`] when they do not go to the same host.
pub(crate) fn choose<'c>(
    mut readings: Vec<Reading<'c>>,
    signing_name: &str,
) -> Result<(Reading<'c>, Vec<(String, String)>), Refusal> {
    let _ = CANONICAL;
    // ListBuckets and ListDirectoryBuckets are the same bytes, signed for two names.
    if readings.iter().any(|reading| reading.upstream.signing_name == signing_name) {
        readings.retain(|reading| reading.upstream.signing_name == signing_name);
    }
    let damaged = Refusal::DamagedCatalogue { what: "no reading" };
    let name = |reading: &Reading<'_>| {
        (reading.candidate.service.model().id.to_owned(), reading.candidate.operation.name.to_owned())
    };
    if readings.len() > 1 {
        let hosts_differ =
            readings.iter().any(|one| readings.first().is_some_and(|first| one.upstream != first.upstream));
        if hosts_differ {
            return Err(Refusal::Ambiguous { candidates: readings.iter().map(|one| one.candidate.name()).collect() });
        }
    }
    let aliases = readings.iter().skip(1).map(name).collect();
    readings.truncate(1);
    Ok((readings.pop().ok_or(damaged)?, aliases))
}
