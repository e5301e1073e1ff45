//! `package`: the functions as they are deployed.

use std::path::Path;

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
    tools::need(&[Tool::CCompiler, Tool::Python, Tool::Objdump])?;
    let installed = infra_tools()?;
    let wanted: Vec<&str> = match options.functions.as_slice() {
        [] => FUNCTIONS.to_vec(),
        named => named.iter().map(String::as_str).collect(),
    };
    for function in wanted {
        // One at a time, so that each has the features of its own dependencies and no others. The check of the target is
        // left out because it would change the toolchain of whoever builds.
        let mut build = installed.program("cargo-lambda");
        build.args([
            "lambda",
            "build",
            "--release",
            "--locked",
            "--skip-target-check",
            "--package",
            &format!("countersign-{function}"),
        ]);
        if let Architecture::Arm64 = options.architecture {
            build.arg("--arm64");
        }
        run(&format!("package {function}"), &mut build)?;
        let binary = workspace::target().join("lambda").join(function).join("bootstrap");
        check(function, &binary)?;
    }
    Ok(())
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
