//! What an HTTP API does to a path, and how it chooses a route.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::Route;

/// The path as an HTTP API gives it to the function: percent-decoded once, cut at a `?` that
/// decoding brought out, and with runs of slashes collapsed into one.
pub(super) fn as_http_api_gives_it(raw: &str) -> String {
    let decoded = percent_decode_str(raw).decode_utf8_lossy();
    let cut = decoded.split('?').next().unwrap_or_default();
    let mut path = String::with_capacity(cut.len());
    for character in cut.chars() {
        if character != '/' || !path.ends_with('/') {
            path.push(character);
        }
    }
    path
}

/// The most specific route for a request, with the values of its path variables.
///
/// API Gateway: full matches before greedy variables before `$default`.
pub(super) fn route_of<'a>(
    routes: &'a [Route],
    method: &str,
    path: &str,
) -> Option<(&'a Route, BTreeMap<String, String>)> {
    let mut best: Option<(Rank, &Route, BTreeMap<String, String>)> = None;
    for route in routes {
        let Some((rank, variables)) = fits(&route.key, method, path) else { continue };
        if best.as_ref().is_none_or(|(found, _, _)| rank > *found) {
            best = Some((rank, route, variables));
        }
    }
    best.map(|(_, route, variables)| (route, variables))
}

/// How specific a match is; the later the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Default,
    Greedy { literals: usize, method: bool },
    Full { literals: usize, method: bool },
}

fn fits(key: &str, method: &str, path: &str) -> Option<(Rank, BTreeMap<String, String>)> {
    let mut variables = BTreeMap::new();
    if key == "$default" {
        return Some((Rank::Default, variables));
    }
    let (wanted, template) = key.split_once(' ')?;
    if wanted != "ANY" && wanted != method {
        return None;
    }
    let (mut literals, mut greedy) = (0, false);
    let mut rest = Some(path.strip_prefix('/')?);
    for segment in template.strip_prefix('/')?.split('/') {
        let left = rest?;
        if let Some(name) = segment.strip_prefix('{').and_then(|name| name.strip_suffix("+}")) {
            if left.is_empty() {
                return None;
            }
            variables.insert(name.to_owned(), left.to_owned());
            greedy = true;
            rest = None;
            continue;
        }
        let (found, after) = left.split_once('/').map_or((left, None), |(found, after)| (found, Some(after)));
        rest = after;
        match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(_) if found.is_empty() => return None,
            Some(name) => {
                variables.insert(name.to_owned(), found.to_owned());
            }
            None if found == segment => literals += 1,
            None => return None,
        }
    }
    let method = wanted != "ANY";
    let rank = if greedy { Rank::Greedy { literals, method } } else { Rank::Full { literals, method } };
    rest.is_none().then_some((rank, variables))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_api_decodes_cuts_and_collapses() {
        for (raw, given) in [
            ("/", "/"),
            ("/bucket/a%20b", "/bucket/a b"),
            ("/bucket//key", "/bucket/key"),
            ("/bucket/a%2F%2Fb", "/bucket/a/b"),
            ("/bucket/a%3Fb=c", "/bucket/a"),
            ("/bucket/a%252Fb", "/bucket/a%2Fb"),
            ("/bucket/%C3%A4", "/bucket/ä"),
            ("/bucket/a+b", "/bucket/a+b"),
        ] {
            assert_eq!(as_http_api_gives_it(raw), given, "{raw}");
        }
    }

    #[test]
    fn the_most_specific_route_wins() {
        let routes: Vec<Route> =
            ["$default", "ANY /{proxy+}", "GET /requests/{id}", "ANY /requests/{id}", "GET /requests/new", "POST /"]
                .into_iter()
                .map(|key| Route { key: key.to_owned(), function: "f".to_owned() })
                .collect();
        for (method, path, expected) in [
            ("GET", "/requests/new", "GET /requests/new"),
            ("GET", "/requests/r-1", "GET /requests/{id}"),
            ("PUT", "/requests/r-1", "ANY /requests/{id}"),
            ("GET", "/requests/r-1/x", "ANY /{proxy+}"),
            ("POST", "/", "POST /"),
            ("GET", "/", "$default"),
        ] {
            let (route, _) = route_of(&routes, method, path).expect("route");
            assert_eq!(route.key, expected, "{method} {path}");
        }
        let (_, variables) = route_of(&routes, "GET", "/requests/r-1/x").expect("route");
        assert_eq!(variables.get("proxy").map(String::as_str), Some("requests/r-1/x"));
        let only = [Route { key: "GET /a".to_owned(), function: "f".to_owned() }];
        assert!(route_of(&only, "GET", "/b").is_none());
        assert!(route_of(&only, "POST", "/a").is_none());
    }
}
