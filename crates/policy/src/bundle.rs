//! A bundle: rules and settings, loaded and checked as one.

use std::{fs, path::Path, sync::Arc};

use cedar_policy::Authorizer;
use countersign_domain::{Digest, encoding::Writer, settings::Settings};

use crate::{
    builtin::Protected,
    compiled,
    error::{BundleError, Problems},
    index::Index,
    limits_check,
    panel::Panels,
    rule::{self, Rule},
    settings_file::{self, Loaded, SETTINGS_FILE},
    source,
    vocabulary::EntityNames,
};

/// Rules and settings, versioned as one. Cheap to clone and to share.
#[derive(Clone, Debug)]
pub struct Bundle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rules: Vec<Rule>,
    index: Index,
    settings: Settings,
    protected: Protected,
    hash: Digest,
    is_compiled: bool,
    names: EntityNames,
    authorizer: Authorizer,
    panels: Panels,
}

/// The folder within a bundle's folder that holds a bundle which is only tried out.
pub const SHADOW_DIR: &str = "shadow";

/// The name and digest of a file of rules.
pub(crate) type SourceDigest = (String, Digest);

impl Bundle {
    /// Loads `*.cedar` and `countersign.toml` from `dir`, or its compiled form where there is
    /// one (see [`crate::compile`]): all or nothing.
    ///
    /// `${COUNTERSIGN_…}` within string values of the settings is replaced through `lookup`, the
    /// function's environment. A list item that is one placeholder becomes as many items as its
    /// value has parts between commas; a setting that is one placeholder, set but empty, is left
    /// out. `protected` are the ARN patterns (`*` for any text) of Countersign's own resources.
    ///
    /// # Errors
    /// Everything that is wrong, with file and line and what to do about it.
    pub fn load(
        dir: &Path,
        lookup: impl Fn(&str) -> Option<String>,
        protected: &[String],
    ) -> Result<Bundle, BundleError> {
        let mut problems = Problems::default();
        let (files, compiled) = read_dir(dir, &mut problems);
        if problems.count() > 0 {
            return problems.or_else(None);
        }
        Self::build(files, compiled.as_deref(), true, lookup, protected)
    }

    /// Loads `*.cedar` and `countersign.toml` from `dir`, whatever compiled form lies beside them:
    /// for those who write rules, while functions take [`Bundle::load`].
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn load_texts(
        dir: &Path,
        lookup: impl Fn(&str) -> Option<String>,
        protected: &[String],
    ) -> Result<Bundle, BundleError> {
        let mut problems = Problems::default();
        let (files, _) = read_dir(dir, &mut problems);
        if problems.count() > 0 {
            return problems.or_else(None);
        }
        Self::from_sources(files, lookup, protected)
    }

    /// Loads the bundle in `dir`/`shadow`, which is only tried out: its decisions are recorded
    /// beside the real ones. `None` where there is no such folder. Without a `countersign.toml` of
    /// its own it has the settings of the bundle in `dir`.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn load_shadow(
        dir: &Path,
        lookup: impl Fn(&str) -> Option<String>,
        protected: &[String],
    ) -> Result<Option<Bundle>, BundleError> {
        let shadow = dir.join(SHADOW_DIR);
        if fs::metadata(&shadow).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let mut problems = Problems::default();
        let (mut files, compiled) = read_dir(&shadow, &mut problems);
        let has_settings = files.iter().any(|(name, _)| name == SETTINGS_FILE);
        if !has_settings {
            let shared = read_or_note(fs::read_to_string(dir.join(SETTINGS_FILE)), SETTINGS_FILE, &mut problems);
            files.extend(shared.map(|text| (SETTINGS_FILE.to_owned(), text)));
        }
        if problems.count() > 0 {
            return problems.or_else(None);
        }
        // Limits are not counted for a shadow bundle, and those of the other bundle name its rules.
        Self::build(files, compiled.as_deref(), has_settings, lookup, protected).map(Some)
    }

    /// Loads a bundle from the names and texts of its files.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn from_sources(
        files: Vec<(String, String)>,
        lookup: impl Fn(&str) -> Option<String>,
        protected: &[String],
    ) -> Result<Bundle, BundleError> {
        Self::build(files, None, true, lookup, protected)
    }

    /// Makes a bundle of its files, and of the compiled form of its rules where there is one.
    fn build(
        mut files: Vec<(String, String)>,
        compiled: Option<&[u8]>,
        checks_limits: bool,
        lookup: impl Fn(&str) -> Option<String>,
        protected: &[String],
    ) -> Result<Bundle, BundleError> {
        files.sort();
        let mut problems = Problems::default();
        let (rules, sources) = match compiled {
            Some(compiled) => compiled::read(compiled, &files, &mut problems),
            None => (read_rules(&files, &mut problems), digests(&files)),
        };
        let settings = match files.iter().find(|(name, _)| name == SETTINGS_FILE) {
            Some((_, text)) => settings_file::read(text, &lookup, &mut problems),
            None => {
                problems.add(SETTINGS_FILE, 0, "the file is missing", "every bundle has one");
                None
            }
        };
        let settings = settings.map(|Loaded { settings, places }| {
            if checks_limits {
                limits_check::check(&settings, &rules, &places, &mut problems);
            }
            settings
        });
        Self::assemble(rules, settings, &sources, compiled.is_some(), protected, problems)
    }

    fn assemble(
        rules: Vec<Rule>,
        settings: Option<Settings>,
        sources: &[SourceDigest],
        is_compiled: bool,
        protected: &[String],
        mut problems: Problems,
    ) -> Result<Bundle, BundleError> {
        check_protected(protected, &mut problems);
        let names = EntityNames::new();
        let settings = settings.zip(names).and_then(|(settings, names)| {
            let protected = Protected::new(protected, &settings);
            let hash = hash(sources, &settings, &protected, &mut problems)?;
            Some((settings, names, protected, hash))
        });
        let inner = settings.map(|(settings, names, protected, hash)| {
            let index = Index::new(&rules);
            Inner {
                rules,
                index,
                settings,
                protected,
                hash,
                is_compiled,
                names,
                authorizer: Authorizer::new(),
                panels: Panels::default(),
            }
        });
        problems.or_else(inner).map(|inner| Self(Arc::new(inner)))
    }

    /// The settings, with placeholders replaced.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The hash over names and texts of the rules' files, the settings as they are resolved, and
    /// the protected ARNs: what a decision depends on.
    pub fn hash(&self) -> &Digest {
        &self.0.hash
    }

    /// Whether its rules were read from the compiled form, not from texts.
    pub fn is_compiled(&self) -> bool {
        self.0.is_compiled
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.0.rules
    }

    pub(crate) fn rule(&self, place: u32) -> Option<&Rule> {
        self.0.rules.get(usize::try_from(place).ok()?)
    }

    pub(crate) fn index(&self) -> &Index {
        &self.0.index
    }

    pub(crate) fn names(&self) -> &EntityNames {
        &self.0.names
    }

    pub(crate) fn protected(&self) -> &Protected {
        &self.0.protected
    }

    pub(crate) fn panels(&self) -> &Panels {
        &self.0.panels
    }

    pub(crate) fn authorizer(&self) -> &Authorizer {
        &self.0.authorizer
    }
}

/// The texts of a bundle's folder, and its compiled form if it has one.
pub(crate) fn read_dir(dir: &Path, problems: &mut Problems) -> (Vec<(String, String)>, Option<Vec<u8>>) {
    let mut files = Vec::new();
    let mut compiled = None;
    let entries = match fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => {
            problems.add(
                &dir.display().to_string(),
                0,
                format!("the folder cannot be read: {error}"),
                "check the path",
            );
            return (files, compiled);
        }
    };
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_source = name.ends_with(".cedar") || name == SETTINGS_FILE;
        if name == compiled::COMPILED_FILE {
            compiled = read_or_note(fs::read(entry.path()), &name, problems);
        } else if is_source {
            let text = read_or_note(fs::read_to_string(entry.path()), &name, problems);
            files.extend(text.map(|text| (name, text)));
        }
    }
    (files, compiled)
}

fn read_or_note<T>(result: std::io::Result<T>, name: &str, problems: &mut Problems) -> Option<T> {
    result.map_err(|error| problems.add(name, 0, format!("the file cannot be read: {error}"), "check the file")).ok()
}

pub(crate) fn read_rules(files: &[(String, String)], problems: &mut Problems) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut ids: std::collections::HashMap<String, u32> = std::collections::HashMap::new();
    for (name, text) in files.iter().filter(|(name, _)| name != SETTINGS_FILE) {
        let stem_valid = name.strip_suffix(".cedar").is_some_and(|stem| {
            !stem.is_empty()
                && stem != "built-in"
                && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        });
        if !stem_valid {
            problems.add(
                name,
                0,
                "the file's name is not valid",
                "use A-Z a-z 0-9 _ . - and `.cedar`, and not `built-in`",
            );
        }
        for (place, piece) in source::pieces(text).iter().enumerate() {
            match rule::read(name, place + 1, piece) {
                Ok(rule) => {
                    if let Some(line) = ids.insert(rule.id.clone(), rule.line) {
                        let message = format!("`{}` stands twice, first on line {line}", rule.id);
                        problems.add(name, rule.line, message, "give each rule of a file its own `@id`");
                    }
                    rules.push(rule);
                }
                Err(wrong) => {
                    for (line, (message, fix)) in wrong {
                        problems.add(name, line, message, fix);
                    }
                }
            }
        }
    }
    rules
}

pub(crate) fn digests(files: &[(String, String)]) -> Vec<SourceDigest> {
    let mut digests: Vec<_> = files
        .iter()
        .filter(|(name, _)| name != SETTINGS_FILE)
        .map(|(name, text)| (name.clone(), Digest::of(text.as_bytes())))
        .collect();
    digests.sort();
    digests
}

fn check_protected(protected: &[String], problems: &mut Problems) {
    for pattern in protected {
        let parts = pattern.splitn(6, ':').collect::<Vec<_>>();
        let valid = matches!(parts.as_slice(), ["arn", _, service, _, _, resource] if !service.is_empty() && !resource.is_empty());
        if !valid {
            let message = format!("`{pattern}` is not the pattern of an ARN");
            problems.add(
                "COUNTERSIGN_PROTECTED_ARNS",
                0,
                message,
                "write `arn:partition:service:region:account:resource`",
            );
        }
    }
}

/// Tag of the encoding that the bundle's hash is over.
const HASH_TAG: &str = "countersign/bundle/v1";

fn hash(
    sources: &[SourceDigest],
    settings: &Settings,
    protected: &Protected,
    problems: &mut Problems,
) -> Option<Digest> {
    let settings = serde_json::to_string(settings)
        .map_err(|error| problems.add(SETTINGS_FILE, 0, error.to_string(), "check the settings"))
        .ok()?;
    let mut writer = Writer::new(HASH_TAG);
    writer.number(sources.len() as u64);
    for (name, digest) in sources {
        writer.text(name).bytes(digest.as_bytes());
    }
    writer.text(&settings).number(protected.patterns().len() as u64);
    for pattern in protected.patterns() {
        writer.text(pattern);
    }
    Some(Digest::of(&writer.finish()))
}
