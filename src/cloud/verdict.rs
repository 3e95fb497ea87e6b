//! What an answer means: the one place where that is decided.
//!
//! The table is the vendor's list of common error codes (<https://www.tencentcloud.com/document/product/1278/46716>),
//! the codes of the calls that this program makes, and what HTTP itself can say.

use super::answer::Answer;

/// What to do after an attempt. How often is the caller's to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Applied,
    /// Try the same again later, with backoff and jitter.
    Retry(Retry),
    /// The call is too large: send the same in smaller calls. No entry is at fault.
    Split,
    /// The cloud will not have this content. Find the entry that is at fault and quarantine it; the rest goes on.
    Refused,
    /// The list is full: deletes first, then admission decides what stays.
    Full,
    /// Fetch the credentials again and try once more; a second time it is [`Stop`](Self::Stop).
    Reauthenticate,
    /// Our clock is off. Sign again once, with `ahead` added to the wall clock, and warn; a second time it is
    /// [`Stop`](Self::Stop).
    Resign {
        /// Seconds that the cloud's clock is ahead of the timestamp that was sent.
        ahead: i64,
    },
    /// Nothing that is sent to this firewall will help: say why, loudly, and try again every few minutes, with
    /// credentials fetched anew. Nothing is lost.
    Stop,
    /// Sent, and nobody knows whether it was applied: read the list, or send again where that is harmless.
    Unknown,
}

/// Why and how to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It was not done: the cloud was not reached, or is busy.
    Later,
    /// It was not done because calls came too fast: slow the sender as well.
    Slower {
        /// The calls a second that the message names as the limit.
        limit: Option<u32>,
    },
    /// The cloud failed on its own side, perhaps after doing it: a call that is not harmless twice is read back first.
    Failed,
    /// A code that says nothing. Three tries, then as if [`Refused`](Verdict::Refused); perhaps it was done in part.
    ThenRefused,
}

impl Verdict {
    /// Whether the call may have had an effect, so that what is not harmless twice must be read back first.
    #[must_use]
    pub fn may_have_been_applied(self) -> bool {
        match self {
            Self::Applied | Self::Unknown | Self::Retry(Retry::Failed | Retry::ThenRefused) => true,
            Self::Retry(Retry::Later | Retry::Slower { .. })
            | Self::Split
            | Self::Refused
            | Self::Full
            | Self::Reauthenticate
            | Self::Resign { .. }
            | Self::Stop => false,
        }
    }
}

impl Answer {
    /// What this answer means.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Success => Verdict::Applied,
            // A status that tells of trouble on the way goes before a code that came with it.
            Self::Error {
                status, message, ..
            } if is_trouble(*status) => of_status(*status, message),
            Self::Error {
                code,
                message,
                ahead,
                ..
            } => of_code(code, message, *ahead),
            Self::ReturnCode { .. } => Verdict::Refused,
            Self::Status { status } => of_status(*status, ""),
            Self::Garbled { .. } | Self::NoAnswer { .. } => Verdict::Unknown,
            Self::NotSent { .. } => Verdict::Retry(Retry::Later),
            Self::TooLarge { .. } => Verdict::Split,
            Self::Unsendable { .. } => Verdict::Stop,
        }
    }
}

fn is_trouble(status: u16) -> bool {
    matches!(status, 429 | 500..)
}

fn of_status(status: u16, message: &str) -> Verdict {
    match status {
        429 => Verdict::Retry(Retry::Slower {
            limit: rate_limit(message),
        }),
        // The server gave up waiting for a request that it never had whole.
        408 => Verdict::Retry(Retry::Later),
        413 => Verdict::Split,
        500.. => Verdict::Retry(Retry::Failed),
        // Another success than 200 is none that the API has.
        200..=299 => Verdict::Unknown,
        // Whatever answers there, it is not the API.
        _ => Verdict::Stop,
    }
}

fn of_code(code: &str, message: &str, ahead: Option<i64>) -> Verdict {
    let family = code.split_once('.').map_or(code, |(family, _)| family);
    match (family, code) {
        (_, "AuthFailure.SignatureExpire") => {
            ahead.map_or(Verdict::Stop, |ahead| Verdict::Resign { ahead })
        }
        (_, "AuthFailure.TokenFailure") => Verdict::Reauthenticate,
        (
            "AuthFailure"
            | "UnauthorizedOperation"
            | "NoSuchProduct"
            | "NoSuchVersion"
            | "InvalidAction"
            | "ActionOffline"
            | "UnsupportedRegion"
            | "UnsupportedProtocol"
            | "IpInBlacklist"
            | "IpNotInWhitelist",
            _,
        ) => Verdict::Stop,
        ("RequestLimitExceeded", _) => Verdict::Retry(Retry::Slower {
            limit: rate_limit(message),
        }),
        ("ServiceUnavailable" | "ResourceInUse" | "ResourceUnavailable", _) => {
            Verdict::Retry(Retry::Later)
        }
        ("InternalError", _) => Verdict::Retry(Retry::Failed),
        ("RequestSizeLimitExceeded" | "ResponseSizeLimitExceeded", _) => Verdict::Split,
        // A proxy that is being deployed takes no rules just now.
        (
            _,
            "OperationDenied.L4ProxyInProcessStatus"
            | "OperationDenied.L4ProxyInProgressStatus"
            | "OperationDenied.L4StatusNotInOnline",
        ) => Verdict::Retry(Retry::Later),
        (
            "InvalidParameter"
            | "InvalidParameterValue"
            | "MissingParameter"
            | "UnknownParameter"
            | "OperationDenied"
            | "ResourceNotFound",
            _,
        ) => Verdict::Refused,
        ("LimitExceeded", _) => Verdict::Full,
        // FailedOperation, and what the vendor has not thought of yet.
        _ => Verdict::Retry(Retry::ThenRefused),
    }
}

/// The limit that a rate message names: "… which exceeds the frequency limit `20` for a second …".
fn rate_limit(message: &str) -> Option<u32> {
    let (_, after) = message.split_once("limit `")?;
    let (number, _) = after.split_once('`')?;
    number.trim().parse().ok().filter(|limit| *limit > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, code: &str, message: &str, ahead: Option<i64>) -> Verdict {
        let (code, message) = (code.into(), message.into());
        Answer::Error {
            status,
            code,
            message,
            ahead,
        }
        .verdict()
    }

    #[test]
    fn every_known_code_has_its_verdict() {
        let slower = Verdict::Retry(Retry::Slower { limit: None });
        let later = Verdict::Retry(Retry::Later);
        let failed = Verdict::Retry(Retry::Failed);
        let then_refused = Verdict::Retry(Retry::ThenRefused);
        let table: &[(Verdict, &[&str])] = &[
            (
                slower,
                &[
                    "RequestLimitExceeded",
                    "RequestLimitExceeded.UinLimitExceeded",
                    "RequestLimitExceeded.IPLimitExceeded",
                    "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
                ],
            ),
            (
                later,
                &[
                    "ServiceUnavailable",
                    "ResourceInUse",
                    "ResourceUnavailable",
                    "OperationDenied.L4ProxyInProcessStatus",
                    "OperationDenied.L4ProxyInProgressStatus",
                    "OperationDenied.L4StatusNotInOnline",
                ],
            ),
            (failed, &["InternalError", "InternalError.DbError"]),
            (
                then_refused,
                &[
                    "FailedOperation",
                    "FailedOperation.Anything",
                    "ResourceInsufficient",
                    "UnsupportedOperation",
                    "NeverHeardOf",
                    "invalidparameter",
                    "InvalidParameterX",
                    "",
                ],
            ),
            (Verdict::Reauthenticate, &["AuthFailure.TokenFailure"]),
            (
                Verdict::Stop,
                &[
                    // Without a Date there is nothing to learn from.
                    "AuthFailure.SignatureExpire",
                    "AuthFailure",
                    "AuthFailure.InvalidAuthorization",
                    "AuthFailure.InvalidSecretId",
                    "AuthFailure.MFAFailure",
                    "AuthFailure.SecretIdNotFound",
                    "AuthFailure.SignatureFailure",
                    "AuthFailure.UnauthorizedOperation",
                    "UnauthorizedOperation",
                    "UnauthorizedOperation.CamNoAuth",
                    "NoSuchProduct",
                    "NoSuchVersion",
                    "InvalidAction",
                    "ActionOffline",
                    "UnsupportedRegion",
                    "UnsupportedProtocol",
                    "IpInBlacklist",
                    "IpNotInWhitelist",
                ],
            ),
            (
                Verdict::Split,
                &["RequestSizeLimitExceeded", "ResponseSizeLimitExceeded"],
            ),
            (
                Verdict::Refused,
                &[
                    "InvalidParameter",
                    "InvalidParameter.InvalidOriginIp",
                    "InvalidParameter.InvalidOriginValue",
                    "InvalidParameter.RulePortDuplicating",
                    "InvalidParameterValue",
                    "InvalidParameterValue.Malformed",
                    "MissingParameter",
                    "UnknownParameter",
                    "OperationDenied",
                    "OperationDenied.L4PortLackOfResources",
                    "ResourceNotFound",
                ],
            ),
            (
                Verdict::Full,
                &["LimitExceeded", "LimitExceeded.ProxyRulesLimitExceeded"],
            ),
        ];
        for (verdict, codes) in table {
            for code in *codes {
                assert_eq!(error(200, code, "", None), *verdict, "{code}");
            }
        }
    }

    #[test]
    fn a_clock_that_is_off_is_signed_again_by_the_cloud_s() {
        assert_eq!(
            error(200, "AuthFailure.SignatureExpire", "", Some(-3_600)),
            Verdict::Resign { ahead: -3_600 }
        );
    }

    #[test]
    fn the_limit_is_read_out_of_the_message() {
        let message = "Your current request times equals to `21` in a second, which exceeds the frequency limit `20` \
                       for a second. Please reduce the frequency of calls.";
        let slower = |limit| Verdict::Retry(Retry::Slower { limit });
        for (message, limit) in [
            (message, Some(20)),
            ("the frequency limit `0` for a second", None),
            ("the frequency limit `many` for a second", None),
            ("the frequency limit `99999999999` for a second", None),
            ("the frequency limit `5", None),
            ("slow down", None),
        ] {
            assert_eq!(
                error(200, "RequestLimitExceeded", message, None),
                slower(limit)
            );
            assert_eq!(error(429, "Whatever", message, None), slower(limit));
        }
    }

    #[test]
    fn what_http_and_the_network_say() {
        let later = Verdict::Retry(Retry::Later);
        let failed = Verdict::Retry(Retry::Failed);
        let status = |status| Answer::Status { status }.verdict();
        for (code, verdict) in [
            (204, Verdict::Unknown),
            (302, Verdict::Stop),
            (403, Verdict::Stop),
            (404, Verdict::Stop),
            (408, later),
            (413, Verdict::Split),
            (429, Verdict::Retry(Retry::Slower { limit: None })),
            (500, failed),
            (502, failed),
            (503, failed),
            (504, failed),
            (599, failed),
        ] {
            assert_eq!(status(code), verdict, "{code}");
        }
        assert_eq!(error(503, "InvalidParameter", "", None), failed);
        assert_eq!(error(400, "InvalidParameter", "", None), Verdict::Refused);

        let why = String::new();
        for (answer, verdict) in [
            (Answer::Success, Verdict::Applied),
            (
                Answer::ReturnCode {
                    code: -1,
                    message: String::new(),
                },
                Verdict::Refused,
            ),
            (Answer::Garbled { why: why.clone() }, Verdict::Unknown),
            (Answer::NoAnswer { why: why.clone() }, Verdict::Unknown),
            (Answer::NotSent { why: why.clone() }, later),
            (Answer::TooLarge { bytes: 0 }, Verdict::Split),
            (Answer::Unsendable { why }, Verdict::Stop),
        ] {
            assert_eq!(answer.verdict(), verdict, "{answer:?}");
        }
    }

    #[test]
    fn only_what_surely_did_nothing_counts_as_not_applied() {
        for (verdict, perhaps) in [
            (Verdict::Applied, true),
            (Verdict::Unknown, true),
            (Verdict::Retry(Retry::Failed), true),
            (Verdict::Retry(Retry::ThenRefused), true),
            (Verdict::Retry(Retry::Later), false),
            (Verdict::Retry(Retry::Slower { limit: None }), false),
            (Verdict::Refused, false),
            (Verdict::Full, false),
            (Verdict::Stop, false),
        ] {
            assert_eq!(verdict.may_have_been_applied(), perhaps, "{verdict:?}");
        }
    }
}
