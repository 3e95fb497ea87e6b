//! What came of one attempt, before it is judged.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::lenient;
use crate::model::UnixTime;

/// Everything that can come of one attempt. Texts are the cloud's own or the system's, raw: escape them to show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The API says that it is done.
    Success,
    /// `Response.Error`, whatever the HTTP status (the API itself uses 200).
    Error {
        /// The HTTP status.
        status: u16,
        /// `Code`, such as `AuthFailure.SignatureExpire`.
        code: String,
        /// `Message`.
        message: String,
        /// Seconds that the answer's `Date` is ahead of the timestamp that we signed.
        ahead: Option<i64>,
    },
    /// `ReturnCode` other than 0, without an Error and with HTTP 200.
    ReturnCode {
        /// The code.
        code: i64,
        /// `ReturnMsg`.
        message: String,
    },
    /// A status other than 200 and no word of the API with it: a gateway, a proxy, or a wrong address.
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// HTTP 200, and a body that the call's answer cannot be read from.
    Garbled {
        /// What is wrong with it.
        why: String,
    },
    /// The request was sent, or may have been, and its answer did not come.
    NoAnswer {
        /// What happened instead.
        why: String,
    },
    /// Not a byte of the request was sent.
    NotSent {
        /// What was in the way.
        why: String,
    },
    /// The request is larger than the API takes, and was not sent.
    TooLarge {
        /// Its bytes.
        bytes: usize,
    },
    /// The request cannot be made at all, and was not sent.
    Unsendable {
        /// What is wrong with it.
        why: String,
    },
}

impl Answer {
    /// One word for the journal: the cloud's own code where there is one.
    #[must_use]
    pub fn code(&self) -> Cow<'_, str> {
        match self {
            Self::Success => "Success".into(),
            Self::Error { code, .. } => code.into(),
            Self::ReturnCode { code, .. } => format!("ReturnCode {code}").into(),
            Self::Status { status } => format!("HTTP {status}").into(),
            Self::Garbled { .. } => "Garbled".into(),
            Self::NoAnswer { .. } => "NoAnswer".into(),
            Self::NotSent { .. } => "NotSent".into(),
            Self::TooLarge { .. } => "TooLarge".into(),
            Self::Unsendable { .. } => "Unsendable".into(),
        }
    }

    /// A sentence for the journal, raw.
    #[must_use]
    pub fn message(&self) -> Cow<'_, str> {
        match self {
            Self::Success => "".into(),
            Self::Error { message, .. } | Self::ReturnCode { message, .. } => message.into(),
            Self::Status { status } => {
                format!("HTTP status {status} without an answer of the API").into()
            }
            Self::Garbled { why }
            | Self::NoAnswer { why }
            | Self::NotSent { why }
            | Self::Unsendable { why } => why.into(),
            Self::TooLarge { bytes } => {
                format!("the request has {bytes} bytes, and the API takes 10 MB").into()
            }
        }
    }
}

/// A response as it came over the wire.
#[derive(Debug)]
pub(super) struct Wire<'a> {
    pub(super) status: u16,
    pub(super) date: Option<UnixTime>,
    pub(super) body: &'a [u8],
}

/// What a response says.
#[derive(Debug)]
pub(super) struct Said<T> {
    pub(super) answer: Answer,
    pub(super) request_id: Option<String>,
    pub(super) body: Option<T>,
}

impl<T> Said<T> {
    /// A response that was longer than anything the API says.
    pub(super) fn too_long(status: u16) -> Self {
        Self::unread(status, || "the answer is too long to be the API's".into())
    }

    fn unread(status: u16, why: impl FnOnce() -> String) -> Self {
        let answer = match status {
            200 => Answer::Garbled { why: why() },
            _ => Answer::Status { status },
        };
        Self {
            answer,
            request_id: None,
            body: None,
        }
    }
}

/// Reads a response to a call that was signed for the moment `signed`.
pub(super) fn read<T: DeserializeOwned>(wire: &Wire<'_>, signed: UnixTime) -> Said<T> {
    let status = wire.status;
    let head = match serde_json::from_slice::<Envelope<Head>>(wire.body) {
        Ok(envelope) => envelope.response,
        Err(fault) => {
            return Said::unread(status, || format!("the answer is not the API's: {fault}"));
        }
    };
    let mut body = None;
    let answer = match (head.error, head.return_code) {
        (Some(Fault { code, message }), _) => Answer::Error {
            status,
            code,
            message,
            ahead: wire
                .date
                .map(|date| date.seconds().saturating_sub(signed.seconds())),
        },
        _ if status != 200 => Answer::Status { status },
        (None, Some(code)) if code != 0 => Answer::ReturnCode {
            code,
            message: head.return_message,
        },
        _ => match serde_json::from_slice::<Envelope<T>>(wire.body) {
            Ok(envelope) => {
                body = Some(envelope.response);
                Answer::Success
            }
            Err(fault) => Answer::Garbled {
                why: format!("the answer is not this call's: {fault}"),
            },
        },
    };
    Said {
        answer,
        request_id: head.request_id,
        body,
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(rename = "Response")]
    response: T,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "Error")]
    error: Option<Fault>,
    #[serde(rename = "ReturnCode", default, deserialize_with = "lenient::integer")]
    return_code: Option<i64>,
    #[serde(rename = "ReturnMsg", default, deserialize_with = "lenient::text")]
    return_message: String,
    #[serde(rename = "RequestId")]
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(rename = "Code")]
    code: String,
    #[serde(rename = "Message", default, deserialize_with = "lenient::text")]
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Ids {
        #[serde(rename = "Ids")]
        ids: Vec<u8>,
    }

    fn read_at(status: u16, body: &str) -> Said<Ids> {
        let wire = Wire {
            status,
            date: Some(UnixTime::from_seconds(1_000)),
            body: body.as_bytes(),
        };
        read(&wire, UnixTime::from_seconds(400))
    }

    #[test]
    fn success_is_told_from_both_failures_that_hide_in_200() {
        let said = read_at(
            200,
            r#"{"Response":{"Ids":[1],"ReturnCode":0,"RequestId":"r"}}"#,
        );
        assert_eq!(said.answer, Answer::Success);
        assert_eq!(said.body, Some(Ids { ids: vec![1] }));
        assert_eq!(said.request_id.as_deref(), Some("r"));

        let said = read_at(
            200,
            r#"{"Response":{"Error":{"Code":"LimitExceeded","Message":"full"},"ReturnCode":0,"RequestId":"r"}}"#,
        );
        let error = Answer::Error {
            status: 200,
            code: "LimitExceeded".into(),
            message: "full".into(),
            ahead: Some(600),
        };
        assert_eq!((said.answer, said.body), (error, None));
        assert_eq!(said.request_id.as_deref(), Some("r"));

        for code in ["-1", "\"-1\""] {
            let body = format!(
                r#"{{"Response":{{"Ids":[],"ReturnCode":{code},"ReturnMsg":"bad","RequestId":"r"}}}}"#
            );
            let said = read_at(200, &body);
            let refused = Answer::ReturnCode {
                code: -1,
                message: "bad".into(),
            };
            assert_eq!((said.answer, said.body), (refused, None));
        }
    }

    #[test]
    fn what_the_api_did_not_say_is_no_success() {
        for body in [
            "",
            "<html>",
            "{}",
            "[]",
            "null",
            r#"{"Response":null}"#,
            r#"{"Response":{}}"#,
            r#"{"Response":{"Ids":7}}"#,
            r#"{"Response":{"Ids":[],"ReturnCode":"fine"}}"#,
            r#"{"Response":{"Ids":[],"Error":{}}}"#,
            r#"{"Response":{"Ids":[]}"#,
        ] {
            let said = read_at(200, body);
            assert!(
                matches!(said.answer, Answer::Garbled { .. }),
                "{body}: {:?}",
                said.answer
            );
            assert_eq!(said.body, None);
        }
        for status in [204, 302, 404, 502] {
            for body in ["<html>", r#"{"Response":{"Ids":[],"ReturnCode":0}}"#] {
                assert_eq!(read_at(status, body).answer, Answer::Status { status });
            }
        }
    }
}
