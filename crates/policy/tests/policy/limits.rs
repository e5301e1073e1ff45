//! `[[limits.rate]]` in the settings: what is read, and what is refused with its line.

use countersign_policy::{Bundle, BundleError};

use crate::harness::*;

const RULES: &str = "@id(\"reads\") permit(principal, action in Action::\"level:Read\", resource);
    @id(\"writes\") @approval(\"dba\") permit(principal, action in Action::\"level:Write\", resource);
    @id(\"tried\") @mode(\"shadow\") permit(principal, action, resource);
    @id(\"never\") forbid(principal, action == Action::\"iam:CreateUser\", resource);";

fn with(limits: &str) -> Result<Bundle, BundleError> {
    let settings = format!("{SETTINGS}{limits}");
    let files = vec![("rules.cedar".to_owned(), RULES.to_owned()), ("countersign.toml".to_owned(), settings)];
    Bundle::from_sources(files, |_| None, &[])
}

#[test]
fn limits_are_read() {
    let bundle = with(
        "[[limits.rate]]
         name = \"reads\"
         per = \"agent\"
         rules = [\"rules/reads\"]
         calls = 100
         distinct_resources = 20
         window = \"1h\"
         [[limits.rate]]
         name = \"held\"
         per = [\"target\", \"rule\"]
         targets = [\"prod\"]
         groups = [\"deployers\"]
         agents = [\"ci/*\"]
         pending = 3",
    )
    .unwrap();
    let limits = &bundle.settings().limits;
    assert_eq!(limits.rate.len(), 2);
    assert_eq!(limits.pending_per_agent, 20, "the others keep their defaults");
    assert_ne!(bundle.hash(), with("").unwrap().hash(), "limits are a part of the bundle");
}

#[test]
fn limits_with_mistakes_are_refused_with_their_line() {
    let first = SETTINGS.lines().count() + 1;
    for (limit, line, expected) in [
        ("calls = 1", 0, "the limit `x` has no window"),
        ("window = \"1h\"", 0, "the limit `x` limits nothing"),
        ("pending = 1\nwindow = \"1h\"", 4, "`window` has no meaning for requests that wait"),
        ("calls = 0\nwindow = \"1h\"", 3, "0 is out of range; use 1 to 1000000000"),
        ("distinct_resources = 201\nwindow = \"1h\"", 3, "201 is out of range; use 1 to 200"),
        ("calls = 1\nwindow = \"32d\"", 4, "the window is longer than 31 days"),
        ("calls = 1\nwindow = \"later\"", 4, "`later` is not a length of time"),
        (
            "calls = 1\nwindow = \"1h\"\nrules = [\"rules/read\"]",
            5,
            "there is no rule `rules/read`; did you mean `rules/reads`?",
        ),
        ("calls = 1\nwindow = \"1h\"\nrules = [\"rules/tried\"]", 5, "only shadows"),
        ("calls = 1\nwindow = \"1h\"\nrules = [\"rules/never\"]", 5, "what is denied is not counted"),
        ("calls = 1\nwindow = \"1h\"\ntargets = [\"pro\"]", 5, "there is no target `pro`; did you mean `prod`?"),
        ("calls = 1\nwindow = \"1h\"\nagents = [\"a b\"]", 5, "`a b` is not an agent's name"),
        ("calls = 1\nwindow = \"1h\"\nevery = 1", 5, "unknown field `every`"),
        (
            "pending = 1\n[[limits.rate]]\nname = \"pending_per_agent\"\nper = \"agent\"\npending = 1",
            5,
            "is the name of the limit that every agent has",
        ),
        ("pending = 1\n[[limits.rate]]\nname = \"x\"\nper = \"rule\"\npending = 1", 5, "the limit `x` stands twice"),
    ] {
        let error = with(&format!("[[limits.rate]]\nname = \"x\"\nper = \"agent\"\n{limit}\n")).expect_err(limit);
        let found: Vec<_> = error.problems.iter().map(ToString::to_string).collect();
        // `line` is counted from the limit's own first line.
        let expected = format!("countersign.toml:{}: {expected}", first + line);
        let (place, message) = expected.split_at(expected.find(": ").unwrap() + 2);
        assert!(
            found.iter().any(|problem| problem.starts_with(place) && problem.contains(message)),
            "{found:#?}\nlacks {expected}"
        );
    }
    let per = with("[[limits.rate]]\nname = \"x\"\nper = \"group\"\npending = 1").unwrap_err().to_string();
    assert!(per.contains("`per` cannot be `group`; it is made of `agent`, `target` and `rule`"), "{per}");
}
