//! What the operator allows, and the lists that others keep of what must not be blocked.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use glob::MatchOptions;

use super::error::{GuardError, GuardFaults};
use crate::model::{Indicator, Name};

/// The largest allowlist file that is read, in bytes: 16 MiB, some half a million lines.
pub const MOST_FILE_BYTES: u64 = 16 << 20;

/// How far a guarded domain reaches. Addresses and networks guard what they cover either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matching {
    /// This name alone (a MISP warninglist of type `string`).
    Exact,
    /// This name and all below it (type `hostname`, and whatever the operator allows).
    Subdomains,
}

/// Bad lines of one file that are told.
const MOST_FAULTS: usize = 20;

/// What sort of download a [`GuardSet`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetKind {
    /// A `[[guard.list]]`.
    List,
    /// A `[[feed]]` with `list = "allow"`.
    Feed,
}

/// The good entries of one downloaded guard list or allow feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSet {
    /// The list's or feed's name in the config.
    pub name: Name,
    /// Which of the two it is.
    pub kind: SetKind,
    /// How far its domains reach.
    pub matching: Matching,
    /// What it guards.
    pub entries: Vec<Indicator>,
}

/// One allowlist file, read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowFile {
    /// Where it was found.
    pub path: PathBuf,
    /// Its indicators, each with its line, counted from 1.
    pub entries: Vec<(u32, Indicator)>,
}

/// Reads the allowlist files that `patterns` (`[guard] files`) name, each file once, by name.
///
/// A file holds one bare indicator a line; `#` begins a comment. As in a shell, `*` matches no leading
/// dot. A pattern that matches nothing is fine; a name without `*`, `?` or `[` must be there.
///
/// # Errors
/// [`GuardFaults`] holds every fault of every file.
pub fn read_allow_files(patterns: &[String]) -> Result<Vec<AllowFile>, GuardFaults> {
    let mut faults = Vec::new();
    let mut paths = Vec::new();
    for pattern in patterns {
        find(pattern, &mut paths, &mut faults);
    }
    paths.sort();
    paths.dedup();
    let mut files = Vec::new();
    for path in paths {
        match read(&path) {
            Ok(bytes) => {
                let entries = entries(&path, &bytes, &mut faults);
                files.push(AllowFile { path, entries });
            }
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        Ok(files)
    } else {
        Err(GuardFaults(faults))
    }
}

fn find(pattern: &str, paths: &mut Vec<PathBuf>, faults: &mut Vec<GuardError>) {
    if !pattern.contains(['*', '?', '[']) {
        paths.push(pattern.into());
        return;
    }
    if let Some(fault) = hidden_directory(pattern) {
        faults.push(fault);
        return;
    }
    let as_in_a_shell = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    match glob::glob_with(pattern, as_in_a_shell) {
        Ok(matches) => {
            for found in matches {
                match found {
                    Ok(path) => paths.push(path),
                    Err(fault) => faults.push(GuardError::Unreadable {
                        path: fault.path().to_owned(),
                        reason: fault.into(),
                    }),
                }
            }
        }
        Err(fault) => faults.push(GuardError::Pattern {
            pattern: pattern.to_owned(),
            reason: fault.to_string(),
        }),
    }
}

/// The fixed part of a pattern's path, where it is there and cannot be looked into. The glob crate takes
/// that for "no match", which would quietly guard nothing.
fn hidden_directory(pattern: &str) -> Option<GuardError> {
    let fixed = pattern.split(['*', '?', '[']).next()?;
    let (directory, _) = fixed.rsplit_once('/')?;
    let path = Path::new(if directory.is_empty() { "/" } else { directory });
    match fs::read_dir(path) {
        Err(reason) if reason.kind() != io::ErrorKind::NotFound => Some(GuardError::Unreadable {
            path: path.to_owned(),
            reason,
        }),
        _ => None,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, GuardError> {
    let unreadable = |reason| GuardError::Unreadable {
        path: path.to_owned(),
        reason,
    };
    // Asked before it is opened: opening a pipe would wait for its writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(GuardError::NoFile {
            path: path.to_owned(),
        });
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let mut bounded = file.take(MOST_FILE_BYTES + 1);
    bounded.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST_FILE_BYTES {
        return Err(GuardError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

fn entries(path: &Path, bytes: &[u8], faults: &mut Vec<GuardError>) -> Vec<(u32, Indicator)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut entries = Vec::new();
    let most = faults.len() + MOST_FAULTS;
    for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let path = || path.to_owned();
        if faults.len() >= most {
            faults.push(GuardError::ManyFaults { path: path() });
            break;
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            faults.push(GuardError::NoText { path: path(), line });
            continue;
        };
        let text = text.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        match Indicator::try_new(text) {
            Ok(indicator) => entries.push((line, indicator)),
            Err(reason) => faults.push(GuardError::Entry {
                path: path(),
                line,
                text: text.chars().take(80).collect(),
                reason,
            }),
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with `files`, and the pattern `*.txt` in it.
    fn directory(files: &[(&str, &[u8])]) -> (tempfile::TempDir, String) {
        let directory = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        let pattern = directory.path().join("*.txt").display().to_string();
        (directory, pattern)
    }

    fn faults_of(patterns: &[String]) -> Vec<String> {
        let GuardFaults(faults) = read_allow_files(patterns).unwrap_err();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_holds_an_indicator_a_line_and_comments() {
        let text = "\u{feff}# ours\r\n45.155.205.7\r\n\n  45.155.206.0/24\t# the office\n\
                    #1.2.3.4\nB\u{fc}cher.DE.\n2a00:1450::7";
        let (directory, pattern) = directory(&[("office.txt", text.as_bytes())]);
        let files = read_allow_files(&[pattern]).unwrap();
        let expected = [
            (2, "45.155.205.7"),
            (4, "45.155.206.0/24"),
            (6, "xn--bcher-kva.de"),
            (7, "2a00:1450::7"),
        ];
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].path, directory.path().join("office.txt"));
        assert_eq!(
            files[0].entries,
            expected.map(|(line, text)| (line, Indicator::try_new(text).unwrap()))
        );
    }

    #[test]
    fn every_file_is_read_once_by_name_and_what_a_shell_would_pass_over_is_not() {
        let (directory, pattern) = directory(&[
            ("b.txt", b"partner.ch"),
            ("a.txt", b""),
            (".#a.txt", b"an editor's lock, no indicator"),
            ("a.txt~", b"rubbish"),
        ]);
        let one = directory.path().join("b.txt").display().to_string();
        let files = read_allow_files(&[one, pattern]).unwrap();
        let names: Vec<_> = files.iter().map(|file| file.path.file_name()).collect();
        assert_eq!(names, [Some("a.txt".as_ref()), Some("b.txt".as_ref())]);
    }

    #[test]
    fn a_pattern_without_a_match_is_fine_and_a_missing_name_is_not() {
        let (directory, pattern) = directory(&[]);
        let absent = directory.path().join("absent");
        let in_absent = absent.join("*.txt").display().to_string();
        assert_eq!(read_allow_files(&[pattern, in_absent]).unwrap(), []);
        let faults = faults_of(&[absent.display().to_string()]);
        let expected = format!("the allowlist {} cannot be read: ", absent.display());
        assert!(
            faults.len() == 1 && faults[0].starts_with(&expected),
            "{faults:?}"
        );
    }

    #[test]
    fn every_fault_of_every_file_is_told_with_its_line() {
        let (directory, pattern) = directory(&[
            (
                "a.txt",
                b"45.155.205.7\n45.155.205.7:443\n\xff\xfe\nco.uk\n",
            ),
            ("b.txt", b"1.2.3.4/33 # too long\n5.6.7.8"),
        ]);
        let at = |file: &str, line: u32| format!("{}/{file}:{line}", directory.path().display());
        assert_eq!(
            faults_of(&[pattern]),
            [
                format!(
                    "{}: \"45.155.205.7:443\" cannot be allowed: it looks like an address but is none",
                    at("a.txt", 2)
                ),
                format!("{}: the line is not UTF-8 text", at("a.txt", 3)),
                format!(
                    "{}: \"co.uk\" cannot be allowed: the domain is a public suffix, under which \
                     strangers register names",
                    at("a.txt", 4)
                ),
                format!(
                    "{}: \"1.2.3.4/33\" cannot be allowed: the prefix length is no number from 0 to 32",
                    at("b.txt", 1)
                ),
            ]
        );
    }

    #[test]
    fn a_file_of_something_else_is_given_up_after_twenty_faults() {
        let (_directory, pattern) = directory(&[("a.txt", "?\n".repeat(100).as_bytes())]);
        let faults = faults_of(&[pattern]);
        assert_eq!(faults.len(), MOST_FAULTS + 1);
        let expected = "a.txt has more bad lines than are told here; is it an allowlist?";
        assert!(faults[MOST_FAULTS].ends_with(expected), "{faults:?}");
    }

    #[test]
    fn text_of_a_file_reaches_no_terminal_as_it_is() {
        let (_directory, pattern) = directory(&[("a.txt", b"x\x1b[2Jy.de")]);
        let faults = faults_of(&[pattern]);
        assert!(faults[0].contains("\"x\\u{1b}[2Jy.de\""), "{faults:?}");
    }

    #[test]
    fn what_cannot_be_read_as_a_file_is_a_fault() {
        let (directory, pattern) = directory(&[("plain", b"")]);
        fs::create_dir(directory.path().join("sub.txt")).unwrap();
        std::os::unix::fs::symlink("nowhere", directory.path().join("gone.txt")).unwrap();
        let below_a_file = directory.path().join("plain/*.txt").display().to_string();
        let faults = faults_of(&[below_a_file, pattern, "/etc/[".to_owned()]);
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(faults[0].contains("/plain cannot be read: "), "{faults:?}");
        assert!(
            faults[1].starts_with("`/etc/[` under [guard] files is no pattern"),
            "{faults:?}"
        );
        assert!(
            faults[2].contains("/gone.txt cannot be read: "),
            "{faults:?}"
        );
        assert!(
            faults[3].ends_with("/sub.txt is no regular file"),
            "{faults:?}"
        );
    }

    #[test]
    fn a_file_of_the_largest_size_is_read_and_a_larger_one_is_not() {
        let (directory, pattern) = directory(&[]);
        let path = directory.path().join("big.txt");
        fs::write(&path, vec![b'\n'; 1 << 24]).unwrap();
        assert_eq!(
            read_allow_files(std::slice::from_ref(&pattern)).unwrap()[0].entries,
            []
        );
        fs::write(&path, vec![b'\n'; (1 << 24) + 1]).unwrap();
        assert!(faults_of(&[pattern])[0].ends_with("is larger than 16 MiB; is it one?"));
    }
}
