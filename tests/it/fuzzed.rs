//! The checks that the fuzz targets make, over their seeds and over every body that a fuzzer ever broke something with.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;

#[test]
fn every_seed_keeps_to_what_the_targets_check() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let folders = fs::read_dir(&seeds).unwrap().count();
    assert_eq!(folders, targets::CHECKS.len(), "a folder for each target");
    for (target, check) in targets::CHECKS {
        let mut seen = 0;
        for seed in fs::read_dir(seeds.join(target)).unwrap() {
            let path = seed.unwrap().path();
            // Shown if the check fails.
            println!("{}", path.display());
            check(&fs::read(path).unwrap());
            seen += 1;
        }
        assert!(seen > 2, "{target} has seeds");
    }
}
