//! What an answer that is no success means for the operator: a sentence, and what to do where there is
//! something to do.

use url::Url;

use crate::cloud::{Answer, Keys, Verdict};

/// Tells what `endpoint` answered to a call that was signed with `keys`. The cloud's own words are raw.
#[must_use]
pub fn sentence(answer: &Answer, endpoint: &Url, keys: &Keys) -> String {
    let (code, message) = (answer.code(), answer.message());
    let stop = answer.verdict() == Verdict::Stop;
    match answer {
        Answer::NotSent { why } => format!(
            "{endpoint} cannot be reached ({why}): check the firewall's `endpoint` and this machine's network"
        ),
        Answer::Garbled { why } => {
            format!(
                "what answers at {endpoint} is not the API ({why}): check the firewall's `endpoint`"
            )
        }
        Answer::Status { status } if stop => format!(
            "what answers at {endpoint} is not the API (HTTP status {status}): check the firewall's `endpoint`"
        ),
        Answer::Error { code, .. } if stop && is_about_keys(code) => format!(
            "{code}: {message} (the keys are from {}: check them, and what their account may call)",
            keys.source
        ),
        _ if message.is_empty() => code.into_owned(),
        _ => format!("{code}: {message}"),
    }
}

fn is_about_keys(code: &str) -> bool {
    ["AuthFailure", "UnauthorizedOperation"]
        .iter()
        .any(|family| code.split('.').next() == Some(family))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn said(answer: &Answer) -> String {
        let keys = Keys {
            secret_id: "AKIDexample".to_owned(),
            secret_key: SecretString::from("not-a-secret"),
            token: None,
            expires: None,
            source: "environment TEST_SECRET_ID".to_owned(),
        };
        let endpoint = Url::parse("https://cfw.example.net").unwrap();
        sentence(answer, &endpoint, &keys)
    }

    fn error(code: &str) -> Answer {
        Answer::Error {
            status: 200,
            code: code.to_owned(),
            message: "no".to_owned(),
            ahead: None,
        }
    }

    #[test]
    fn what_a_person_can_mend_is_said_with_what_to_do() {
        let why = "connection refused".to_owned();
        for (answer, words) in [
            (
                Answer::NotSent { why: why.clone() },
                "https://cfw.example.net/ cannot be reached (connection refused): check",
            ),
            (
                Answer::Garbled { why },
                "what answers at https://cfw.example.net/ is not the API",
            ),
            (
                Answer::Status { status: 404 },
                "is not the API (HTTP status 404): check",
            ),
            (
                error("AuthFailure.SignatureFailure"),
                "keys are from environment TEST_SECRET_ID: check",
            ),
            (
                error("UnauthorizedOperation.CamNoAuth"),
                "what their account may call",
            ),
        ] {
            let said = said(&answer);
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn the_rest_is_the_cloud_s_own_word() {
        assert_eq!(
            said(&error("AuthFailure.TokenFailure")),
            "AuthFailure.TokenFailure: no"
        );
        assert_eq!(said(&error("InternalError")), "InternalError: no");
        assert_eq!(
            said(&Answer::Status { status: 503 }),
            "HTTP 503: HTTP status 503 without an answer of the API"
        );
    }
}
