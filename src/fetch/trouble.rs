//! What the HTTP library's errors mean. They are chains of wrappers, and only the innermost says what happened.

use std::error::Error;
use std::io;

use super::FetchError;
use super::address::Refusal;
use super::redact::plain;
use super::resolve::Unresolved;

const LONGEST: usize = 200;

/// An error before the answer's head had come: name, address, connection or TLS.
pub(super) fn before_the_answer(what: &str, error: &reqwest::Error) -> FetchError {
    let what = what.to_owned();
    if let Some(refusal) = find::<Refusal>(error) {
        return FetchError::Host {
            what,
            refusal: refusal.clone(),
        };
    }
    let reason = innermost(error);
    if find::<Unresolved>(error).is_some() {
        FetchError::Name { what, reason }
    } else if find::<rustls::Error>(error).is_some() {
        FetchError::Tls { what, reason }
    } else {
        FetchError::Connection { what, reason }
    }
}

/// Whether a connection ended before anything of an answer was understood: what its publisher closed at the moment when
/// it was asked again looks like this. Without an answer that is no HTTP, without trouble on the way to a connection.
pub(super) fn ended_unanswered(error: &reqwest::Error) -> bool {
    let by_hyper = find::<hyper::Error>(error);
    by_hyper.is_some_and(|fault| !fault.is_parse() && !fault.is_user() && !fault.is_timeout())
        && !error.is_connect()
        && !error.is_timeout()
}

/// What the last error in the chain says, fit for one line.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let last = chain(error).last().unwrap_or(error);
    plain(&last.to_string()).chars().take(LONGEST).collect()
}

/// The first error of a kind in the chain.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|link| link.downcast_ref())
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |link: &&'a (dyn Error + 'static)| {
        let link: &'a (dyn Error + 'static) = *link;
        // An io::Error has what it wraps as its text, and the wrapped error's source as its own.
        match link
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => link.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_io_error_wraps_is_found() {
        let inner = rustls::Error::DecryptError;
        let wrapped = io::Error::other(io::Error::other(inner));
        assert_eq!(
            find::<rustls::Error>(&wrapped),
            Some(&rustls::Error::DecryptError)
        );
        assert_eq!(innermost(&wrapped), rustls::Error::DecryptError.to_string());
        assert!(find::<Refusal>(&wrapped).is_none());
    }

    #[test]
    fn a_long_or_dirty_reason_is_cut_and_escaped() {
        let reason = innermost(&io::Error::other(format!("\u{1b}[31m{}", "x".repeat(500))));
        assert_eq!(reason.len(), LONGEST);
        assert!(reason.starts_with("\\u{1b}[31m"));
    }
}
