"use strict";
// The page of `feedwall run`. It asks /api for facts and writes them as text, never as markup: what stands in a feed or
// in a cloud's message is a stranger's.

const $ = (id) => document.getElementById(id);
const STATUS_EVERY = 10_000;
const HISTORY_EVERY = 60_000;
const DAY = 86_400;
const SVG = "http://www.w3.org/2000/svg";

let hours = 24;
let lastGood = null; // when the last good status came
let lastHistory = null;

// ---- Words --------------------------------------------------------------------------------------------------------

// What acts or cannot be seen (controls, directions, zero widths) is written out.
const clean = (text) =>
  String(text).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`);

const number = (value) => (value === null || value === undefined ? "–" : Number(value).toLocaleString("en-US"));
const counted = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;

const span = (seconds) => {
  const s = Math.round(Math.abs(seconds));
  const pair = (big, bigUnit, small, smallUnit) => (small ? `${big} ${bigUnit} ${small} ${smallUnit}` : `${big} ${bigUnit}`);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m`;
  if (s < DAY) return pair(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "m");
  return pair(Math.floor(s / DAY), "d", Math.floor((s % DAY) / 3600), "h");
};
const seconds = (stamp) => Date.parse(stamp) / 1000;
const ago = (stamp, now) => (stamp ? relative(seconds(stamp) - seconds(now)) : "never");
const relative = (left) => (left > 0 ? `in ${span(left)}` : `${span(left)} ago`);
const utc = (at) => new Date(at * 1000).toISOString().slice(0, 16).replace("T", " ");
const percent = (part, whole) => {
  if (whole === 0) return "100 %";
  // Never rounded up to a hundred.
  const share = Math.min(1, part / whole);
  return share === 1 ? "100 %" : `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
};
const bytes = (count) =>
  count < 1 << 20 ? `${Math.max(1, Math.round(count / 1024))} KiB` : `${(count / (1 << 20)).toFixed(1)} MiB`;
const words = (name) => clean(name).replaceAll("_", " ");

// ---- Elements -----------------------------------------------------------------------------------------------------

// An element with text and children; no markup is ever parsed.
const el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};
const svg = (tag, attributes = {}, ...children) => {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};
const fact = (name, value, kind) => el("div", {}, el("dt", {}, name), el("dd", { class: kind }, value));
const stamp = (at, now) => el("time", { datetime: at, title: at ?? "" }, ago(at, now));

// A table that becomes cards on a narrow screen. A column is [name, class, cell].
const table = (caption, columns, rows) => {
  const head = columns.map(([name, kind]) => el("th", { scope: "col", class: kind === "number" ? kind : null }, name));
  const body = rows.map((row) =>
    el("tr", {}, ...columns.map(([name, kind, cell]) => el("td", { class: kind, "data-label": name }, cell(row)))),
  );
  return el("table", { "aria-label": caption }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body));
};
const show = (id, ...children) => $(id).replaceChildren(...children);

// ---- Asking -------------------------------------------------------------------------------------------------------

class Refused extends Error {}

const ask = async (path) => {
  const token = sessionStorage.getItem("token");
  const headers = new Headers();
  try {
    if (token) headers.set("Authorization", `Bearer ${token}`);
  } catch {
    throw new Refused("no header can hold such a token");
  }
  const answer = await fetch(path, { headers, signal: AbortSignal.timeout(30_000), cache: "no-store" });
  if (answer.status === 401) throw new Refused("the token is wanted");
  const body = await answer.json();
  // Health answers with 503 what is wrong.
  if (!answer.ok && body.checks === undefined) throw new Error(body.error ?? `${answer.status}`);
  return body;
};

const wantToken = () => {
  const tried = sessionStorage.getItem("token") !== null;
  sessionStorage.removeItem("token");
  $("content").hidden = true;
  $("banner").hidden = true;
  $("login").hidden = false;
  $("state").className = "";
  $("state").textContent = tried ? "That token was not taken." : "Locked.";
  $("token").focus();
};

const complain = (fault) => {
  if (fault instanceof Refused) return wantToken();
  const since = lastGood ? ` What is shown is ${span((Date.now() - lastGood) / 1000)} old.` : "";
  $("banner").textContent = `feedwall does not answer: ${clean(fault.message)}.${since}`;
  $("banner").hidden = false;
  $("state").textContent = "No answer";
  $("state").className = "badge bad";
};

// ---- Coverage -----------------------------------------------------------------------------------------------------

const firewallCard = (one, now) => {
  const c = one.coverage;
  const planned = c.desired !== null;
  const confirmed = Math.min(c.confirmed ?? 0, c.desired ?? 0);
  const held = Math.min(c.held, c.desired ?? c.held);
  const share = planned ? (c.desired === 0 ? 1 : confirmed / c.desired) : 0;
  const heldShare = planned && c.desired > 0 ? held / c.desired : share;
  const kind = one.trouble || (planned && heldShare < 0.9) ? "bad" : share < 1 ? "warn" : "good";
  const bar = el("div", { class: `bar ${kind}`, "aria-hidden": "true" }, el("i"), el("i", { class: "part" }));
  bar.children[0].style.width = `${share * 100}%`;
  bar.children[1].style.width = `${Math.max(0, heldShare - share) * 100}%`;
  const lapse = c.lapses_from ? seconds(c.lapses_from) - seconds(now) : null;
  const notes = [];
  const note = (text, noteKind) => notes.push(el("p", { class: noteKind }, text));
  if (!one.configured) note("It left the config; what is there runs out by itself.", "warn");
  if (one.withdrawn) note("Everything is being taken back, until feedwall resume.", "warn");
  if (one.trouble) {
    const until = one.not_before ? `; tried again ${ago(one.not_before, now)}` : "";
    note(`Takes no calls since ${span(seconds(now) - seconds(one.trouble_since ?? now))}: ${clean(one.trouble)}${until}`, "bad");
  }
  if (one.read_wanted) note(`Its lists are to be read first: ${clean(one.read_wanted)}`, "warn");
  for (const learned of one.learned) {
    const value = learned.value === null ? "" : ` ${number(learned.value)}`;
    note(`Learned: ${words(learned.subject)}${value} (${clean(learned.reason)})`, "soft");
  }
  const left = Object.entries(one.left_out).filter(([, count]) => count > 0);
  if (left.length) note(`Left out: ${left.map(([reason, count]) => `${number(count)} ${words(reason)}`).join(", ")}`, "soft");
  const facts = el(
    "dl",
    { class: "facts" },
    fact("Desired", number(c.desired)),
    fact("Held", number(c.held)),
    fact("Confirmed", number(c.confirmed)),
    fact("Pending", number(c.pending), c.pending ? "warn" : null),
    fact("No longer desired", number(c.unwanted)),
    fact("In doubt", number(c.doubtful), c.doubtful ? "warn" : null),
    fact("Ends within 1 h", number(c.ending_within_hour)),
    fact("Quarantined", number(one.quarantined), one.quarantined ? "bad" : null),
    fact("Of others", number(one.foreign)),
    fact("Last plan", ago(c.planned_at, now)),
    fact("Last read back", ago(c.read_at, now)),
  );
  const sentence =
    lapse === null
      ? "No entry of ours is there."
      : `Should the daemon stop now, protection begins to lapse ${relative(lapse)}, and is gone ${ago(c.lapsed_at, now)}.`;
  return el(
    "article",
    { class: "card" },
    el("h3", {}, clean(one.name)),
    el(
      "p",
      { class: "share" },
      el("b", { class: kind }, planned ? percent(confirmed, c.desired) : "–"),
      el("span", { class: "soft" }, planned ? "of the desired is confirmed by a read-back" : "no plan has been made yet"),
    ),
    bar,
    facts,
    el("p", { class: "soft" }, sentence),
    ...notes,
  );
};

const needItem = (need) =>
  el(
    "li",
    {},
    el("h3", { class: "bad" }, need.name ? `${words(need.about)} ${clean(need.name)}: ${words(need.kind)}` : words(need.kind)),
    el("p", {}, clean(need.text)),
    el("p", { class: "commands" }, ...need.commands.map((command) => el("code", {}, clean(command)))),
  );

// ---- Feeds --------------------------------------------------------------------------------------------------------

const STATES = { good: "good", new: "warn", failed: "bad", held: "bad", frozen: "bad", retired: "warn" };

const feedTable = (feeds, now) =>
  table(
    "Feeds",
    [
      [
        "Feed",
        "main",
        (feed) => {
          const cell = el("div", {}, clean(feed.name));
          const marks = [feed.guard && "guard list", feed.list === "allow" && "allowlist", !feed.configured && "left the config"];
          const text = marks.filter(Boolean).join(", ");
          if (text) cell.append(el("p", { class: "soft" }, text));
          if (feed.trouble) cell.append(el("p", { class: STATES[feed.state] ?? "bad" }, clean(feed.trouble)));
          return cell;
        },
      ],
      [
        "State",
        null,
        (feed) =>
          feed.name === "by-hand"
            ? el("span", {}, "by hand")
            : el("span", { class: `badge ${STATES[feed.state] ?? "bad"}` }, clean(feed.state)),
      ],
      ["Listed", "number", (feed) => number(feed.listed)],
      ["Rejected", "number", (feed) => number(feed.rejected)],
      ["Last good", "number", (feed) => stamp(feed.last_good, now)],
      ["Next poll", "number", (feed) => (feed.next_poll ? stamp(feed.next_poll, now) : "–")],
    ],
    feeds,
  );

const TROUBLED = (feed) => (feed.state === "good" || feed.name === "by-hand" ? 1 : 0);

// ---- Approvals and quarantine -------------------------------------------------------------------------------------

const approvals = (status) => {
  const waiting = status.needs.filter((need) => need.kind === "feed_held" || need.kind === "deletes_held");
  if (!waiting.length) return el("p", { class: "soft" }, "Nothing waits for an approval.");
  return el("ul", { class: "needs" }, ...waiting.map(needItem));
};

const quarantineTable = (rows, now) => {
  if (!rows.length) return el("p", { class: "soft" }, "Nothing is quarantined.");
  return table(
    "Quarantine",
    [
      ["Indicator", "main", (row) => el("span", { class: "mono" }, clean(row.indicator))],
      ["Firewall", null, (row) => clean(row.firewall)],
      ["Direction", null, (row) => clean(row.direction)],
      ["Refused", null, (row) => `${clean(row.action)}: ${clean(row.code)}: ${clean(row.message)}`],
      ["Since", "number", (row) => stamp(row.since, now)],
    ],
    rows.slice(0, 200),
  );
};

// ---- History ------------------------------------------------------------------------------------------------------

const HEIGHT = 160;
const LEFT = 46;
const RIGHT = 6;
const BOTTOM = 20;
const TOP = 8;
const BARS = 48;

const nice = (top) => {
  if (top <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(top));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= top);
};
const short = (value) =>
  value >= 1e6 ? `${+(value / 1e6).toFixed(2)} M` : value >= 1e4 ? `${+(value / 1e3).toFixed(1)} k` : number(value);

// A sample further than this from the one before leaves a gap: the daemon was not there.
const gap = (age) => (age < DAY ? 150 : age < 7 * DAY ? 1500 : 9000);

// The room that a drawing has, so that its letters are as large as the page's.
const room = () => {
  const wide = $("charts").clientWidth || 320;
  const columns = Math.max(1, Math.floor((wide + 13) / 333));
  return Math.max(220, (wide - 13 * (columns - 1)) / columns - 36);
};

const sign = (kind) =>
  svg("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" }, svg(kind.bar ? "rect" : "path", kind.bar ? { class: `block s${kind.color}`, width: 24, height: 8 } : { class: `series s${kind.color}${kind.dash ? " dash" : ""}`, d: "M0 4H24" }));

// A figure with axes. `points` are the moments that can be read, `tell` says what stands at one of them.
const figure = (title, history, { top, points, tell, kinds, draw }) => {
  const from = seconds(history.since);
  const to = seconds(history.now);
  const width = room();
  const x = (at) => LEFT + ((at - from) / (to - from)) * (width - LEFT - RIGHT);
  const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" });
  for (const part of [0, 0.5, 1]) {
    const level = top * part;
    drawing.append(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(level), y2: y(level) }));
    drawing.append(svg("text", { x: LEFT - 6, y: y(level) + 4, "text-anchor": "end" }, short(level)));
  }
  for (const [place, anchor] of [[0, "start"], [0.5, "middle"], [1, "end"]]) {
    const at = from + (to - from) * place;
    const label = to - from > 2 * DAY ? utc(at).slice(5, 10) : utc(at).slice(11);
    drawing.append(svg("text", { x: x(at), y: HEIGHT - 4, "text-anchor": anchor }, label));
  }
  drawing.append(...draw(x, y, to));
  const cursor = svg("line", { class: "cursor", x1: -9, x2: -9, y1: TOP, y2: HEIGHT - BOTTOM });
  drawing.append(cursor);

  const last = points.length - 1;
  const readout = el("output", { class: "readout" });
  let place = last;
  const read = (wanted) => {
    place = Math.max(0, Math.min(last, wanted));
    readout.textContent = last < 0 ? "No samples yet: one is taken each minute." : tell(place);
    const at = place === last || last < 0 ? -9 : x(points[place]);
    cursor.setAttribute("x1", at);
    cursor.setAttribute("x2", at);
  };
  read(last);
  const legend = kinds.map((kind) => el("li", {}, sign(kind), kind.name));
  const label = `${title}. The arrow keys read single moments.`;
  const plot = el("div", { class: "plot", tabindex: "0", role: "group", "aria-label": label }, drawing, readout);
  plot.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: last, PageUp: place - 10, PageDown: place + 10 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    read(steps[event.key]);
  });
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const wanted = ((event.clientX - box.left) / box.width) * width;
    let best = last;
    points.forEach((at, i) => {
      if (Math.abs(x(at) - wanted) < Math.abs(x(points[best]) - wanted)) best = i;
    });
    read(best);
  });
  drawing.addEventListener("pointerleave", () => read(last));
  return el("figure", { class: "card" }, el("figcaption", {}, el("h3", {}, title)), plot, el("ul", { class: "legend" }, ...legend));
};

const lineChart = (title, history, lines) =>
  figure(title, history, {
    top: nice(lines.reduce((most, line) => line.values.reduce((a, b) => Math.max(a, b), most), 0)),
    points: history.at,
    tell: (i) => `${utc(history.at[i])}: ${lines.map((line) => `${line.name} ${number(line.values[i])}`).join(", ")}`,
    kinds: lines,
    draw: (x, y, to) =>
      lines.map((line) => {
        let path = "";
        const last = history.at.length - 1;
        history.at.forEach((at, i) => {
          const apart = i === 0 || at - history.at[i - 1] > gap(to - at);
          const alone = apart && (i === last || history.at[i + 1] - at > gap(to - at));
          path += `${apart ? "M" : "L"}${x(at).toFixed(1)} ${y(line.values[i]).toFixed(1)}${alone ? "h2" : ""}`;
        });
        return svg("path", { class: `series s${line.color}${line.dash ? " dash" : ""}`, d: path });
      }),
  });

// Counts, added up over equal parts of the span and stacked.
const barChart = (title, history, parts) => {
  const from = seconds(history.since);
  const step = (seconds(history.now) - from) / BARS;
  const sums = parts.map(() => new Array(BARS).fill(0));
  history.at.forEach((at, i) => {
    const bar = Math.max(0, Math.min(BARS - 1, Math.floor((at - from) / step)));
    parts.forEach((part, k) => (sums[k][bar] += part.values[i]));
  });
  const totals = sums[0].map((_, bar) => sums.reduce((sum, values) => sum + values[bar], 0));
  return figure(`${title}, each ${span(step)}`, history, {
    top: nice(Math.max(...totals)),
    points: history.at.length ? totals.map((_, bar) => from + (bar + 0.5) * step) : [],
    tell: (bar) => `${utc(from + bar * step)} on: ${parts.map((part, k) => `${part.name} ${number(sums[k][bar])}`).join(", ")}`,
    kinds: parts.map((part) => ({ ...part, bar: true })),
    draw: (x, y) =>
      totals.flatMap((_, bar) => {
        let below = 0;
        return parts.flatMap((part, k) => {
          const value = sums[k][bar];
          if (!value) return [];
          const left = x(from + bar * step) + 0.5;
          const width = Math.max(1, x(from + step) - x(from) - 1);
          const high = y(below) - y(below + value);
          below += value;
          return [svg("rect", { class: `block s${part.color}`, x: left, y: y(below), width, height: high })];
        });
      }),
  });
};

const drawHistory = (history) => {
  lastHistory = history;
  const applied = history.calls.map((calls, i) => calls - history.failed[i]);
  const lags = history.lag_s.filter((lag) => lag !== null).sort((a, b) => a - b);
  const lag = lags.length ? `From listing to confirmed: half of what came within ${span(lags[lags.length >> 1])}.` : "";
  $("lag").textContent = lag;
  show(
    "charts",
    lineChart("Entries on the firewalls", history, [
      { name: "held", values: history.held, color: 2 },
      { name: "confirmed", values: history.confirmed, color: 1 },
      { name: "desired", values: history.desired, color: 0, dash: true },
    ]),
    lineChart("Listings of all feeds", history, [{ name: "listed", values: history.listed, color: 0 }]),
    barChart("Calls", history, [
      { name: "applied", values: applied, color: 1 },
      { name: "not applied", values: history.failed, color: 3 },
    ]),
  );
};

// ---- Explain ------------------------------------------------------------------------------------------------------

const tellStory = (story) => {
  const parts = [];
  const now = story.now;
  for (const one of story.firewalls) {
    const blocked = one.blocked.length > 0;
    const verdict = blocked
      ? `blocked ${one.blocked.join(" and ")}`
      : one.partly
        ? "not blocked as a whole, but something inside it is"
        : "not blocked";
    const lines = [...one.entries.map((entry) => entry.text), ...one.reasons];
    parts.push(
      el(
        "article",
        { class: "card" },
        el("h3", {}, `${clean(story.indicator)} on ${clean(one.firewall)}: `, el("span", { class: blocked ? "good" : "warn" }, clean(verdict))),
        el("ul", {}, ...lines.map((line) => el("li", {}, clean(line)))),
      ),
    );
  }
  for (const subject of story.subjects) {
    const score = subject.score === null ? "" : `, score ${subject.score.toFixed(2)}`;
    const title = `${clean(subject.indicator)}${subject.itself ? "" : ", which holds it"}${score}`;
    const card = el("article", { class: "card" }, el("h3", {}, title), el("p", {}, `Guards: ${clean(subject.guards)}`));
    if (subject.listings.length === 0) card.append(el("p", { class: "soft" }, "No feed lists it."));
    else
      card.append(
        table(
          `Listings of ${subject.indicator}`,
          [
            ["Feed", "main", (claim) => clean(claim.feed)],
            ["List", null, (claim) => clean(claim.list)],
            ["First listed", null, (claim) => stamp(claim.first_listed, now)],
            ["Delisted", null, (claim) => (claim.delisted_at ? stamp(claim.delisted_at, now) : "no")],
            ["Ends", null, (claim) => (claim.expires ? stamp(claim.expires, now) : "–")],
            ["Confidence", "number", (claim) => `${claim.confidence} %`],
          ],
          subject.listings,
        ),
      );
    parts.push(card);
  }
  for (const word of story.by_hand) {
    const until = word.until ? ` until ${utc(seconds(word.until))}` : " for good";
    parts.push(el("p", {}, `By hand: ${clean(word.indicator)} ${word.block ? "blocked" : "never to be blocked"}${until}: ${clean(word.reason)}`));
  }
  if (story.calls.length)
    parts.push(
      table(
        "Calls",
        [
          ["Call", "main", (call) => `${call.id}, ${clean(call.action)} ${clean(call.indicator)}`],
          ["Sent", null, (call) => stamp(call.sent_at, now)],
          ["Firewall", null, (call) => clean(call.firewall)],
          ["Verdict", null, (call) => clean([call.verdict ?? "no answer yet", call.code, call.message].filter(Boolean).join(": "))],
          ["RequestId", "mono", (call) => clean(call.request_id ?? "–")],
        ],
        story.calls,
      ),
    );
  show("story", ...parts);
};

const explain = async (ioc) => {
  show("story", el("p", { class: "soft" }, "Asking…"));
  try {
    tellStory(await ask(`/api/explain?ioc=${encodeURIComponent(ioc)}`));
  } catch (fault) {
    if (fault instanceof Refused) return wantToken();
    show("story", el("p", { class: "bad" }, clean(fault.message)));
  }
};

// What is asked stands in the address, to be passed on to a colleague.
$("explain").addEventListener("submit", (event) => {
  event.preventDefault();
  const ioc = $("ioc").value.trim();
  if (!ioc) return;
  history.replaceState(null, "", `?ioc=${encodeURIComponent(ioc)}`);
  explain(ioc);
});

// ---- The rounds ---------------------------------------------------------------------------------------------------

const refresh = async () => {
  try {
    const [status, quarantine, health] = await Promise.all([ask("/api/status"), ask("/api/quarantine"), ask("/healthz")]);
    lastGood = Date.now();
    const now = status.now;
    $("banner").hidden = health.healthy;
    $("banner").textContent = health.healthy ? "" : `It stands still: ${clean(health.sentence)}.`;
    $("login").hidden = true;
    $("content").hidden = false;
    show("firewalls", ...status.firewalls.map((one) => firewallCard(one, now)));
    if (!status.firewalls.length) show("firewalls", el("p", { class: "soft" }, "No firewall is known yet."));
    const calm = el("li", { class: "calm" }, el("span", { class: "badge good" }, "Nothing needs you."));
    show("needs", ...(status.needs.length ? status.needs.map(needItem) : [calm]));
    for (const note of status.notes) $("needs").append(el("li", { class: "calm" }, clean(note)));
    const feeds = [...status.feeds].sort((a, b) => TROUBLED(a) - TROUBLED(b) || a.name.localeCompare(b.name));
    show("feeds", feedTable(feeds, now));
    show("approvals", approvals(status));
    show("quarantine", quarantineTable(quarantine, now));
    if (quarantine.length > 200) $("quarantine").append(el("p", { class: "soft" }, `and ${number(quarantine.length - 200)} more: feedwall quarantine`));
    $("about").textContent = `feedwall ${clean(status.version)}, ledger ${clean(status.ledger)} (${bytes(status.ledger_bytes)})`;
    const bad = status.needs.length;
    const state = bad ? counted(bad, "thing needs you", "things need you") : health.healthy ? "nothing needs you" : "stalled";
    $("state").className = `badge ${bad || !health.healthy ? "bad" : "good"}`;
    $("state").textContent = `${state}, ${utc(seconds(now))} UTC`;
    document.title = bad ? `(${bad}) feedwall` : "feedwall";
    return true;
  } catch (fault) {
    complain(fault);
    return false;
  }
};

const refreshHistory = async () => {
  // A reader who stands in a chart keeps it.
  if ($("charts").contains(document.activeElement)) return;
  try {
    drawHistory(await ask(`/api/history?hours=${hours}`));
  } catch (fault) {
    complain(fault);
  }
};

$("spans").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  hours = Number(button.dataset.hours);
  for (const one of $("spans").children) one.setAttribute("aria-pressed", one === button);
  refreshHistory();
});

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", $("token").value.trim());
  $("token").value = "";
  if (await refresh()) await refreshHistory();
});

let resized = null;
new ResizeObserver(() => {
  clearTimeout(resized);
  resized = setTimeout(() => lastHistory && !$("charts").contains(document.activeElement) && drawHistory(lastHistory), 150);
}).observe($("content"));

const round = (every, what) => setInterval(() => document.hidden || !$("login").hidden || what(), every);
document.addEventListener("visibilitychange", () => document.hidden || !$("login").hidden || refresh());
(async () => {
  const asked = new URLSearchParams(location.search).get("ioc");
  $("ioc").value = asked ?? "";
  if (await refresh()) {
    if (asked) explain(asked);
    await refreshHistory();
  }
  round(STATUS_EVERY, refresh);
  round(HISTORY_EVERY, refreshHistory);
})();
