//! TC3-HMAC-SHA256, checked from the vendor's description of it and sharing nothing with the half that signs.

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::civil::utc_date;

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const TERMINATOR: &str = "tc3_request";

/// The `Authorization` header, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    pub(super) secret_id: &'a str,
    pub(super) service: &'a str,
    date: &'a str,
    signed: &'a str,
    signature: Vec<u8>,
}

/// The parts of a request that its signature covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    pub(super) timestamp: i64,
}

impl<'a> Authorization<'a> {
    /// `TC3-HMAC-SHA256 Credential=ID/DATE/SERVICE/tc3_request, SignedHeaders=…, Signature=HEX`; `None` for any other
    /// shape, and where `content-type` and `host` are not both signed.
    pub(super) fn parse(header: &'a str) -> Option<Self> {
        let fields = header.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let mut fields = fields.split(',').map(str::trim);
        let credential = fields.next()?.strip_prefix("Credential=")?;
        let signed = fields.next()?.strip_prefix("SignedHeaders=")?;
        let signature = fields.next()?.strip_prefix("Signature=")?;
        let mut scope = credential.split('/');
        let (secret_id, date) = (scope.next()?, scope.next()?);
        let (service, end) = (scope.next()?, scope.next()?);
        let rest = fields.next().is_some() || scope.next().is_some() || end != TERMINATOR;
        let names = |name| signed.split(';').any(|part| part == name);
        if rest || secret_id.is_empty() || !names("content-type") || !names("host") {
            return None;
        }
        Some(Self {
            secret_id,
            service,
            date,
            signed,
            signature: hex::decode(signature).ok()?,
        })
    }

    /// Whether `key` made this signature over `request`, with the UTC date of its timestamp in the scope.
    pub(super) fn covers(&self, request: Signed<'_>, key: &SecretString) -> bool {
        self.date == utc_date(request.timestamp)
            && self
                .mac(request, key)
                .is_some_and(|mac| mac.verify_slice(&self.signature).is_ok())
    }

    fn mac(&self, request: Signed<'_>, key: &SecretString) -> Option<Hmac<Sha256>> {
        let text = format!(
            "{ALGORITHM}\n{}\n{}/{}/{TERMINATOR}\n{}",
            request.timestamp,
            self.date,
            self.service,
            hex::encode(Sha256::digest(self.canonical(request)?))
        );
        let first = format!("TC3{}", key.expose_secret());
        let signing_key = [self.date, self.service, TERMINATOR]
            .into_iter()
            .try_fold(first.into_bytes(), |key, part| {
                Some(mac(&key, part)?.finalize().into_bytes().to_vec())
            })?;
        mac(&signing_key, &text)
    }

    /// Names and values in lower case and trimmed, as the vendor says; the host as it came.
    fn canonical(&self, request: Signed<'_>) -> Option<String> {
        let mut headers = String::new();
        for name in self.signed.split(';') {
            let value = request.headers.get(name)?.to_str().ok()?;
            headers.push_str(&format!("{name}:{}\n", value.trim().to_ascii_lowercase()));
        }
        Some(format!(
            "{}\n{}\n{}\n{headers}\n{}\n{}",
            request.method,
            request.path,
            request.query,
            self.signed,
            hex::encode(Sha256::digest(request.body))
        ))
    }
}

fn mac(key: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

/// The header that signs `request` for `service`, for the simulator's own tests.
#[cfg(test)]
pub(super) fn sign(
    request: Signed<'_>,
    service: &str,
    secret_id: &str,
    key: &SecretString,
) -> String {
    let date = utc_date(request.timestamp);
    let unsigned = Authorization {
        secret_id,
        service,
        date: &date,
        signed: "content-type;host",
        signature: Vec::new(),
    };
    let signature = unsigned.mac(request, key).unwrap().finalize().into_bytes();
    format!(
        "{ALGORITHM} Credential={secret_id}/{date}/{service}/{TERMINATOR}, SignedHeaders=content-type;host, \
         Signature={}",
        hex::encode(signature)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str =
        r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        let typed = "application/json; charset=utf-8".parse().unwrap();
        headers.insert("content-type", typed);
        headers.insert("host", "cvm.tencentcloudapi.com".parse().unwrap());
        headers.insert("x-tc-action", "DescribeInstances".parse().unwrap());
        headers
    }

    fn request<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Signed<'a> {
        Signed {
            method: "POST",
            path: "/",
            query: "",
            headers,
            body,
            timestamp: 1_551_113_065,
        }
    }

    fn header(id: &str, signed: &str, signature: &str) -> String {
        format!(
            "TC3-HMAC-SHA256 Credential={id}/2019-02-25/cvm/tc3_request, SignedHeaders={signed}, Signature={signature}"
        )
    }

    fn vector_a() -> String {
        header(
            "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
            "content-type;host",
            "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
        )
    }

    #[test]
    fn both_published_vectors_hold() {
        let headers = headers();
        let a = vector_a();
        let key = SecretString::from("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE");
        let a = Authorization::parse(&a).unwrap();
        assert!(a.covers(request(&headers, BODY.as_bytes()), &key));

        let b = header(
            "AKIDmasked",
            "content-type;host;x-tc-action",
            "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f",
        );
        let key = SecretString::from("*".repeat(32));
        let b = Authorization::parse(&b).unwrap();
        assert!(b.covers(request(&headers, BODY.as_bytes()), &key));
    }

    #[test]
    fn whatever_is_changed_breaks_the_signature() {
        let good = headers();
        let mut moved = headers();
        moved.insert("host", "cvm.tencentcloudapi.com:8080".parse().unwrap());
        let mut bare = headers();
        bare.remove("content-type");
        let text = vector_a();
        let a = Authorization::parse(&text).unwrap();
        let key = SecretString::from("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE");
        let whole = request(&good, BODY.as_bytes());
        assert!(a.covers(whole, &key));
        for changed in [
            request(&moved, BODY.as_bytes()),
            request(&bare, BODY.as_bytes()),
            request(&good, b"{}"),
            Signed {
                method: "GET",
                ..whole
            },
            Signed {
                path: "/x",
                ..whole
            },
            Signed {
                query: "a=b",
                ..whole
            },
            Signed {
                timestamp: whole.timestamp + 1,
                ..whole
            },
            Signed {
                timestamp: whole.timestamp + 86_400,
                ..whole
            },
        ] {
            assert!(!a.covers(changed, &key), "{changed:?}");
        }
        assert!(!a.covers(whole, &SecretString::from("another-EXAMPLE")));
    }

    #[test]
    fn other_shapes_are_no_authorization() {
        let good = header("ID", "content-type;host", "00ff");
        assert!(Authorization::parse(&good).is_some());
        for bad in [
            String::new(),
            good.replace("TC3-HMAC-SHA256", "TC2-HMAC-SHA256"),
            good.replace("tc3_request", "tc4_request"),
            good.replace("cvm/", ""),
            good.replace("ID/", "/"),
            good.replace("00ff", "no-hex"),
            good.replace("content-type;host", "host"),
            good.replace("content-type;host", "content-type"),
            good.replace(", Signature=00ff", ""),
            format!("{good}, More=1"),
        ] {
            assert_eq!(Authorization::parse(&bad), None, "{bad}");
        }
    }
}
