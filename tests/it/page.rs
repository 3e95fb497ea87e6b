//! The page at `/` in a real browser: what it shows, to whom, and that strangers' text stays text.

use std::time::Duration;

use feedwall::sim::{FaultSchedule, Then, When};
use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::http::{get, get_with};
use crate::support::process::Process;
use crate::support::rig::{MODIFY, Rig};
use crate::support::{feeds, until};

const FIREWALL: &str = "accept = [\"ipv4\"]\nquota = 20_000\nconfirm_after = \"1s\"";
const FEED: &str = "direction = \"in\"\ninterval = \"2s\"\nttl = \"1h\"";
const MARKUP: &str =
    "<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">";
const TOKEN: &str = "not-a-real-token-0123456789";
const LOCKED: &str = "document.getElementById('state')?.innerText === 'Locked.' && document.activeElement.id === 'token'";
const SOON: Duration = Duration::from_secs(60);

/// Every text that is shown and hard to read: less than 4.5 to 1 on its ground (WCAG 2.2, 1.4.3).
const FAINT: &str = r"(() => {
    const parts = (color) => color.match(/[\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const ground = (node) => {
        for (; node; node = node.parentElement) {
            const color = parts(getComputedStyle(node).backgroundColor);
            if (color.length < 4 || color[3] > 0) return color;
        }
        return [255, 255, 255];
    };
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const faint = [];
    while (walk.nextNode()) {
        const node = walk.currentNode.parentElement;
        if (!walk.currentNode.textContent.trim() || !node.checkVisibility()) continue;
        const style = getComputedStyle(node);
        const ink = node instanceof SVGElement ? style.fill : style.color;
        const [a, b] = [light(parts(ink)), light(ground(node))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${walk.currentNode.textContent.trim().slice(0, 40)}`);
    }
    return faint;
})()";

/// A daemon with a feed that is missing under a name full of markup, and an entry that the cloud refuses with markup.
async fn hostile() -> (Rig, Process) {
    let rig = Rig::new().await;
    let all = feeds::addresses(21, 60);
    rig.write("f.txt", &feeds::lines(&all));
    let missing = rig.path("<img src=x onerror=document.title='pwned'>.txt");
    let evil = format!("[[feed]]\nname = \"evil\"\npath = {missing:?}\n{FEED}\n");
    let refused = When {
        contains: Some(all[7].to_string()),
        ..When::default().action(MODIFY)
    };
    let error = Then::Error {
        code: "InvalidParameter".to_owned(),
        message: Some(MARKUP.to_owned()),
        applied: false,
    };
    rig.sim
        .set_faults(FaultSchedule::default().and(refused, error));
    let http = "[http]\nlisten = \"127.0.0.1:0\"\n";
    rig.config(&format!("{http}{}{evil}", rig.feed("f", FEED)), FIREWALL);
    let daemon = rig.start(&["run"]);
    let there = || rig.sim.entry_count(1) == 59;
    until("59 of 60 entries", SOON, there, || daemon.said()).await;
    (rig, daemon)
}

/// Where the page is.
async fn served(daemon: &Process) -> String {
    let words = "the dashboard at ";
    daemon.says(words, 1, SOON).await;
    let said = daemon.said();
    let url = said.split(words).nth(1).unwrap().split_whitespace().next();
    url.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_read_by_anybody_anywhere_and_strangers_text_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut browser) = tokio::task::block_in_place(|| Browser::start(folder.path())) else {
        println!("skipped: there is no Chromium on this machine (Debian's package chromium)");
        return;
    };
    let (rig, daemon) = hostile().await;
    let url = served(&daemon).await;
    let blocked = rig.addresses().first().unwrap().to_string();
    tokio::task::block_in_place(|| look(&mut browser, &url, &blocked));
    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(10)).await.exits(0);
}

fn look(browser: &mut Browser, url: &str, blocked: &str) {
    browser.window(1280, 900, false);
    browser.open(url);
    browser.until("document.getElementById('content')?.hidden === false && document.querySelectorAll('#charts svg').length > 3");
    browser.until("document.getElementById('firewalls').innerText.includes('100 %')");
    browser.until("document.getElementById('quarantine').innerText.includes('InvalidParameter')");
    browser.until("document.getElementById('needs').innerText.includes('quarantine')");

    // Coverage first, and each part is there.
    let titles = browser.value("[...document.querySelectorAll('main h2')].filter((one) => one.checkVisibility()).map((one) => one.innerText)");
    let expected = [
        "Coverage",
        "Needs you",
        "History",
        "Feeds",
        "Explain",
        "Waiting for approval",
        "Quarantine",
    ];
    assert_eq!(titles, serde_json::json!(expected));
    // Strangers' markup is text.
    let text = browser.value("document.body.innerText");
    let text = text.as_str().unwrap();
    assert!(
        text.contains("<script>document.title='pwned'</script><img src=x onerror="),
        "{text}"
    );
    assert!(
        text.contains("<img src=x onerror=document.title='pwned'>.txt"),
        "{text}"
    );
    assert_eq!(browser.value("document.images.length + document.querySelectorAll('main script, iframe, object, style').length"), 0);
    assert!(
        browser
            .value("document.title")
            .as_str()
            .unwrap()
            .ends_with(") feedwall")
    );

    // Every window, in the light and in the dark: all of it is on the page, and can be read.
    for (name, width, height, dark) in [
        ("desktop", 1280, 900, false),
        ("desktop-dark", 1280, 900, true),
        ("tablet", 768, 1024, false),
        ("phone", 360, 740, false),
        ("phone-dark", 360, 740, true),
    ] {
        browser.window(width, height, dark);
        let ratio = browser.value(FAINT);
        assert_eq!(ratio, serde_json::json!([]), "{name}: too faint");
        let beyond = browser.value("document.documentElement.scrollWidth - innerWidth");
        assert!(
            beyond.as_i64().unwrap() <= 0,
            "{name}: {beyond} pixels to the side"
        );
        let ground = browser
            .value("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]");
        assert_eq!(ground.as_i64().unwrap() < 128, dark, "{name}");
        browser.picture(name);
    }

    // Without a mouse: to the box, a word, Enter.
    browser.window(1280, 900, false);
    for _ in 0..40 {
        browser.press("Tab", 9);
        if browser.value("document.activeElement.id") == "ioc" {
            break;
        }
    }
    assert_eq!(
        browser.value("document.activeElement.id"),
        "ioc",
        "Tab leads to the box"
    );
    browser.write(blocked);
    browser.press("Enter", 13);
    browser.until("document.getElementById('story').innerText.includes('blocked in')");
    browser.picture("explained");
    assert_eq!(
        browser.value("document.querySelectorAll('main [tabindex=\"0\"]').length"),
        3,
        "each chart can be entered"
    );
    browser.value("document.getElementById('ioc').select()");
    browser.write(MARKUP);
    browser.press("Enter", 13);
    browser.until("document.getElementById('story').innerText.includes('could be blocked')");
    assert_eq!(browser.value("document.images.length"), 0);
    assert!(
        browser
            .value("document.title")
            .as_str()
            .unwrap()
            .ends_with(") feedwall")
    );

    // Nothing was refused by the policy, and nothing threw. That the last word was no indicator is a 400 that we asked for.
    let faults: Vec<&Value> = browser
        .events
        .iter()
        .filter(|event| is_fault(event))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

fn is_fault(event: &Value) -> bool {
    let entry = &event["params"]["entry"];
    let asked = entry["url"]
        .as_str()
        .is_some_and(|url| url.contains("/api/explain"));
    event["method"] == "Runtime.exceptionThrown" || (entry["level"] == "error" && !asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_opens_the_page_and_stays_in_its_tab() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut browser) = tokio::task::block_in_place(|| Browser::start(folder.path())) else {
        println!("skipped: there is no Chromium on this machine (Debian's package chromium)");
        return;
    };
    let rig = Rig::new().await;
    rig.write("f.txt", &feeds::lines(&feeds::addresses(22, 60)));
    rig.write("http.token", &format!("{TOKEN}\n"));
    let file = rig.path("http.token");
    let http = format!("[http]\nlisten = \"127.0.0.1:0\"\ntoken = {{ file = {file:?} }}\n");
    rig.config(&format!("{http}{}", rig.feed("f", FEED)), FIREWALL);
    let daemon = rig.start(&["run"]);
    let url = served(&daemon).await;
    let there = || rig.sim.entry_count(1) == 60;
    until("60 entries", SOON, there, || daemon.said()).await;

    // Behind the page's back nothing is told, and the address is no place for a token.
    let address = url.strip_prefix("http://").unwrap().trim_end_matches('/');
    let at = address.parse().unwrap();
    let blocked = rig.addresses().first().unwrap().to_string();
    for path in [
        "status".to_owned(),
        "status.schema.json".to_owned(),
        "quarantine".to_owned(),
        "history?hours=24".to_owned(),
        format!("explain?ioc={blocked}"),
        format!("status?token={TOKEN}&access_token={TOKEN}"),
    ] {
        let path = format!("/api/{path}");
        let refused = get(at, &path).await.is(401);
        assert!(!refused.body.contains("prod"), "{path}: {}", refused.body);
        let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
        get_with(at, &path, &bearer).await.is(200);
    }
    tokio::task::block_in_place(|| unlock(&mut browser, &url, &blocked));
    let said = daemon.said();
    assert!(!said.contains(TOKEN), "{said}");
    daemon.signal("TERM");
    daemon.end_within(Duration::from_secs(10)).await.exits(0);
}

fn unlock(browser: &mut Browser, url: &str, blocked: &str) {
    // One that is wrong, and one that no header can hold.
    for wrong in [
        "another-token-9876543210",
        "\u{201c}not-a-real-token\u{201d}",
    ] {
        browser.open(url);
        browser.until(LOCKED);
        browser.write(wrong);
        browser.press("Enter", 13);
        browser.until("document.getElementById('state').innerText === 'That token was not taken.'");
        let text = browser.value("document.body.innerText");
        let text = text.as_str().unwrap();
        assert!(
            text.contains("This listener asks for the token of [http]"),
            "{text}"
        );
        for of_others in ["Coverage", "prod", "does not answer", wrong] {
            assert!(!text.contains(of_others), "{of_others}: {text}");
        }
        assert_eq!(browser.value("sessionStorage.length"), 0, "{wrong}");
        assert_eq!(browser.value("document.getElementById('token').value"), "");
    }
    browser.picture("locked");

    browser.write(TOKEN);
    browser.press("Enter", 13);
    browser.until("document.getElementById('firewalls').innerText.includes('100 %')");
    browser.until("document.querySelectorAll('#charts svg').length > 3");
    assert_eq!(
        browser.value("document.getElementById('login').checkVisibility()"),
        false
    );
    is_in_its_tab_alone(browser, url);

    // It is asked for once: the tab still has it when the page is loaded anew.
    let explained = format!("{url}?ioc={blocked}");
    browser.open(&explained);
    browser.until("document.getElementById('story')?.innerText.includes('blocked in')");
    is_in_its_tab_alone(browser, &explained);

    // A tab without it knows nothing any more.
    browser.value("sessionStorage.clear()");
    browser.open(url);
    browser.until(LOCKED);
    let faults: Vec<&Value> = browser.events.iter().filter(|it| is_wrong(it)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The token is where the page says that it keeps it, and nowhere that lasts, is sent by itself, or is seen.
fn is_in_its_tab_alone(browser: &mut Browser, url: &str) {
    assert_eq!(browser.value("location.href"), url);
    let kept = browser.value("({ ...sessionStorage })");
    assert_eq!(kept, serde_json::json!({ "token": TOKEN }));
    assert_eq!(browser.value("localStorage.length"), 0);
    assert_eq!(browser.value("document.cookie"), "");
    assert_eq!(
        browser.value("fetch('/api/status').then((it) => it.status)"),
        401
    );
    let seen = "document.documentElement.outerHTML + document.getElementById('token').value + JSON.stringify(history.state) \
        + performance.getEntriesByType('resource').map((it) => it.name)";
    let seen = browser.value(seen);
    assert!(!seen.as_str().unwrap().contains(TOKEN), "{seen}");
}

/// That a request without the right token is a 401 is what was asked for.
fn is_wrong(event: &Value) -> bool {
    let entry = &event["params"]["entry"];
    let is_401 = entry["source"] == "network"
        && entry["text"]
            .as_str()
            .is_some_and(|text| text.contains("401"));
    event["method"] == "Runtime.exceptionThrown" || (entry["level"] == "error" && !is_401)
}
