//! URI templates of the models, and matching a request's path with them.

use crate::model::Text;
use crate::{Refusal, percent};

/// A parsed `requestUri`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// What stands between slashes; a trailing slash gives an empty literal at the end.
    pub(crate) segments: Vec<Segment>,
    /// The query literals, as in `?list-type=2`.
    pub(crate) literals: Vec<(Text, Text)>,
}

/// One part of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Fixed text.
    Literal(Text),
    /// A label that takes one segment.
    Label(Text),
    /// A label that takes the rest, with its slashes, up to fixed segments that may follow.
    Greedy(Text),
}

impl Template {
    pub(crate) fn parse(uri: Text) -> Template {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let path = path.strip_prefix('/').unwrap_or(path);
        let literals = query.split('&').filter(|pair| !pair.is_empty());
        Template {
            segments: path.split('/').map(Segment::parse).collect(),
            literals: literals.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect(),
        }
    }

    /// The labels of `path`, decoded; `None` when the template does not match.
    pub(crate) fn matches(&self, path: &[PathSegment<'_>]) -> Option<Vec<(Text, String)>> {
        let mut labels = Vec::new();
        let greedy = self.segments.iter().position(|segment| matches!(segment, Segment::Greedy(_)));
        let Some(greedy) = greedy else {
            return match_each(&self.segments, path, &mut labels).then_some(labels);
        };
        let (head, rest) = self.segments.split_at_checked(greedy)?;
        let (Segment::Greedy(name), tail) = rest.split_first()? else { return None };
        let (path_head, path_rest) = path.split_at_checked(head.len())?;
        let (middle, path_tail) = path_rest.split_at_checked(path_rest.len().checked_sub(tail.len())?)?;
        let taken: Vec<&str> = middle.iter().map(|segment| segment.decoded.as_str()).collect();
        let taken = taken.join("/");
        if taken.is_empty() || !match_each(head, path_head, &mut labels) || !match_each(tail, path_tail, &mut labels) {
            return None;
        }
        labels.push((name, taken));
        Some(labels)
    }

    /// Whether the path ends in fixed text, be it empty.
    pub(crate) fn ends_fixed(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Literal(_)))
    }

    /// How specific the template is, segment by segment: literal before label before greedy, and
    /// what goes on after a greedy label before what ends with it. Smaller is more specific.
    pub(crate) fn rank(&self) -> Vec<u8> {
        const END: u8 = 3;
        self.segments.iter().map(Segment::rank).chain([END]).collect()
    }
}

impl Segment {
    fn parse(text: Text) -> Segment {
        match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            None => Segment::Literal(text),
            Some(name) => name.strip_suffix('+').map_or(Segment::Label(name), Segment::Greedy),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Segment::Literal(_) => 0,
            Segment::Label(_) => 1,
            Segment::Greedy(_) => 2,
        }
    }

    fn matches(&self, segment: &PathSegment<'_>, labels: &mut Vec<(Text, String)>) -> bool {
        match self {
            Segment::Literal(text) => segment.decoded == *text,
            // An empty label would make another path of it.
            Segment::Label(_) if segment.decoded.is_empty() => false,
            Segment::Label(name) => {
                labels.push((name, segment.decoded.clone()));
                true
            }
            Segment::Greedy(_) => false,
        }
    }
}

fn match_each(segments: &[Segment], path: &[PathSegment<'_>], labels: &mut Vec<(Text, String)>) -> bool {
    segments.len() == path.len() && segments.iter().zip(path).all(|(segment, part)| segment.matches(part, labels))
}

/// One segment of a request's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathSegment<'a> {
    /// As sent.
    pub(crate) raw: &'a str,
    /// Without percent escapes.
    pub(crate) decoded: String,
}

/// The segments of a path that begins with `/`; `None` for a broken escape or text that is not UTF-8.
pub(crate) fn segments(path: &str) -> Option<Vec<PathSegment<'_>>> {
    let inner = path.strip_prefix('/')?;
    inner.split('/').map(|raw| Some(PathSegment { raw, decoded: percent::decode(raw)? })).collect()
}

/// Empty and dot segments mean one thing as sent and another once normalised, as signers and
/// servers do everywhere but in S3, where they are part of the key.
pub(crate) fn check_segments(parts: &[PathSegment<'_>], is_s3: bool) -> Result<(), Refusal> {
    let inner = if is_s3 { parts.get(..parts.len().min(1)) } else { parts.get(..parts.len().saturating_sub(1)) };
    if inner.unwrap_or_default().iter().any(|part| part.raw.is_empty()) && parts.len() > 1 {
        return Err(Refusal::BadTarget { problem: "an empty segment in the path" });
    }
    let dotted = if is_s3 { parts.get(..parts.len().min(1)).unwrap_or_default() } else { parts };
    if dotted.iter().any(|part| part.decoded == "." || part.decoded == "..") {
        return Err(Refusal::BadTarget { problem: "a dot segment in the path" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(uri: Text, path: &str) -> Option<Vec<(Text, String)>> {
        Template::parse(uri).matches(&segments(path)?)
    }

    #[test]
    fn slashes_count_and_labels_are_decoded() {
        let label = |name: Text, value: &str| (name, value.to_owned());
        assert_eq!(labels("/tags/{arn}", "/tags/arn%3Aaws%3Aa%2Fb"), Some(vec![label("arn", "arn:aws:a/b")]));
        assert_eq!(labels("/tags/{arn}", "/tags/a/b"), None);
        assert_eq!(labels("/tags/{arn}", "/tags/"), None);
        assert_eq!(labels("/tags/", "/tags"), None);
        assert_eq!(labels("/tags/", "/tags/"), Some(vec![]));
        assert_eq!(
            labels("/{Bucket}/{Key+}?acl", "/b/x//y%2fz"),
            Some(vec![label("Bucket", "b"), label("Key", "x//y/z")])
        );
        assert_eq!(labels("/{Bucket}/{Key+}", "/b/"), None);
        assert_eq!(labels("/a/{path+}/end", "/a/x/y/end"), Some(vec![label("path", "x/y")]));
        assert_eq!(labels("/", "/"), Some(vec![]));
    }
}
