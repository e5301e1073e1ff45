//! Every command of this program in the documents, run as it stands.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The shell blocks of a document that say `<!-- check: program -->`.
fn blocks(document: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let parts: Vec<_> = text.split("<!-- check: program -->\n```sh\n").skip(1).collect();
    assert!(!parts.is_empty(), "{document} has no commands");
    parts.into_iter().map(|part| part.split("\n```").next().unwrap().to_owned()).collect()
}

#[test]
fn commands_in_the_documents_run() {
    let programs = Path::new(env!("CARGO_BIN_EXE_countersign")).parent().unwrap();
    let search = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let all = ["README.md", "docs/cli.md", "docs/policy.md", "infra/packs/README.md"].map(blocks);
    assert!(all.iter().all(|of_one| !of_one.is_empty()));
    for block in all.into_iter().flatten() {
        // What a block writes goes into a folder of its own; it reads the repository by the same names as people do.
        let scratch = tempfile::tempdir().unwrap();
        for name in ["infra", "docs", "crates"] {
            std::os::unix::fs::symlink(root().join(name), scratch.path().join(name)).unwrap();
        }
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &block])
            .current_dir(scratch.path())
            .env("PATH", &search)
            .output()
            .unwrap();
        assert!(output.status.success(), "{block}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
