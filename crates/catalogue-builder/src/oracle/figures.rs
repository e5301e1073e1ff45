//! What a run counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::AddAssign;

/// What became of the requests of one protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// All of them.
    pub requests: usize,
    /// Identified as what was meant, or as an alias of it that goes to the same host.
    pub identified: usize,
    /// Of these, those that are known under several names.
    pub aliases: usize,
    /// Identified as something else.
    pub wrong: usize,
    /// Refused at the gateway's one endpoint, as the bytes fit services on different hosts, which the refusal names.
    pub left_open: usize,
    /// Not identified.
    pub unidentified: usize,
    /// Identified, and refused as of a kind that is not forwarded: event streams, old signatures.
    pub not_forwarded: usize,
    /// Not signed with SigV4, as the model says.
    pub unsigned: usize,
    /// Signatures that verified.
    pub verified: usize,
    /// Signatures that did not.
    pub not_verified: usize,
    /// Signed bytes that were changed, one at a time.
    pub bytes_changed: usize,
    /// Paths that went through an HTTP API's decoding.
    pub paths: usize,
    /// Of these, those that came out as the same call.
    pub paths_recovered: usize,
    /// Of these, those that were refused with the reason that names the other door.
    pub paths_to_other_door: usize,
}

/// A heading, and what stands below it.
type Column = (&'static str, fn(&Figures) -> usize);

/// The columns of the table, in its order.
const COLUMNS: [Column; 14] = [
    ("requests", |figures| figures.requests),
    ("identified", |figures| figures.identified),
    ("aliases", |figures| figures.aliases),
    ("wrong", |figures| figures.wrong),
    ("left open", |figures| figures.left_open),
    ("unidentified", |figures| figures.unidentified),
    ("not forwarded", |figures| figures.not_forwarded),
    ("unsigned", |figures| figures.unsigned),
    ("verified", |figures| figures.verified),
    ("not verified", |figures| figures.not_verified),
    ("bytes changed", |figures| figures.bytes_changed),
    ("paths", |figures| figures.paths),
    ("recovered", |figures| figures.paths_recovered),
    ("other door", |figures| figures.paths_to_other_door),
];

impl AddAssign<&Figures> for Figures {
    fn add_assign(&mut self, other: &Figures) {
        // Taken apart in full: a new figure that is not added would not compile.
        let Figures {
            requests,
            identified,
            aliases,
            wrong,
            left_open,
            unidentified,
            not_forwarded,
            unsigned,
            verified,
            not_verified,
            bytes_changed,
            paths,
            paths_recovered,
            paths_to_other_door,
        } = other;
        self.requests += requests;
        self.identified += identified;
        self.aliases += aliases;
        self.wrong += wrong;
        self.left_open += left_open;
        self.unidentified += unidentified;
        self.not_forwarded += not_forwarded;
        self.unsigned += unsigned;
        self.verified += verified;
        self.not_verified += not_verified;
        self.bytes_changed += bytes_changed;
        self.paths += paths;
        self.paths_recovered += paths_recovered;
        self.paths_to_other_door += paths_to_other_door;
    }
}

/// The figures as a table: a line for each key, of which `heading` says what they are, and one for all.
pub fn table(heading: &str, figures: &BTreeMap<String, Figures>) -> String {
    let mut total = Figures::default();
    figures.values().for_each(|figures| total += figures);
    let mut out = format!("{heading:<12}");
    for (name, _) in COLUMNS {
        let _ = write!(out, "  {name:>13}");
    }
    let rows = figures.iter().map(|(name, figures)| (name.as_str(), figures));
    for (name, figures) in rows.chain([("all", &total)]) {
        let _ = write!(out, "\n{name:<12}");
        for (_, figure) in COLUMNS {
            let _ = write!(out, "  {:>13}", figure(figures));
        }
    }
    out
}
