//! What a path may have been before a proxy decoded it.
//!
//! An API Gateway HTTP API gives the path percent-decoded and with `//` collapsed. The signature
//! covers the path as sent; so the paths that an SDK could have sent are made from the URI
//! templates, and the signature chooses.

use crate::catalogue::Catalogue;
use crate::percent;
use crate::template::{Segment, Template};

/// More are not tried: each costs a signature.
const MOST: usize = 64;

/// Steps of aligning paths with templates: what is not found by then counts as lost.
const MOST_STEPS: usize = 10_000;

/// Longer paths are not taken apart: keys of S3 are the only long ones, and need it not.
const MOST_SEGMENTS: usize = 24;

impl Catalogue {
    /// The paths that may have been sent, percent-encoded, the most likely first, at most 64. All but the first are
    /// made when they are asked for: of most requests the first is the one.
    ///
    /// What cannot be recovered: a label with `?`, behind which the proxy cuts, and empty
    /// segments beyond one in the key of an S3 object.
    pub fn candidate_paths<'a>(
        &'a self,
        signing_name: &'a str,
        method: &'a str,
        decoded_path: &'a str,
    ) -> impl Iterator<Item = String> + use<'a> {
        let others = move || self.other_paths(signing_name, method, decoded_path);
        std::iter::once_with(move || plain(decoded_path)).chain(std::iter::once_with(others).flatten())
    }

    fn other_paths(
        &self,
        signing_name: &str,
        method: &str,
        decoded_path: &str,
    ) -> impl Iterator<Item = String> + use<> {
        let mut found = Candidates::default();
        found.add(plain(decoded_path));
        if signing_name.starts_with("s3") {
            doubled_slashes(decoded_path, &mut found);
        }
        let services = self.services_signing_as(signing_name).unwrap_or_default();
        let inner = decoded_path.strip_prefix('/').unwrap_or(decoded_path);
        let segments: Vec<&str> = inner.split('/').collect();
        if segments.len() <= MOST_SEGMENTS {
            let mut templates: Vec<&Template> = services
                .iter()
                .flat_map(|service| service.operations())
                .filter(|(operation, _)| operation.method == method)
                .map(|(_, template)| template)
                .filter(|template| template.segments.len() <= segments.len() + 1)
                .collect();
            templates.sort_by_key(|template| template.rank());
            for template in templates {
                align(&template.segments, &segments, String::new(), &mut found);
            }
        }
        // The first was tried already.
        found.paths.into_iter().skip(1)
    }
}

#[derive(Default)]
struct Candidates {
    paths: Vec<String>,
    steps: usize,
}

impl Candidates {
    fn is_full(&self) -> bool {
        self.paths.len() >= MOST
    }

    fn add(&mut self, path: String) {
        if !self.is_full() && !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }
}

/// Every slash a separator.
fn plain(decoded_path: &str) -> String {
    let mut path = String::with_capacity(decoded_path.len());
    percent::encode(decoded_path, true, &mut path);
    path
}

/// One slash of a key doubled, for each of its slashes.
fn doubled_slashes(decoded_path: &str, found: &mut Candidates) {
    for (place, _) in decoded_path.match_indices('/').skip(1).take(MOST) {
        let (before, after) = decoded_path.split_at(place);
        found.add(plain(&format!("{before}/{after}")));
    }
}

/// Adds every way in which the segments may be the template's: a label takes one or more, with
/// its slashes encoded.
fn align(template: &[Segment], segments: &[&str], path: String, found: &mut Candidates) {
    found.steps += 1;
    if found.is_full() || found.steps > MOST_STEPS {
        return;
    }
    let Some((first, rest)) = template.split_first() else {
        if segments.is_empty() {
            found.add(path);
        }
        return;
    };
    match first {
        Segment::Literal(text) => {
            if let Some((segment, after)) = segments.split_first()
                && segment == text
            {
                // With a slash at the end that the model has not, or without one that it has: see `identify`.
                if rest.is_empty() && after == [""] {
                    found.add(format!("{path}/{text}/"));
                }
                align(rest, after, format!("{path}/{text}"), found);
            } else if text.is_empty() && rest.is_empty() && segments.is_empty() {
                found.add(path);
            }
        }
        Segment::Label(_) | Segment::Greedy(_) => {
            let longest = segments.len().saturating_sub(rest.len());
            for length in 1..=longest {
                let Some((taken, after)) = segments.split_at_checked(length) else { return };
                let mut longer = format!("{path}/");
                percent::encode(&taken.join("/"), matches!(first, Segment::Greedy(_)), &mut longer);
                align(rest, after, longer, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_get_their_slashes_back() {
        let catalogue = Catalogue::embedded();
        let paths =
            |service, method, path| -> Vec<String> { catalogue.candidate_paths(service, method, path).collect() };
        let lambda = "/2017-03-31/tags/arn:aws:lambda:eu-central-1:123456789012:function:f/x";
        assert!(paths("lambda", "GET", lambda).contains(
            &"/2017-03-31/tags/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Af%2Fx".to_owned()
        ));
        assert_eq!(paths("dynamodb", "POST", "/").first().map(String::as_str), Some("/"));
        assert_eq!(paths("s3", "PUT", "/b/a b/c").first().map(String::as_str), Some("/b/a%20b/c"));
        assert!(paths("s3", "PUT", "/b/a/c").contains(&"/b/a//c".to_owned()));
        // A hundred thousand slashes cost no more than some.
        let (long, slashes) = ("/x".repeat(500), "/".repeat(100_000));
        assert!(paths("lambda", "GET", &long).len() <= MOST);
        assert!(paths("s3", "GET", &slashes).len() <= MOST);
    }
}
