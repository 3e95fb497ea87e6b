//! The command line.

use clap::Parser;

use super::super::config::{EditAbsent, Expired, Manners, Site};
use super::super::ioc::Class;
use super::super::options::{Options, serve};
use super::*;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    options: Options,
}

fn parse(line: &str) -> Result<Options, clap::Error> {
    let words = std::iter::once("sim").chain(line.split_whitespace());
    Command::try_parse_from(words).map(|command| command.options)
}

fn config(line: &str) -> SimConfig {
    parse(line)
        .unwrap()
        .config(HeldClock::new(NOW).clock())
        .unwrap()
}

#[test]
fn no_option_is_the_default_cloud() {
    let (bare, default) = (config(""), SimConfig::new(HeldClock::new(NOW).clock()));
    assert_eq!(bare.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(bare.credentials[0].secret_id, FAKE_SECRET_ID);
    assert_eq!(
        (bare.limits, bare.manners, bare.site),
        (default.limits, default.manners, default.site)
    );
    assert_eq!(
        (bare.zone, bare.visible_after),
        (default.zone, default.visible_after)
    );
    assert_eq!(bare.block_classes, default.block_classes);
    assert_eq!(bare.allow_classes, default.allow_classes);
    assert_eq!((bare.faults, bare.seed), (default.faults, default.seed));
}

#[test]
fn each_option_arrives() {
    let given = config(
        "--listen 127.0.0.1:0 --secret-id AKIDother --token fake --international --zone -03:30 --quota 5 \
         --batch-max 6 --page-max 7 --rate 8 --classes ipv6,network --allow-classes ipv4 --edit-absent ignore \
         --keep-expired --visible-after 9 --merge-directions --seed 10",
    );
    assert_eq!(
        (given.listen.port(), given.site, given.zone.to_string()),
        (0, Site::International, "-03:30".into())
    );
    assert_eq!(given.credentials[0].secret_id, "AKIDother");
    assert!(given.credentials[0].token.is_some());
    let limits = given.limits;
    assert_eq!(
        (limits.quota, limits.batch, limits.page, limits.rate),
        (5, 6, 7, 8)
    );
    assert_eq!(given.block_classes, [Class::Ipv6, Class::Network]);
    assert_eq!(given.allow_classes, [Class::Ipv4]);
    assert_eq!(
        (given.manners.edit_absent, given.manners.expired),
        (EditAbsent::Ignore, Expired::Kept)
    );
    assert_eq!(
        (given.visible_after, given.merge_directions),
        (Duration::from_secs(9), true)
    );
    assert_eq!((given.seed, given.faults.seed), (10, 10));
    assert_eq!(
        config("--strict").manners,
        Manners::strict("FailedOperation")
    );
    assert_eq!(
        config("--strict InvalidParameter").manners,
        Manners::strict("InvalidParameter")
    );
}

#[test]
fn bad_options_are_refused() {
    for (line, wanted) in [
        ("--classes ipv5", "\"ipv5\" is no class of entry"),
        ("--zone UTC", "\"UTC\" is no time zone"),
        ("--strict Nothing", "FailedOperation, InvalidParameter"),
        ("--strict --edit-absent ignore", "cannot be used with"),
    ] {
        let said = parse(line).unwrap_err().to_string();
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn secrets_do_not_show() {
    let options = parse("--secret-key hunter2-EXAMPLE --token hunter3-EXAMPLE").unwrap();
    assert!(!format!("{options:?}").contains("hunter"));
}

#[test]
fn a_fault_file_is_read_in_either_form_and_its_faults_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        parse(&format!("--faults {}", path.display())).unwrap()
    };
    let clock = || HeldClock::new(NOW).clock();
    let toml = file("f.toml", "seed = 3\n[[rule]]\nthen = \"reset\"")
        .config(clock())
        .unwrap();
    let json = file("f.json", r#"{ "seed": 3, "rule": [{ "then": "reset" }] }"#)
        .config(clock())
        .unwrap();
    assert_eq!((toml.faults.seed, toml.faults.rules.len()), (3, 1));
    assert_eq!(toml.faults, json.faults);
    let bad = file("bad.toml", "[[rule]]\nthen = \"explode\"")
        .config(clock())
        .unwrap_err()
        .to_string();
    assert!(
        bad.contains("bad.toml: the fault schedule does not read: ") && bad.contains("explode"),
        "{bad}"
    );
    let absent = parse("--faults /nowhere/f.toml")
        .unwrap()
        .config(clock())
        .unwrap_err()
        .to_string();
    assert!(
        absent.starts_with("the fault schedule /nowhere/f.toml does not open: "),
        "{absent}"
    );
}

#[tokio::test]
async fn the_command_serves_until_it_is_told_to_stop() {
    let stop = tokio_util::sync::CancellationToken::new();
    let options = parse("--listen 127.0.0.1:0").unwrap();
    let (tell, told) = tokio::sync::oneshot::channel();
    let token = stop.clone();
    let running = tokio::spawn(async move {
        let clock = HeldClock::new(NOW).clock();
        serve(&options, clock, token, |address| {
            tell.send(address).unwrap()
        })
        .await
    });
    let address = told.await.unwrap();
    tokio::net::TcpStream::connect(address).await.unwrap();
    stop.cancel();
    running.await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
