//! Each place, their order, and what is said when there is nothing. Every machine here is a temporary directory.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use secrecy::ExposeSecret;
use tempfile::TempDir;
use url::Url;

use super::*;
use crate::cloud::testing::{Act, Server};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const KEY: &str = "FAKEFAKEFAKEFAKE";

type Pairs = [(&'static str, &'static str)];

/// A machine with these files, and this environment; `ROOT` in a value is its directory.
fn machine(files: &[(&str, &str)], variables: &[(&str, &str)]) -> (TempDir, Surroundings) {
    let root = TempDir::new().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let at = root.path().to_str().unwrap().to_owned();
    let variables: HashMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.replace("ROOT", &at)))
        .collect();
    let around = Surroundings::at(root.path(), move |name| variables.get(name).cloned());
    (root, around)
}

async fn find(
    source: CredentialSource,
    around: &Surroundings,
) -> Result<Arc<Keys>, CredentialError> {
    let credentials = Credentials::new(source, around.clone()).unwrap();
    credentials.keys(NOW).await
}

/// Id, key, token and end.
fn content(keys: &Keys) -> (&str, &str, Option<&str>, Option<i64>) {
    (
        &keys.secret_id,
        keys.secret_key.expose_secret(),
        keys.token.as_ref().map(ExposeSecret::expose_secret),
        keys.expires.map(UnixTime::seconds),
    )
}

const INI: &str = "[other]\nsecret_id = wrong\n[default]\n; a comment\nsecret_id = INI\nsecret_key = \"FAKEFAKEFAKEFAKE\"\n";
const JSON: &str = r#"{"type": "oauth", "secretId": "JSON", "secretKey": "FAKEFAKEFAKEFAKE", "token": "t", "expiresAt": 1800000900}"#;
const ALL_FILES: [(&str, &str); 7] = [
    ("creds/secret_id", "SYSTEMD\n"),
    ("creds/secret_key", "FAKEFAKEFAKEFAKE\n"),
    ("creds/token", "t\n"),
    ("creds/tencentcloud", JSON),
    ("home/.tencentcloud/credentials", INI),
    ("etc/tencentcloud/credentials", INI),
    ("home/.tccli/default.credential", JSON),
];
const ALL_VARIABLES: [(&str, &str); 3] = [
    ("CREDENTIALS_DIRECTORY", "ROOT/creds"),
    ("TENCENTCLOUD_SECRET_ID", "ENV"),
    ("TENCENTCLOUD_SECRET_KEY", KEY),
];

#[tokio::test]
async fn the_first_place_in_the_order_counts() {
    // Each step takes away the place that the step before found.
    let none = (None, None);
    let temporary = (Some("t"), Some(1_800_000_900));
    let steps: [(&[&str], &[&str], &str, _, &str); 6] = [
        (
            &[],
            &[],
            "SYSTEMD",
            (Some("t"), None),
            "systemd credential secret_id in ROOT/creds",
        ),
        (
            &["creds/secret_id", "creds/secret_key", "creds/token"],
            &[],
            "JSON",
            temporary,
            "file ROOT/creds/tencentcloud",
        ),
        (
            &["creds/tencentcloud"],
            &[],
            "ENV",
            none,
            "environment TENCENTCLOUD_SECRET_ID",
        ),
        (
            &[],
            &["TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"],
            "INI",
            none,
            "file ROOT/home/.tencentcloud/credentials",
        ),
        (
            &["home/.tencentcloud/credentials"],
            &[],
            "INI",
            none,
            "file ROOT/etc/tencentcloud/credentials",
        ),
        (
            &["etc/tencentcloud/credentials"],
            &[],
            "JSON",
            temporary,
            "file ROOT/home/.tccli/default.credential",
        ),
    ];
    let (mut files, mut variables) = (ALL_FILES.to_vec(), ALL_VARIABLES.to_vec());
    for (files_gone, variables_gone, id, (token, expires), place) in steps {
        files.retain(|(path, _)| !files_gone.contains(path));
        variables.retain(|(name, _)| !variables_gone.contains(name));
        let (root, around) = machine(&files, &variables);
        let keys = find(CredentialSource::Auto, &around).await.unwrap();
        assert_eq!(content(&keys), (id, KEY, token, expires), "{place}");
        assert_eq!(
            keys.source,
            place.replace("ROOT", root.path().to_str().unwrap())
        );
    }
}

#[tokio::test]
async fn nothing_anywhere_names_every_place() {
    let (root, around) = machine(&[("etc/tencentcloud/credentials", "[default]\n")], &[]);
    let fault = find(CredentialSource::Auto, &around).await.unwrap_err();
    assert_eq!(
        fault.to_string().replace(root.path().to_str().unwrap(), ""),
        "no credentials were found; looked at systemd's credentials (none were passed in), environment \
         TENCENTCLOUD_SECRET_ID, file /home/.tencentcloud/credentials, file /etc/tencentcloud/credentials (holds no keys), \
         file /home/.tccli/default.credential, the role of this machine (no metadata service). Put a key pair into one \
         of these, or name a source in the firewall's `credentials`"
    );
}

#[tokio::test]
async fn half_a_pair_is_a_fault_and_never_passed_over() {
    let whole = ("etc/tencentcloud/credentials", INI);
    let cases: [(&Pairs, &Pairs, &str); 5] = [
        (
            &[whole],
            &[("TENCENTCLOUD_SECRET_ID", "x")],
            "environment TENCENTCLOUD_SECRET_ID has no secret key",
        ),
        (
            &[whole],
            &[
                ("TENCENTCLOUD_SECRET_KEY", KEY),
                ("TENCENTCLOUD_SECRET_ID", " "),
            ],
            "has no secret id",
        ),
        (
            &[whole, ("creds/secret_id", "x")],
            &[("CREDENTIALS_DIRECTORY", "ROOT/creds")],
            "has no secret key",
        ),
        (
            &[
                whole,
                (
                    "home/.tencentcloud/credentials",
                    "[default]\nsecret_key = FAKEFAKE\n",
                ),
            ],
            &[],
            "has no secret id",
        ),
        (
            &[(
                "home/.tccli/default.credential",
                r#"{"secretId": "x", "secretKey": null}"#,
            )],
            &[],
            "has no secret key",
        ),
    ];
    for (files, variables, message) in cases {
        let (_root, around) = machine(files, variables);
        let fault = find(CredentialSource::Auto, &around)
            .await
            .unwrap_err()
            .to_string();
        assert!(fault.contains(message), "{fault}");
    }
}

#[tokio::test]
async fn no_fault_quotes_a_key() {
    let cases = [
        (
            r#"{"secretId": "x", "secretKey": ["SECRETSECRET"]}"#,
            "JSON is wrong at line 1 column",
        ),
        (
            r#"{"secretId": "x", "secretKey": "SECRETSECRET"#,
            "JSON is wrong",
        ),
        (
            "[default]\nsecret_id = x\nsecret_key = SECRET SECRET\n",
            "holds a space",
        ),
        (
            "[default]\nsecret_id = x\nsecret_key = SECRET\u{1b}[2J\n",
            "holds a space",
        ),
        ("SECRETSECRET\n", "holds no keys"),
    ];
    for (text, message) in cases {
        let (root, around) = machine(&[("keys", text)], &[]);
        let source = CredentialSource::File(root.path().join("keys"));
        let fault = find(source, &around).await.unwrap_err();
        let shown = format!("{fault} {fault:?}");
        assert!(
            shown.contains(message) && !shown.contains("SECRET"),
            "{shown}"
        );
    }
    let (_root, around) = machine(&[], &ALL_VARIABLES);
    let credentials = Credentials::new(CredentialSource::Auto, around.clone()).unwrap();
    let keys = credentials.keys(NOW).await.unwrap();
    assert!(!format!("{keys:?} {credentials:?} {around:?}").contains(KEY));
}

#[tokio::test]
async fn a_named_source_is_the_only_place() {
    let (root, around) = machine(
        &ALL_FILES,
        &[
            ("TENCENTCLOUD_SECRET_ID", "ENV"),
            ("TENCENTCLOUD_SECRET_KEY", KEY),
            ("PROD_SECRET_ID", "PROD"),
            ("PROD_SECRET_KEY", KEY),
            ("PROD_TOKEN", "t"),
        ],
    );
    let keys = find(CredentialSource::Env("PROD".into()), &around)
        .await
        .unwrap();
    assert_eq!(content(&keys), ("PROD", KEY, Some("t"), None));
    let fault = find(CredentialSource::Env("TEST".into()), &around)
        .await
        .unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("looked at environment TEST_SECRET_ID."),
        "{fault}"
    );

    let path = root.path().join("etc/tencentcloud/credentials");
    let keys = find(CredentialSource::File(path), &around).await.unwrap();
    assert_eq!(content(&keys), ("INI", KEY, None, None));
    let path = root.path().join("nowhere");
    let fault = find(CredentialSource::File(path), &around)
        .await
        .unwrap_err();
    assert!(
        matches!(fault, CredentialError::Unreadable { .. }),
        "{fault}"
    );
    let fault = find(CredentialSource::Role("prod".into()), &around)
        .await
        .unwrap_err();
    assert!(fault.to_string().contains("no metadata service"), "{fault}");
}

/// A metadata service with one role, whose keys end at `expires`.
async fn metadata(expires: Arc<AtomicI64>) -> Server {
    Server::start(move |request| {
        let expires = expires.load(Ordering::SeqCst);
        match request.line.as_str() {
            "GET /roles/ HTTP/1.1" => Act::reply("200 OK", "", "prod\n"),
            "GET /roles/prod HTTP/1.1" if expires > 0 => Act::reply(
                "200 OK",
                "",
                &format!(
                    r#"{{"TmpSecretId":"ROLE{expires}","TmpSecretKey":"{KEY}","ExpiredTime":{expires},"Expiration":"…","Token":"t","Code":"Success"}}"#
                ),
            ),
            "GET /roles/bad HTTP/1.1" => Act::reply("200 OK", "", r#"{"Code":"Failed\u001b"}"#),
            "GET /roles/odd HTTP/1.1" => Act::reply("200 OK", "", r#"{"TmpSecretKey":["SECRET"]}"#),
            "GET /roles/prod HTTP/1.1" => Act::reply("500 Internal Server Error", "", ""),
            _ => Act::reply("404 Not Found", "", ""),
        }
    })
    .await
}

fn roles(server: &Server) -> Url {
    server.url.join("/roles/").unwrap()
}

#[tokio::test]
async fn a_role_s_keys_are_renewed_300_s_before_they_end() {
    let expires = Arc::new(AtomicI64::new(NOW.seconds() + 1_000));
    let server = metadata(Arc::clone(&expires)).await;
    let (_root, around) = machine(&[], &[]);
    let around = around.with_metadata(roles(&server));
    let credentials = Credentials::new(CredentialSource::Auto, around).unwrap();
    let id = async |after: i64| {
        let now = UnixTime::from_seconds(NOW.seconds() + after);
        let keys = credentials.keys(now).await.unwrap();
        (keys.secret_id.clone(), server.received().len())
    };
    let first = format!("ROLE{}", NOW.seconds() + 1_000);
    let second = format!("ROLE{}", NOW.seconds() + 9_000);
    assert_eq!(id(0).await, (first.clone(), 2));
    assert_eq!(id(699).await, (first.clone(), 2));
    // Due, and the service still has the old ones; then it fails, and the old ones still hold.
    assert_eq!(id(700).await, (first.clone(), 4));
    assert_eq!(id(729).await, (first.clone(), 4));
    expires.store(0, Ordering::SeqCst);
    assert_eq!(id(730).await, (first, 6));
    expires.store(NOW.seconds() + 9_000, Ordering::SeqCst);
    assert_eq!(id(760).await, (second.clone(), 8));
    assert_eq!(id(8_000).await, (second.clone(), 8));
    // Whatever is held, when the cloud does not believe it.
    let keys = credentials
        .fetch_again(NOW.plus(Duration::from_secs(8_000)))
        .await
        .unwrap();
    assert_eq!(
        (keys.source.as_str(), keys.account()),
        ("role prod of this machine", "role prod of this machine")
    );
    assert_eq!(server.received().len(), 10);
    // Ended, and nothing newer: no keys.
    expires.store(0, Ordering::SeqCst);
    let fault = credentials
        .keys(NOW.plus(Duration::from_secs(9_000)))
        .await
        .unwrap_err();
    assert!(fault.to_string().contains("HTTP status 500"), "{fault}");
}

#[tokio::test]
async fn what_the_metadata_service_may_say_instead() {
    let server = metadata(Arc::new(AtomicI64::new(NOW.seconds() + 1_000))).await;
    let (_root, around) = machine(&[], &[]);
    let here = around.clone().with_metadata(roles(&server));
    let role = |name: &str| CredentialSource::Role(name.to_owned());
    let keys = find(role("prod"), &here).await.unwrap();
    assert_eq!(keys.token.as_ref().unwrap().expose_secret(), "t");
    for (name, message) in [
        ("bad", r#"it says "Failed\u{1b}""#),
        ("odd", "is not its JSON"),
        ("none", "it knows no role none"),
        ("../x", r#""../x" is not the name of a role"#),
        ("", "is not the name of a role"),
    ] {
        let fault = find(role(name), &here).await.unwrap_err();
        let shown = format!("{fault} {fault:?}");
        assert!(
            fault.to_string().contains(message) && !shown.contains("SECRET"),
            "{shown}"
        );
    }
    // A machine without a role, and one without such a service.
    let elsewhere = around
        .clone()
        .with_metadata(server.url.join("/nothing/").unwrap());
    let fault = find(CredentialSource::Auto, &elsewhere).await.unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("the role of this machine (it has none)"),
        "{fault}"
    );
    let nowhere = Url::parse("http://127.0.0.1:9/roles/").unwrap();
    let fault = find(CredentialSource::Auto, &around.with_metadata(nowhere))
        .await
        .unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("http://127.0.0.1:9/roles/ does not answer"),
        "{fault}"
    );
}

#[test]
fn the_account_stays_when_temporary_keys_change() {
    let keys = |id: &str, token: Option<&str>| Keys {
        secret_id: id.into(),
        secret_key: KEY.into(),
        token: token.map(Into::into),
        expires: None,
        source: "role prod of this machine".into(),
    };
    assert_eq!(
        keys("a", Some("t")).account(),
        keys("b", Some("u")).account()
    );
    assert_ne!(keys("a", None).account(), keys("b", None).account());
}

#[test]
fn a_key_file_is_small() {
    let root = TempDir::new().unwrap();
    let path: &Path = &root.path().join("keys");
    fs::write(path, vec![b' '; 70_000]).unwrap();
    let fault = files::text(path).unwrap_err();
    assert_eq!(fault.kind(), io::ErrorKind::FileTooLarge);
    fs::write(path, [0xff, 0xfe]).unwrap();
    assert_eq!(
        files::text(path).unwrap_err().kind(),
        io::ErrorKind::InvalidData
    );
}
