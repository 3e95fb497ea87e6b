//! The Debian package, by what `Cargo.toml` says of it: installed into a clean root, upgraded, removed, purged.
//!
//! It is put together here with dpkg's own tools around the program under test, so that every run has it; where cargo-deb
//! is installed, what that builds must hold the same files.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_feedwall");
const CONFIG: &str = "etc/feedwall/feedwall.toml";
const LEDGER: &str = "var/lib/feedwall/ledger.db";

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn metadata() -> toml::Table {
    let manifest: toml::Table = fs::read_to_string(source("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    manifest["package"]["metadata"]["deb"]
        .as_table()
        .unwrap()
        .clone()
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {said}{}",
        String::from_utf8_lossy(&output.stdout)
    );
    output
}

/// The files that the metadata names, from where to where, with their modes.
fn assets(staged: &Path) -> Vec<(PathBuf, String, u32)> {
    let metadata = metadata();
    let mut all = Vec::new();
    for asset in metadata["assets"].as_array().unwrap() {
        let part = |index: usize| asset[index].as_str().unwrap().to_owned();
        let (from, to, mode) = (part(0), part(1), u32::from_str_radix(&part(2), 8).unwrap());
        let from = match from.as_str() {
            "target/release/feedwall" => PathBuf::from(PROGRAM),
            staged_file if staged_file.starts_with("target/package/") => {
                staged.join(&staged_file["target/package/".len()..])
            }
            file => source(file),
        };
        let found: Vec<PathBuf> = glob::glob(from.to_str().unwrap())
            .unwrap()
            .map(|one| one.unwrap())
            .collect();
        assert!(!found.is_empty(), "{} is not there", from.display());
        for file in found {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            let to = if to.ends_with('/') {
                format!("{to}{name}")
            } else {
                to.clone()
            };
            all.push((file, to, mode));
        }
    }
    all
}

/// Builds a package of this version in `folder`, whose example config ends with `more`.
fn build(folder: &Path, version: &str, more: &str) -> PathBuf {
    let root = folder.join(format!("tree-{version}"));
    let staged = folder.join("staged");
    if !staged.exists() {
        fs::create_dir_all(staged.join("completions")).unwrap();
        run(Command::new(PROGRAM)
            .args(["man", "--out"])
            .arg(staged.join("man")));
        for (shell, name) in [
            ("bash", "feedwall.bash"),
            ("zsh", "_feedwall"),
            ("fish", "feedwall.fish"),
        ] {
            let script = run(Command::new(PROGRAM).args(["completions", shell])).stdout;
            fs::write(staged.join("completions").join(name), script).unwrap();
        }
    }
    for (from, to, mode) in assets(&staged) {
        let to = root.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&from, &to).unwrap();
        fs::set_permissions(&to, Permissions::from_mode(mode)).unwrap();
    }
    let config = fs::read_to_string(root.join(CONFIG)).unwrap();
    fs::write(root.join(CONFIG), config + more).unwrap();
    let control = root.join("DEBIAN");
    fs::create_dir_all(&control).unwrap();
    let metadata = metadata();
    let word = |key: &str| metadata[key].as_str().unwrap().to_owned();
    let text = format!(
        "Package: feedwall\nVersion: {version}\nArchitecture: amd64\nMaintainer: {}\nSection: {}\nPriority: {}\n\
         Depends: systemd\nDescription: under test\n",
        word("maintainer"),
        word("section"),
        word("priority"),
    );
    fs::write(control.join("control"), text).unwrap();
    let conffiles = metadata["conf-files"].as_array().unwrap();
    let conffiles: String = conffiles
        .iter()
        .map(|one| format!("{}\n", one.as_str().unwrap()))
        .collect();
    fs::write(control.join("conffiles"), conffiles).unwrap();
    for script in ["postinst", "prerm", "postrm"] {
        fs::copy(
            source(&word("maintainer-scripts")).join(script),
            control.join(script),
        )
        .unwrap();
        fs::set_permissions(control.join(script), Permissions::from_mode(0o755)).unwrap();
    }
    let package = folder.join(format!("feedwall_{version}_amd64.deb"));
    run(Command::new("dpkg-deb")
        .args(["-Znone", "--root-owner-group", "--build"])
        .arg(&root)
        .arg(&package));
    fs::remove_dir_all(root).unwrap();
    package
}

/// A root with nothing in it but dpkg's own books.
struct Root(PathBuf);

impl Root {
    fn new(folder: &Path) -> Self {
        let root = folder.join("root");
        for part in [
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/lib/dpkg/triggers",
            "etc",
        ] {
            fs::create_dir_all(root.join(part)).unwrap();
        }
        fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
        Self(root)
    }

    fn dpkg(&self, words: &[&str], environment: &[(&str, &str)]) {
        let mut command = Command::new("dpkg");
        command
            .arg(format!("--root={}", self.0.display()))
            .arg("--log=/dev/null")
            .args([
                "--force-script-chrootless",
                "--force-depends",
                "--force-confold",
            ])
            .args(words)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .envs(environment.iter().copied());
        run(&mut command);
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

#[test]
fn it_installs_upgrades_and_goes_and_leaves_what_is_the_operators() {
    let here = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
    if !["dpkg", "dpkg-deb", "systemd-sysusers"]
        .into_iter()
        .all(here)
    {
        println!("skipped: there is no dpkg, or no systemd-sysusers, here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    if fs::metadata(folder.path()).unwrap().uid() != 0 {
        println!("skipped: only root installs packages");
        return;
    }
    let old = build(folder.path(), "0.1.0", "");
    let new = build(folder.path(), "0.2.0", "\n# of a later version\n");
    let root = Root::new(folder.path());

    root.dpkg(&["-i", old.to_str().unwrap()], &[]);
    let program = root.at("usr/bin/feedwall");
    let version = run(Command::new(&program).arg("--version")).stdout;
    assert!(String::from_utf8_lossy(&version).starts_with("feedwall "));
    // The example is a good config as it stands.
    run(Command::new(&program)
        .env_clear()
        .arg("--config")
        .arg(root.at(CONFIG))
        .arg("check"));
    for file in [
        "usr/lib/systemd/system/feedwall.service",
        "usr/lib/sysusers.d/feedwall.conf",
        "usr/share/man/man1/feedwall.1",
        "usr/share/man/man1/feedwall-feeds-try.1",
        "usr/share/bash-completion/completions/feedwall",
        "usr/share/zsh/vendor-completions/_feedwall",
        "usr/share/fish/vendor_completions.d/feedwall.fish",
        "usr/share/doc/feedwall/operations.md",
    ] {
        assert!(root.at(file).is_file(), "{file}");
    }
    let users = fs::read_to_string(root.at("etc/passwd")).unwrap();
    assert!(
        users.lines().any(|line| line.starts_with("feedwall:")),
        "{users}"
    );
    let keys = fs::metadata(root.at("etc/feedwall/credentials")).unwrap();
    assert_eq!((keys.mode() & 0o777, keys.uid()), (0o700, 0));

    // The operator's own: a config that was written anew, keys, a ledger.
    fs::write(root.at(CONFIG), "# mine\n").unwrap();
    fs::write(root.at("etc/feedwall/credentials/secret_id"), "an id").unwrap();
    fs::create_dir_all(root.at("var/lib/feedwall")).unwrap();
    fs::write(root.at(LEDGER), "a ledger").unwrap();
    let kept = || {
        assert_eq!(fs::read_to_string(root.at(CONFIG)).unwrap(), "# mine\n");
        assert_eq!(fs::read_to_string(root.at(LEDGER)).unwrap(), "a ledger");
    };
    root.dpkg(&["-i", new.to_str().unwrap()], &[]);
    kept();
    assert!(program.exists());
    root.dpkg(&["-r", "feedwall"], &[]);
    kept();
    assert!(!program.exists() && !root.at("usr/lib/systemd/system/feedwall.service").exists());
    root.dpkg(&["-i", new.to_str().unwrap()], &[]);
    kept();

    root.dpkg(&["-P", "feedwall"], &[]);
    assert!(!root.at(CONFIG).exists());
    assert!(
        root.at("etc/feedwall/credentials/secret_id").exists(),
        "keys are not the package's"
    );
    assert_eq!(fs::read_to_string(root.at(LEDGER)).unwrap(), "a ledger");
    fs::remove_file(root.at("etc/feedwall/credentials/secret_id")).unwrap();

    root.dpkg(&["-i", new.to_str().unwrap()], &[]);
    root.dpkg(&["-P", "feedwall"], &[("FEEDWALL_PURGE_LEDGER", "yes")]);
    assert!(!root.at("etc/feedwall").exists() && !root.at("var/lib/feedwall").exists());
}

#[test]
fn cargo_deb_builds_the_same_package() {
    if !Command::new("cargo-deb")
        .arg("--version")
        .output()
        .is_ok_and(|asked| asked.status.success())
    {
        println!("skipped: there is no cargo-deb here");
        return;
    }
    run(Command::new(source("packaging/stage")).arg(PROGRAM));
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("feedwall.deb");
    run(Command::new("cargo-deb")
        .args([
            "deb",
            "--no-build",
            "--no-strip",
            "--fast",
            "--profile",
            "dev",
            "--output",
        ])
        .arg(&package)
        .current_dir(source("")));
    let names = |package: &Path| -> BTreeSet<String> {
        let listed = run(Command::new("dpkg-deb").arg("--contents").arg(package)).stdout;
        let listed = String::from_utf8(listed).unwrap();
        let files = listed.lines().filter(|line| !line.starts_with('d'));
        files
            .filter_map(|line| line.split_whitespace().nth(5))
            // It adds these two by itself, and packs manual pages.
            .map(|name| {
                name.trim_start_matches("./")
                    .trim_end_matches(".gz")
                    .to_owned()
            })
            .filter(|name| !name.ends_with("/copyright") && !name.contains("/changelog"))
            .collect()
    };
    let ours = names(&build(folder.path(), "0.1.0", ""));
    assert_eq!(names(&package), ours);
    let control = run(Command::new("dpkg-deb").args(["--field"]).arg(&package)).stdout;
    let control = String::from_utf8(control).unwrap();
    assert!(
        control.contains("Depends: libc6") && control.contains("systemd"),
        "{control}"
    );
}
