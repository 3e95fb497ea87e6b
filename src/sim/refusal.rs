//! What the cloud says when it refuses a call: a documented code and a sentence.

use std::borrow::Cow;

/// `Response.Error` of the vendor's API 3.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Cow<'static, str>,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameter", message)
    }

    pub(super) fn unknown(name: &str) -> Self {
        Self::new(
            "UnknownParameter",
            format!("The parameter `{name}` is not recognized."),
        )
    }

    pub(super) fn missing(name: &str) -> Self {
        Self::new(
            "MissingParameter",
            format!("The request is missing a required parameter `{name}`."),
        )
    }

    pub(super) fn wrong_type(name: &str, wanted: &str) -> Self {
        Self::invalid(format!(
            "The value type of parameter `{name}` is not {wanted}."
        ))
    }

    pub(super) fn too_often(times: usize, limit: u32) -> Self {
        Self::new(
            "RequestLimitExceeded",
            format!(
                "Your current request times equals to `{times}` in a second, which exceeds the frequency limit \
                 `{limit}` for a second. Please reduce the frequency of calls."
            ),
        )
    }

    pub(super) fn full() -> Self {
        Self::new("LimitExceeded", "The quota limit has been reached.")
    }

    /// An error that a fault rule asks for, in the words that the vendor has for its code.
    pub(super) fn injected(code: &str, message: Option<&str>) -> Self {
        let message = message.unwrap_or(match code {
            "RequestLimitExceeded" => return Self::too_often(21, 20),
            "LimitExceeded" => return Self::full(),
            "InternalError" => "An internal error has occurred. Retry your request.",
            "FailedOperation" => "Operation failed.",
            "ServiceUnavailable" => "The service is temporarily unavailable.",
            "UnauthorizedOperation" => "You are not authorized to perform this operation.",
            _ => "The simulator was told to refuse this call.",
        });
        Self::new(code.to_owned(), message)
    }
}
