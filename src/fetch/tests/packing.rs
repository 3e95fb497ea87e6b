//! Bodies packed in every way that is known, whole, broken and hostile.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use proptest::prelude::*;
use rawzip::{CompressionMethod, ZipArchiveWriter};

use super::*;
use crate::fetch::spool::Spool;

const LIST: &[u8] = b"198.51.100.1\n198.51.100.2\n";

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(0);
    let mut packer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    zip_with(members, CompressionMethod::DEFLATE)
}

fn zip_with(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut archive = ZipArchiveWriter::new(&mut packed);
    for (name, bytes) in members {
        let (mut entry, config) = archive
            .new_file(name)
            .compression_method(method)
            .start()
            .unwrap();
        let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::fast()));
        writer.write_all(bytes).unwrap();
        let (packer, descriptor) = writer.finish().unwrap();
        packer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    packed
}

/// Reads `bytes` as a body, with a cap of 1 MiB.
fn unpacked(bytes: &[u8], member: Option<&str>) -> io::Result<Vec<u8>> {
    let mut spool = Spool::create(&std::env::temp_dir(), u64::MAX).unwrap();
    spool.push(bytes).unwrap();
    let limits = Limits {
        unpacked: 1 << 20,
        member: member.map(str::to_owned),
        ..limits()
    };
    let mut plain = Vec::new();
    Body::new(spool.finish())
        .reader(&limits)?
        .read_to_end(&mut plain)?;
    Ok(plain)
}

fn fault(bytes: &[u8], member: Option<&str>) -> String {
    let error = unpacked(bytes, member).unwrap_err();
    assert!(
        error
            .get_ref()
            .is_some_and(|inner| inner.is::<UnpackError>()),
        "{error}"
    );
    error.to_string()
}

type Pack = fn(&[u8]) -> Vec<u8>;

/// Every packing that can stand inside another.
const STREAMS: [Pack; 4] = [gzip, bzip2, xz, zstd];

#[test]
fn every_packing_comes_off_once_and_twice() {
    assert_eq!(unpacked(LIST, None).unwrap(), LIST);
    assert_eq!(unpacked(b"", None).unwrap(), b"");
    for pack in STREAMS {
        assert_eq!(unpacked(&pack(LIST), None).unwrap(), LIST);
        assert_eq!(unpacked(&pack(b""), None).unwrap(), b"");
        assert_eq!(unpacked(&gzip(&pack(LIST)), None).unwrap(), LIST);
        assert_eq!(
            unpacked(&zip(&[("list", &pack(LIST))]), None).unwrap(),
            LIST
        );
        let parts = [pack(b"198.51.100.1\n"), pack(b"198.51.100.2\n")].concat();
        assert_eq!(unpacked(&parts, None).unwrap(), LIST, "one after the other");
    }
    assert_eq!(unpacked(&zip(&[("list.txt", LIST)]), None).unwrap(), LIST);
}

#[test]
fn text_that_begins_like_an_archive_is_text() {
    for text in [
        &b"BZh91.example.net\n"[..],
        b"PK.example.net\n",
        b"\x1f\x8b",
        b"BZh",
    ] {
        assert_eq!(unpacked(text, None).unwrap(), text);
    }
}

#[test]
fn a_body_that_is_cut_or_broken_is_an_error_at_every_place() {
    let text: Vec<u8> = (0..2_000u32)
        .flat_map(|n| format!("198.51.100.{n}\n").into_bytes())
        .collect();
    let mut packings: Vec<Vec<u8>> = STREAMS.iter().map(|pack| pack(&text)).collect();
    packings.push(zip(&[("list", &text)]));
    for whole in packings {
        for keep in (12..whole.len()).step_by(whole.len() / 40 + 1) {
            let error = fault(&whole[..keep], None);
            assert!(
                error.contains("cut short") || error.contains("broken"),
                "{error}"
            );
        }
        // Flipping a bit may hurt nothing that is read; what it must not do is change the list.
        for place in (12..whole.len()).step_by(whole.len() / 40 + 1) {
            let mut wrong = whole.clone();
            wrong[place] ^= 0x10;
            if let Ok(plain) = unpacked(&wrong, None) {
                assert!(
                    plain == text,
                    "a changed list, byte {place} of {:?}",
                    &whole[..4]
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn no_damage_makes_an_unpacker_panic(
        kind in 0usize..5,
        wounds in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        keep in any::<proptest::sample::Index>(),
    ) {
        let text: Vec<u8> = (0..300u32).flat_map(|n| format!("198.51.100.{n}\n").into_bytes()).collect();
        let mut bytes = match STREAMS.get(kind) {
            Some(pack) => pack(&text),
            None => zip(&[("list", &text)]),
        };
        for (place, byte) in wounds {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(keep.index(2 * bytes.len()));
        let _ = unpacked(&bytes, None);
    }
}

#[test]
fn garbage_after_a_packed_body_is_an_error() {
    for pack in STREAMS {
        let error = fault(&[&pack(LIST)[..], b"<!DOCTYPE html><html>"].concat(), None);
        assert!(error.contains("broken"), "{error}");
    }
}

#[test]
fn archives_in_archives_in_archives_are_refused() {
    assert!(fault(&gzip(&gzip(&gzip(LIST))), None).contains("more than 2 times over"));
    assert!(fault(&gzip(&zip(&[("a", LIST)])), None).contains("inside another archive"));
}

#[test]
fn a_bomb_ends_in_an_error_and_not_in_a_shorter_list() {
    let zeros = vec![0; 2 << 20];
    let mut bombs: Vec<Vec<u8>> = STREAMS.iter().map(|pack| pack(&zeros)).collect();
    bombs.push(zip(&[("zeros", &zeros)]));
    bombs.push(gzip(&gzip(&zeros)));
    // Members that hold nothing: the outer layer is long, the inner one empty.
    bombs.push(gzip(&gzip(b"").repeat(100_000)));
    for bomb in bombs {
        let error = fault(&bomb, None);
        assert!(error.contains("unpacks to more than 1 MiB"), "{error}");
    }
}

#[test]
fn a_window_larger_than_the_memory_for_it_is_refused() {
    // A zstd frame's head that asks for a window of 1 GiB (RFC 8878, section 3.1.1.1.2).
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0, 20 << 3, 1, 0, 0, 0, 0, 0];
    assert!(fault(&zstd, None).contains("more than 64 MiB of memory"));
    let mut options = lzma_rust2::XzOptions::with_preset(0);
    options.lzma_options.dict_size = 256 << 20;
    let mut packer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    packer.write_all(LIST).unwrap();
    let packed = packer.finish().unwrap();
    assert!(fault(&packed, None).contains("more than 64 MiB of memory"));
}

#[test]
fn one_member_of_a_zip_archive_is_read() {
    let members: [(&str, &[u8]); 4] = [
        ("README.md", b"read me"),
        ("lists/block.txt", LIST),
        ("__MACOSX/lists/block.txt", b"shadow"),
        ("lists/allow.txt", b"192.0.2.1\n"),
    ];
    let archive = zip(&members);
    assert_eq!(unpacked(&archive, Some("lists/block.txt")).unwrap(), LIST);
    assert_eq!(unpacked(&archive, Some("*/bl*.txt")).unwrap(), LIST);
    assert_eq!(unpacked(&zip(&members[1..3]), None).unwrap(), LIST);
    let table = [
        (
            None,
            "3 members of the zip archive could be meant (README.md, lists/block.txt, lists/allow.txt)",
        ),
        (
            Some("lists/*"),
            "2 members of the zip archive could be meant (lists/block.txt, lists/allow.txt)",
        ),
        (
            Some("nothing"),
            "no member of the zip archive is the one asked for (it has README.md,",
        ),
        (Some("[a"), "not a valid glob"),
    ];
    for (member, part) in table {
        let error = fault(&archive, member);
        assert!(error.contains(part), "{error}");
    }
    assert!(fault(&zip(&[]), None).contains("the zip archive is empty"));
}

#[test]
fn zip_members_that_cannot_be_read_say_why() {
    let lzma = zip_with(&[("list.txt", LIST)], CompressionMethod::LZMA);
    assert!(
        fault(&lzma, None).contains("list.txt is packed with"),
        "{}",
        fault(&lzma, None)
    );
    let mut encrypted = zip(&[("list.txt", LIST)]);
    // Bit 0 of the flags in the central directory (APPNOTE 4.4.4).
    let directory = encrypted
        .windows(4)
        .position(|mark| mark == b"PK\x01\x02")
        .unwrap();
    encrypted[directory + 8] |= 1;
    assert!(fault(&encrypted, None).contains("list.txt is encrypted"));
    let many: Vec<(String, &[u8])> = (0..10_001).map(|n| (n.to_string(), &b""[..])).collect();
    let many: Vec<(&str, &[u8])> = many
        .iter()
        .map(|(name, bytes)| (name.as_str(), *bytes))
        .collect();
    assert!(fault(&zip(&many), None).contains("more than 10000 members"));
}
