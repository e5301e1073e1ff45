//! `package`: the functions as they are deployed.

use std::path::{Path, PathBuf};

use crate::{
    binaries::FUNCTIONS,
    cli::{Architecture, PackageOptions},
    error::{Outcome, TaskError},
    lint::infra_tools,
    steps::{output_of, program, run},
    tools::{self, Tool},
    workspace,
};

/// The GNU C library of `provided.al2023`.
const RUNTIME_GLIBC: Version = Version(2, 34);

/// A version of the GNU C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

/// Builds the functions with cargo-lambda and checks that each one finds its C library on AWS.
///
/// # Errors
/// When a function does not compile or needs a newer C library.
pub(crate) fn package(options: &PackageOptions) -> Outcome {
    let wanted: Vec<&str> = match options.functions.as_slice() {
        [] => FUNCTIONS.to_vec(),
        named => named.iter().map(String::as_str).collect(),
    };
    build(&wanted, &[], options.architecture)
}

/// Where cargo-lambda puts a program.
pub(crate) fn packaged(program: &str) -> PathBuf {
    workspace::target().join("lambda").join(program).join("bootstrap")
}

/// Builds `functions`, and `programs` of other packages, each given as package and binary.
///
/// # Errors
/// When something does not compile, or a function needs a newer C library.
pub(crate) fn build(functions: &[&str], programs: &[(&str, &str)], architecture: Architecture) -> Outcome {
    tools::need(&[Tool::CCompiler, Tool::Python, Tool::Objdump])?;
    // The check of the target is left out because it would change the toolchain of whoever builds.
    let mut build = infra_tools()?.program("cargo-lambda");
    build.args(["lambda", "build", "--release", "--locked", "--skip-target-check"]);
    // All at once: what they share is compiled once.
    let ours: Vec<String> = functions.iter().map(|function| format!("countersign-{function}")).collect();
    let ours = ours.iter().map(String::as_str).zip(functions.iter().copied());
    for (package, binary) in ours.chain(programs.iter().copied()) {
        build.args(["--package", package, "--bin", binary]);
    }
    if let Architecture::Arm64 = architecture {
        build.arg("--arm64");
    }
    run("package the functions", &mut build)?;
    functions.iter().try_for_each(|function| check(function, &packaged(function)))
}

fn check(function: &str, binary: &Path) -> Outcome {
    let symbols = output_of(&format!("read the symbols of {function}"), program("objdump").arg("-T").arg(binary))?;
    let size = std::fs::metadata(binary).map_err(|source| TaskError::File { path: binary.to_owned(), source })?.len();
    let Some(needed) = newest_glibc(&symbols) else {
        return Err(TaskError::Check(format!("`{}` names no version of the C library", binary.display())));
    };
    if needed > RUNTIME_GLIBC {
        return Err(TaskError::Check(format!(
            "{function} needs glibc {}.{}, and provided.al2023 has {}.{}",
            needed.0, needed.1, RUNTIME_GLIBC.0, RUNTIME_GLIBC.1
        )));
    }
    eprintln!("   {function}: {} KB, needs glibc {}.{}", size / 1024, needed.0, needed.1);
    Ok(())
}

/// The newest `GLIBC_x.y` that symbols are bound to, as `objdump -T` prints them.
fn newest_glibc(symbols: &str) -> Option<Version> {
    let versions = symbols.split("GLIBC_").skip(1).filter_map(|rest| {
        let version = rest.split(|letter: char| !letter.is_ascii_digit() && letter != '.').next()?;
        let mut numbers = version.split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Some(Version(major, minor)),
            _ => None,
        }
    });
    versions.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        let symbols = "\
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.2.5) memcpy
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.34) pthread_create
0000000000000000      DF *UND*  0000000000000000 (GLIBC_2.9) epoll_create1
0000000000000000      DF *UND*  0000000000000000 (GLIBC_PRIVATE) odd
0000000000000000      DF *UND*  0000000000000000 (GCC_3.0) _Unwind_Resume";
        assert_eq!(newest_glibc(symbols), Some(Version(2, 34)));
        assert_eq!(newest_glibc("no symbols"), None);
    }
}
