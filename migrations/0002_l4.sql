-- Layer-4 proxy rules. A rule is here while it stands in the cloud, as far as we know; `rule` is the whole of it in
-- its one form (JSON, src/l4/rule.rs), so that equal rules are equal texts.

CREATE TABLE l4_rules (
    id         INTEGER PRIMARY KEY,
    rule_set   TEXT    NOT NULL,
    zone       TEXT    NOT NULL,
    proxy      TEXT    NOT NULL,
    rule_id    TEXT    NOT NULL, -- the cloud's name for it
    rule       TEXT    NOT NULL,
    tag        TEXT,
    -- The call that made it or last changed it; NULL where it was found by reading back.
    request_id TEXT,
    status     TEXT    NOT NULL, -- as last seen: progress, online, fail, …
    made_at    INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    UNIQUE (zone, proxy, rule_id)
) STRICT;

-- The journal: written before a call is sent, settled after. An unsettled row has an unknown outcome, and is settled
-- by reading the proxy's rules back. `items` is a JSON array of what the call carries.
CREATE TABLE l4_calls (
    id          INTEGER PRIMARY KEY,
    rule_set    TEXT    NOT NULL,
    zone        TEXT    NOT NULL,
    proxy       TEXT    NOT NULL,
    action      TEXT    NOT NULL, -- create, modify, delete
    items       TEXT    NOT NULL,
    count       INTEGER NOT NULL,
    sent_ms     INTEGER NOT NULL,
    settled_ms  INTEGER,
    verdict     TEXT, -- as in calls; `lost`: never answered, and not seen in a read-back
    code        TEXT,
    message     TEXT,
    request_id  TEXT,
    duration_ms INTEGER
) STRICT;

CREATE INDEX l4_calls_unsettled ON l4_calls (id) WHERE settled_ms IS NULL;
CREATE INDEX l4_calls_lost ON l4_calls (zone, proxy, sent_ms) WHERE verdict = 'lost';
