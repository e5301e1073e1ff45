//! Where bundles and their tests are.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The folder of a bundle that holds its tests. It is no part of what is deployed.
pub const TESTS_FOLDER: &str = "tests";

/// A bundle's folder and the files of cases that are to run on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFolder {
    /// The folder.
    pub folder: PathBuf,
    /// The files, sorted.
    pub cases: Vec<PathBuf>,
}

/// The files of cases at `path`: those in `tests/` of a bundle's folder, or one file, whose bundle is the folder above
/// its `tests/` unless `bundle` names another.
///
/// # Errors
/// When a folder cannot be read or there is nothing to run; the message names what to do.
pub fn find_cases(path: &Path, bundle: Option<&Path>) -> io::Result<BundleFolder> {
    let wrong = |message: String| io::Error::new(io::ErrorKind::NotFound, message);
    if path.is_file() {
        let own = path.parent().filter(|folder| folder.ends_with(TESTS_FOLDER)).and_then(Path::parent);
        let folder = bundle.or(own).ok_or_else(|| {
            wrong(format!("the bundle of `{}` cannot be told; name it with `--bundle DIR`", path.display()))
        })?;
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        return Ok(BundleFolder { folder: folder.to_owned(), cases: vec![path.to_owned()] });
    }
    let tests = path.join(TESTS_FOLDER);
    let entries = fs::read_dir(&tests)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", tests.display())))?;
    let is_cases = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    let mut cases: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(is_cases).collect();
    cases.sort();
    if cases.is_empty() {
        return Err(wrong(format!("`{}` has no *.toml with cases", tests.display())));
    }
    Ok(BundleFolder { folder: bundle.unwrap_or(path).to_owned(), cases })
}
