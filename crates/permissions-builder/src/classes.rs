//! Access levels and classes: mechanical seeds, and the reviewed tables over them.

use std::collections::BTreeMap;

use countersign_domain::{AccessLevel, Class, Classes};

use crate::members::Member;
use crate::reference::Reference;
use crate::tables::Tables;

/// Gives levels and classes.
pub(crate) struct Classifier<'c> {
    /// The sources.
    pub(crate) reference: &'c Reference,
    /// The reviewed tables.
    pub(crate) tables: &'c Tables,
    /// Classes that the outputs of operations suggest, by `service/Operation`.
    pub(crate) outputs: BTreeMap<String, Classes>,
}

/// Words that say that something is destroyed, wherever they stand in an action's name.
const DESTROYS: [&str; 5] = ["Delete", "Terminate", "Purge", "Destroy", "Erase"];

/// Verbs that destroy, or take a protection away.
const DESTRUCTIVE: [&str; 4] = ["Deregister", "Disable", "Release", "Reset"];

impl Classifier<'_> {
    /// The stricter level of both sources and the tables; the strictest for an unknown action.
    pub(crate) fn level(&self, action: &str) -> AccessLevel {
        let known = self.reference.actions.get(&action.to_ascii_lowercase());
        let level = known.map_or(AccessLevel::PermissionsManagement, |known| known.level);
        let raised = self.tables.levels.iter().filter(|(name, _)| name.eq_ignore_ascii_case(action));
        raised.fold(level, |level, (_, raised)| level.max(*raised))
    }

    /// The classes that an action always has.
    pub(crate) fn of_action(&self, action: &str) -> Classes {
        let name = action.split_once(':').map_or(action, |(_, name)| name);
        let mut classes = Classes::NONE;
        let destroys = DESTRUCTIVE.iter().any(|verb| begins_with_word(name, verb))
            || DESTROYS.iter().any(|word| holds_word(name, word));
        if destroys && self.level(action) >= AccessLevel::Write {
            classes = classes.with(Class::Destructive);
        }
        if begins_with_word(name, "Pass") {
            classes = classes.with(Class::Delegating);
        }
        self.reviewed(action, classes)
    }

    /// The classes that an action has in one operation besides: those of the operation go to the
    /// operation's own actions, not to roles passed and the like.
    pub(crate) fn of_operation(&self, service: &str, operation: &str, action: &str) -> Classes {
        if action.starts_with("iam:Pass") && service != "iam" {
            return Classes::NONE;
        }
        let name = format!("{service}/{operation}");
        let seeds = self.outputs.get(&name).copied().unwrap_or(Classes::NONE);
        self.reviewed(&name, seeds)
    }

    /// Classes under a condition on the parameters.
    pub(crate) fn conditional(&self, service: &str, operation: &str, inputs: &[Member]) -> Vec<(String, Classes)> {
        let name = format!("{service}/{operation}");
        let mut rows: Vec<_> = self
            .tables
            .classes
            .iter()
            .filter(|block| !block.not && !block.when.is_empty() && block.names.contains(&name))
            .map(|block| (block.when.clone(), Classes::NONE.with(block.class)))
            .collect();
        // What does not exist yet has no protection to lose.
        let is_new = ["Create", "Restore", "Run"].iter().any(|verb| begins_with_word(operation, verb));
        let protections = inputs.iter().filter(|member| {
            member.kind == "boolean"
                && !is_new
                && ["deletionprotection", "terminationprotection", "deleteprotection"]
                    .iter()
                    .any(|word| member.plain.contains(word))
        });
        rows.extend(protections.map(|member| {
            let lifted = if member.plain.starts_with("disable") { "true" } else { "false" };
            (format!("{}={lifted}", member.path), Classes::NONE.with(Class::Destructive))
        }));
        rows
    }

    fn reviewed(&self, name: &str, mut classes: Classes) -> Classes {
        let rows = self.tables.classes.iter().filter(|block| block.when.is_empty());
        let rows: Vec<_> =
            rows.filter(|block| block.names.iter().any(|known| known.eq_ignore_ascii_case(name))).collect();
        for block in rows.iter().filter(|block| !block.not) {
            classes = classes.with(block.class);
        }
        classes.iter().filter(|class| !rows.iter().any(|block| block.not && block.class == *class)).collect()
    }
}

fn begins_with_word(name: &str, word: &str) -> bool {
    name.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|char: char| char.is_ascii_lowercase()))
}

/// Whether a name in camel case holds a word: `AdminDeleteUser` holds `Delete`, `ListDeletedFiles` does not.
fn holds_word(name: &str, word: &str) -> bool {
    name.match_indices(word).any(|(at, _)| name.get(at..).is_some_and(|rest| begins_with_word(rest, word)))
}

/// The classes that an operation's output suggests: an access key id with its secret is a credential,
/// a password, token, private key or secret value is a secret.
pub(crate) fn suggested(outputs: &[Member]) -> Classes {
    let mut classes = Classes::NONE;
    let has = |word: &str| outputs.iter().any(|member| member.plain.ends_with(word));
    if has("secretaccesskey") || (has("accesskeyid") && has("secretkey")) {
        classes = classes.with(Class::CredentialReturning);
    }
    if outputs.iter().any(is_secret) {
        classes = classes.with(Class::SecretReturning);
    }
    classes
}

/// Words that end the name of a secret.
const SECRET_WORDS: [&str; 14] = [
    "password",
    "passphrase",
    "privatekey",
    "secretstring",
    "secretbinary",
    "clientsecret",
    "accesstoken",
    "refreshtoken",
    "authorizationtoken",
    "authtoken",
    "bearertoken",
    "sessiontoken",
    "secretaccesskey",
    "apikeyvalue",
];

fn is_secret(member: &Member) -> bool {
    matches!(member.kind.as_str(), "string" | "blob")
        && SECRET_WORDS.iter().any(|word| member.plain.ends_with(word))
        // Databases show a password that is about to change as asterisks.
        && !member.path.contains("PendingModifiedValues")
}
