//! Zstandard, frame after frame. The decoder reads one frame and leaves its checksum for the caller to compare.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{UnpackError, trouble};

/// Reads all frames of `source` (RFC 8878).
pub(super) struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    /// A frame has been begun whose checksum has not been compared.
    open: bool,
}

impl<R: BufRead> Frames<R> {
    /// Refuses frames that need a window larger than `window` bytes to be unpacked.
    pub(super) fn new(source: R, window: u64) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(window);
        Self {
            source,
            decoder,
            open: false,
        }
    }

    /// Begins the next frame; `false` at the end.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => {
                    self.open = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => self.skip(length.into())?,
                Err(error) => return Err(told(error)),
            }
        }
        Ok(false)
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
        if skipped < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.open = false;
        let written = self.decoder.get_checksum_from_data();
        if written.is_some() && written != self.decoder.get_calculated_checksum() {
            return Err(io::Error::other("the checksum does not match"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if self.open && self.decoder.can_collect() > 0 {
                return self.decoder.read(into);
            }
            if self.open && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(told)?;
                continue;
            }
            if self.open {
                self.close()?;
            }
            if !self.begin()? {
                return Ok(0);
            }
        }
    }
}

/// The reader's own error where there is one inside; the decoder wraps it.
fn told(error: FrameDecoderError) -> io::Error {
    if matches!(error, FrameDecoderError::WindowSizeTooBig { .. }) {
        return io::ErrorKind::OutOfMemory.into();
    }
    if let Some(below) = trouble::find::<UnpackError>(&error) {
        return below.clone().into();
    }
    match trouble::find::<io::Error>(&error) {
        Some(below) => match below.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => below.kind().into(),
        },
        None => io::Error::other(error.to_string()),
    }
}
