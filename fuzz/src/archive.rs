//! Unpacking, held to its bounds.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use feedwall::fetch::{Body, Limits, UnpackError, Validators};

const LIMIT: u64 = 1 << 20;

thread_local! {
    static SPOOL: RefCell<File> = RefCell::new(tempfile::tempfile().unwrap());
}

pub fn check(data: &[u8]) {
    SPOOL.with_borrow_mut(|spool| {
        spool.set_len(0).unwrap();
        spool.seek(SeekFrom::Start(0)).unwrap();
        spool.write_all(data).unwrap();
        unpack(spool, data);
    });
}

fn unpack(spool: &File, data: &[u8]) {
    let body = Body {
        file: spool.try_clone().unwrap(),
        stored: data.len() as u64,
        sha256: [0; 32],
        validators: Validators::default(),
        ends_surely: true,
        moved_to: None,
        additions: false,
        notes: Vec::new(),
    };
    for member in [None, Some("*.txt".to_owned())] {
        let limits = Limits {
            unpacked: LIMIT,
            member,
            ..Limits::default()
        };
        let mut plain = Vec::new();
        let read = body
            .reader(&limits)
            .and_then(|mut reader| reader.read_to_end(&mut plain));
        let most = LIMIT.max(data.len() as u64);
        assert!(plain.len() as u64 <= most, "{} bytes", plain.len());
        if let Err(error) = read {
            let inner = error.get_ref();
            let told = inner.is_some_and(|inner| inner.is::<UnpackError>());
            assert!(told, "{error:?}");
            assert!(!error.to_string().is_empty());
        }
    }
}
