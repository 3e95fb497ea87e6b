//! A real Chromium without a window, spoken to over two pipes (`--remote-debugging-pipe`: JSON, each message ended by a
//! zero byte; chromedevtools.github.io/devtools-protocol).

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

/// By which names distributions know it.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const LONGEST: Duration = Duration::from_secs(60);

/// One browser with one page.
pub struct Browser {
    child: Child,
    commands: File,
    answers: Receiver<Value>,
    number: u64,
    session: String,
    /// Width, height, dark.
    window: (u32, u32, bool),
    /// What the browser told by itself.
    pub events: Vec<Value>,
}

impl Browser {
    /// Starts one; `None` where there is none on this machine.
    pub fn start(folder: &Path) -> Option<Self> {
        let runs = |name: &&&str| {
            let mut version = Command::new(name);
            version
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            version.status().is_ok_and(|status| status.success())
        };
        let name = NAMES.iter().find(runs)?;
        let (into, out) = (folder.join("browser.in"), folder.join("browser.out"));
        let made = Command::new("mkfifo").args([&into, &out]).status().unwrap();
        assert!(made.success());
        let profile = folder.join("browser");
        let child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<\"$0.in\" 4>\"$0.out\""])
            .arg(folder.join("browser"))
            .arg(name)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--remote-debugging-pipe",
            ])
            .arg(format!(
                "--user-data-dir={}",
                profile.join("profile").display()
            ))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // In the order in which the shell opens them: each waits for the other's end.
        let commands = File::options().write(true).open(into).unwrap();
        let out = File::open(out).unwrap();
        let (send, answers) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(out).split(0) {
                let Ok(message) = message else { return };
                let Ok(message) = serde_json::from_slice(&message) else {
                    return;
                };
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            commands,
            answers,
            number: 0,
            session: String::new(),
            window: (1280, 900, false),
            events: Vec::new(),
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({}));
        }
        Some(browser)
    }

    /// Calls a method of the protocol and waits for its answer.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        self.commands
            .write_all(format!("{message}\0").as_bytes())
            .unwrap();
        let deadline = Instant::now() + LONGEST;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.answers.recv_timeout(left);
            let mut answer = answer.unwrap_or_else(|fault| panic!("{method}: {fault}"));
            if answer["id"] == self.number {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
            self.events.push(answer);
        }
    }

    /// A window of this size, in the light or in the dark.
    pub fn window(&mut self, width: u32, height: u32, dark: bool) {
        self.window = (width, height, dark);
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        );
    }

    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
    }

    /// The value of an expression.
    pub fn value(&mut self, expression: &str) -> Value {
        let wanted =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call("Runtime.evaluate", wanted);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer:#}"
        );
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub fn until(&mut self, expression: &str) {
        let deadline = Instant::now() + LONGEST;
        while self.value(expression) != true {
            let text = self.value("document.body.innerText");
            assert!(
                Instant::now() < deadline,
                "not in time: {expression}\n{text}"
            );
            self.rest(100);
        }
    }

    /// Lets the page go on for a while.
    fn rest(&mut self, ms: u32) {
        self.value(&format!("new Promise((done) => setTimeout(done, {ms}))"));
    }

    /// Presses a key that has a name.
    pub fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
            });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    pub fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// The whole page as a picture, where somebody wants to look: `FEEDWALL_SCREENSHOTS` names the folder.
    pub fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("FEEDWALL_SCREENSHOTS") else {
            return;
        };
        let (width, height, dark) = self.window;
        let whole = self.value("document.documentElement.scrollHeight");
        // In a window as high as the page: what lies outside of one is not always painted.
        self.window(width, u32::try_from(whole.as_u64().unwrap()).unwrap(), dark);
        // The charts are drawn anew a moment after a change of size.
        self.rest(500);
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        self.window(width, height, dark);
        let file = File::create(Path::new(&folder).join(format!("{name}.png"))).unwrap();
        let mut decode = Command::new("base64");
        decode.arg("-d").stdin(Stdio::piped()).stdout(file);
        let mut decode = decode.spawn().unwrap();
        let text = picture["data"].as_str().unwrap();
        decode
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(decode.wait().unwrap().success());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
