//! TC3-HMAC-SHA256, the signature of the vendor's API 3.0
//! (<https://www.tencentcloud.com/document/product/1278/46716>).

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use jiff::tz::Offset;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::model::UnixTime;

const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// What is signed of a `POST /`: the only method and path that the API has.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// The product, as in its host name: `cfw`.
    pub service: &'a str,
    /// The signed headers, sorted by name; `content-type` and `host` are required, and the host carries its port
    /// where that is not the scheme's own.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, byte for byte as it will be sent.
    pub body: &'a [u8],
    /// What goes out as `X-TC-Timestamp`; its **UTC** date is part of the key.
    pub at: UnixTime,
}

/// The value of the `Authorization` header.
#[must_use]
pub fn authorization(secret_id: &str, secret_key: &SecretString, signing: &Signing<'_>) -> String {
    let key = signing.key(secret_key);
    let signature = hex::encode(hmac(key.as_slice(), &signing.string_to_sign()));
    let scope = signing.scope();
    let names = signing.header_names();
    format!(
        "{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
}

impl Signing<'_> {
    fn canonical_request(&self) -> String {
        let mut text = String::from("POST\n/\n\n");
        for (name, value) in self.headers {
            let value = value.trim().to_lowercase();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}:{value}", name.to_lowercase());
        }
        let names = self.header_names();
        let body = hex::encode(Sha256::digest(self.body));
        let _ = write!(text, "\n{names}\n{body}");
        text
    }

    fn string_to_sign(&self) -> String {
        let request = hex::encode(Sha256::digest(self.canonical_request()));
        let (seconds, scope) = (self.at.seconds(), self.scope());
        format!("{ALGORITHM}\n{seconds}\n{scope}\n{request}")
    }

    fn key(&self, secret_key: &SecretString) -> Zeroizing<[u8; 32]> {
        let seed = Zeroizing::new(format!("TC3{}", secret_key.expose_secret()));
        let of_date = Zeroizing::new(hmac(seed.as_bytes(), &self.date()));
        let of_service = Zeroizing::new(hmac(of_date.as_slice(), self.service));
        Zeroizing::new(hmac(of_service.as_slice(), "tc3_request"))
    }

    fn scope(&self) -> String {
        format!("{}/{}/tc3_request", self.date(), self.service)
    }

    fn date(&self) -> String {
        let mut text = self.at.wall_clock(Offset::UTC);
        if let Some(end) = text.find(' ') {
            text.truncate(end);
        }
        text
    }

    fn header_names(&self) -> String {
        let names: Vec<String> = self
            .headers
            .iter()
            .map(|(name, _)| name.to_lowercase())
            .collect();
        names.join(";")
    }
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes a key of any length, by RFC 2104"
)]
fn hmac(key: &[u8], message: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str =
        r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;

    struct Vector {
        key: &'static str,
        headers: &'static [(&'static str, &'static str)],
        canonical: &'static str,
        signing_key: &'static str,
        signature: &'static str,
    }

    /// Both published vectors, with the hashes on the way to the signature.
    const VECTORS: [Vector; 2] = [
        Vector {
            key: "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
            headers: &[
                ("content-type", "application/json; charset=utf-8"),
                ("host", "cvm.tencentcloudapi.com"),
            ],
            canonical: "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031",
            signing_key: "ac658d5dde49e9bfdd14e04e062f66b05d9f637d44b8a8d845327d4a77f666b1",
            signature: "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
        },
        Vector {
            key: "********************************",
            headers: &[
                ("content-type", "application/json; charset=utf-8"),
                ("host", "cvm.tencentcloudapi.com"),
                ("x-tc-action", "DescribeInstances"),
            ],
            canonical: "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84",
            signing_key: "b596b923aad85185e2d1f6659d2a062e0a86731226e021e61bfe06f7ed05f5af",
            signature: "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f",
        },
    ];

    #[test]
    fn the_published_vectors() {
        assert_eq!(
            hex::encode(Sha256::digest(BODY)),
            "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064"
        );
        for vector in VECTORS {
            let signing = Signing {
                service: "cvm",
                headers: vector.headers,
                body: BODY.as_bytes(),
                at: UnixTime::from_seconds(1_551_113_065),
            };
            let key = SecretString::from(vector.key);
            let canonical = hex::encode(Sha256::digest(signing.canonical_request()));
            assert_eq!(canonical, vector.canonical);
            assert_eq!(
                hex::encode(signing.key(&key).as_slice()),
                vector.signing_key
            );
            let names: Vec<&str> = vector.headers.iter().map(|(name, _)| *name).collect();
            assert_eq!(
                authorization("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", &key, &signing),
                format!(
                    "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, \
                     SignedHeaders={}, Signature={}",
                    names.join(";"),
                    vector.signature
                )
            );
        }
    }

    /// What the vendor's Python SDK (3.1.190) sent to a server on loopback: the port is part of the signed host.
    #[test]
    fn the_port_is_signed_as_the_vendor_s_own_client_signs_it() {
        let body = r#"{"RuleType": 1, "IOC": [{"IP": "192.0.2.10", "Direction": 1}], "IocAction": "add", "StartTime": "2026-01-01 00:00:00", "EndTime": "3000-01-01 00:00:00"}"#;
        let signing = Signing {
            service: "cfw",
            headers: &[
                ("content-type", "application/json"),
                ("host", "127.0.0.1:18765"),
            ],
            body: body.as_bytes(),
            at: UnixTime::from_seconds(1_795_287_898),
        };
        let key = SecretString::from("FAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKE");
        assert_eq!(
            authorization("AKIDEXAMPLEEXAMPLEEXAMPLE", &key, &signing),
            "TC3-HMAC-SHA256 Credential=AKIDEXAMPLEEXAMPLEEXAMPLE/2026-11-21/cfw/tc3_request, \
             SignedHeaders=content-type;host, \
             Signature=d502fa31aa8d35b7c079f7752b9156a5331c6e9eab7d69aab6661470c3cbee16"
        );
    }

    #[test]
    fn the_date_is_the_utc_one() {
        let at = |seconds| Signing {
            service: "cfw",
            headers: &[],
            body: b"",
            at: UnixTime::from_seconds(seconds),
        };
        assert_eq!(at(1_551_139_199).date(), "2019-02-25");
        assert_eq!(at(1_551_139_200).date(), "2019-02-26");
    }
}
