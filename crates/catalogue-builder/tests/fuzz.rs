//! A few seconds of fuzzing; minutes of it are `cargo xtask fuzz`.

use std::process::Command;

#[test]
fn some_seconds_of_each_target_find_nothing() {
    for target in ["identify", "parsers", "verifier"] {
        // The blob, what is decoded of it and the sample take some hundred MiB of addresses; no case may add as much.
        let output = Command::new("sh")
            .args(["-c", "ulimit -v 1048576; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_countersign-catalogue-builder")])
            .args(["fuzz", target, "2"])
            .output()
            .expect("sh");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{target}: {}: {told}", output.status);
        let cases = told.lines().last().and_then(|line| line.split(' ').nth(1)?.parse::<u64>().ok());
        assert!(cases.is_some_and(|cases| cases > 20), "{told}");
    }
}
