//! The page at `/` in a real browser: what it shows, to whom, and that strangers' text stays text.

use std::time::Duration;

use feedwall::sim::{FaultSchedule, Then, When};
use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::process::Process;
use crate::support::rig::{MODIFY, Rig};
use crate::support::{feeds, until};

const FIREWALL: &str = "accept = [\"ipv4\"]\nquota = 20_000\nconfirm_after = \"1s\"";
const FEED: &str = "direction = \"in\"\ninterval = \"2s\"\nttl = \"1h\"";
const MARKUP: &str =
    "<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">";
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_read_by_anybody_anywhere_and_strangers_text_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut browser) = tokio::task::block_in_place(|| Browser::start(folder.path())) else {
        println!("skipped: there is no Chromium on this machine (Debian's package chromium)");
        return;
    };
    let (rig, daemon) = hostile().await;
    let words = "the dashboard at ";
    daemon.says(words, 1, SOON).await;
    let said = daemon.said();
    let url = said
        .split(words)
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned();
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
