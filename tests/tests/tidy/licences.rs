//! What we depend on may be passed on under our own licences.

use super::metadata::packages;

/// Licences that ask for no more than a notice. Keep in step with `deny.toml`.
const ALLOWED: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

#[test]
fn every_dependency_has_an_allowed_licence() {
    let mut wrong = Vec::new();
    for package in packages() {
        let allowed = package.licence.as_deref().is_some_and(allows);
        if !allowed {
            wrong.push(format!("{} {}: {:?}", package.name, package.version, package.licence));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn deny_toml_allows_the_same() {
    let text = std::fs::read_to_string(countersign_tests::stack::root().join("deny.toml")).expect("deny.toml");
    for licence in ALLOWED {
        assert!(text.contains(&format!("\"{licence}\"")), "deny.toml does not name {licence}");
    }
}

/// Whether an SPDX expression can be met with allowed licences: in an `OR` one side must do, in an `AND` all.
/// The `/` of old manifests means `OR`.
fn allows(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let mut tokens = Vec::new();
    for word in expression.replace('(', " ( ").replace(')', " ) ").split_whitespace() {
        tokens.push(word.to_owned());
    }
    let mut place = 0;
    let met = any(&tokens, &mut place);
    met && place == tokens.len()
}

fn any(tokens: &[String], place: &mut usize) -> bool {
    let mut met = all(tokens, place);
    while tokens.get(*place).is_some_and(|token| token == "OR") {
        *place += 1;
        let other = all(tokens, place);
        met |= other;
    }
    met
}

fn all(tokens: &[String], place: &mut usize) -> bool {
    let mut met = one(tokens, place);
    while tokens.get(*place).is_some_and(|token| token == "AND") {
        *place += 1;
        let other = one(tokens, place);
        met &= other;
    }
    met
}

fn one(tokens: &[String], place: &mut usize) -> bool {
    let Some(token) = tokens.get(*place) else { return false };
    *place += 1;
    if token == "(" {
        let met = any(tokens, place);
        *place += 1;
        return met;
    }
    let mut licence = token.clone();
    if tokens.get(*place).is_some_and(|token| token == "WITH") {
        licence = format!("{licence} WITH {}", tokens.get(*place + 1).map(String::as_str).unwrap_or_default());
        *place += 2;
    }
    ALLOWED.contains(&licence.as_str())
}

#[test]
fn expressions_are_read_as_spdx_has_them() {
    for (expression, expected) in [
        ("MIT", true),
        ("MIT OR GPL-3.0", true),
        ("MIT/Apache-2.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
        ("Apache-2.0 WITH LLVM-exception OR MIT", true),
        ("GPL-3.0 WITH Classpath-exception-2.0", false),
        ("GPL-3.0", false),
        ("", false),
    ] {
        assert_eq!(allows(expression), expected, "{expression}");
    }
}
