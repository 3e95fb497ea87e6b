//! One member of a zip archive. The directory is walked, not kept, so that an archive of a million names costs no memory.

use std::fs::File;
use std::io::{self, BufReader, Read};

use flate2::bufread::DeflateDecoder;
use glob::Pattern;
use rawzip::{
    CompressionMethod, FileReader, RECOMMENDED_BUFFER_SIZE, RangeReader, ZipArchive,
    ZipArchiveEntryWayfinder,
};

use super::UnpackError;
use super::redact::plain;

const NAME: &str = "zip";

/// Members looked at. No publisher packs more files around a list.
const MOST_MEMBERS: usize = 10_000;

/// Names given in an error.
const NAMES_TOLD: usize = 5;

/// The only member of the archive in `file`, or the only one that `wanted` (a name or a glob) matches.
pub(super) fn member(file: &File, wanted: Option<&str>) -> io::Result<Box<dyn Read + Send>> {
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file.try_clone()?, &mut buffer).map_err(broken)?;
    let found = find(&archive, &mut buffer, wanted)?;
    let entry = archive.get_entry(found.place).map_err(broken)?;
    let (start, end) = entry.compressed_data_range();
    let packed = RangeReader::new(FileReader::from(file.try_clone()?), start..end.max(start));
    let packed: Box<dyn Read + Send> = match found.method {
        CompressionMethod::STORE => Box::new(packed),
        CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(BufReader::new(packed))),
        method => {
            return Err(UnpackError::Method {
                member: found.name,
                method: method.to_string(),
            }
            .into());
        }
    };
    Ok(Box::new(entry.verifying_reader(packed)))
}

struct Found {
    name: String,
    place: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    encrypted: bool,
}

fn find(
    archive: &ZipArchive<FileReader>,
    buffer: &mut [u8],
    wanted: Option<&str>,
) -> io::Result<Found> {
    let wanted = wanted.map(pattern).transpose()?;
    let mut found: Vec<Found> = Vec::new();
    let mut matching = 0usize;
    let mut others = Vec::new();
    let mut entries = archive.entries(buffer);
    for _ in 0..=MOST_MEMBERS {
        let Some(entry) = entries.next_entry().map_err(broken)? else {
            return the_only_one(found, matching, others);
        };
        let name = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
        // macOS adds a shadow of each file under this name.
        if entry.is_dir() || name.starts_with("__MACOSX/") {
            continue;
        }
        let shown: String = plain(&name).chars().take(100).collect();
        if wanted.as_ref().is_some_and(|wanted| !wanted.matches(&name)) {
            others.extend((others.len() < NAMES_TOLD).then_some(shown));
            continue;
        }
        matching += 1;
        if found.len() < NAMES_TOLD {
            found.push(Found {
                name: shown,
                place: entry.wayfinder(),
                method: entry.compression_method(),
                encrypted: entry.flags().is_encrypted(),
            });
        }
    }
    Err(UnpackError::Broken {
        packing: NAME,
        reason: format!("it has more than {MOST_MEMBERS} members"),
    }
    .into())
}

fn the_only_one(mut found: Vec<Found>, matching: usize, others: Vec<String>) -> io::Result<Found> {
    let names = match matching {
        0 => others,
        _ => found.iter().map(|member| member.name.clone()).collect(),
    };
    match found.pop() {
        Some(member) if matching == 1 && member.encrypted => Err(UnpackError::Encrypted {
            member: member.name,
        }
        .into()),
        Some(member) if matching == 1 => Ok(member),
        _ => Err(UnpackError::Members { matching, names }.into()),
    }
}

fn pattern(wanted: &str) -> io::Result<Pattern> {
    Pattern::new(wanted).map_err(|error| {
        let reason = error.to_string();
        UnpackError::Pattern { reason }.into()
    })
}

fn broken(error: rawzip::Error) -> io::Error {
    let reason = plain(&error.to_string()).into_owned();
    UnpackError::Broken {
        packing: NAME,
        reason,
    }
    .into()
}
