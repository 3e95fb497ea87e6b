-- The ledger. Times are Unix seconds unless the name says _ms. A `key` is an indicator's canonical bytes
-- (src/model/indicator.rs); its order is the indicators' order, and listings and leases are stored in it.

PRAGMA application_id = 0x6677616c; -- "fwal"

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A feed's name is its identity. Its terms are those last in force, so that one that left the config can
-- still age out by them.
CREATE TABLE feeds (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    configured    INTEGER NOT NULL DEFAULT 1,
    ttl           INTEGER NOT NULL,
    confidence    INTEGER NOT NULL,
    directions    INTEGER,
    list          INTEGER NOT NULL,
    mode          TEXT    NOT NULL,
    on_delist     TEXT    NOT NULL,
    max_age       INTEGER,
    -- Committed with the delta that they belong to, never before it.
    recipe        TEXT,
    validators    TEXT, -- ETag, Last-Modified and who gave them, as JSON
    body_sha256   BLOB,
    -- Since when the recorded body is the same.
    body_since    INTEGER,
    -- 'feed', or 'guard': its listings say what must not be blocked, and never age out. How far their names reach.
    role          TEXT    NOT NULL DEFAULT 'feed',
    reach         TEXT,
    listed        INTEGER NOT NULL DEFAULT 0,
    rejected      INTEGER NOT NULL DEFAULT 0,
    -- Moves with every change of a listing, so that a plan knows what it need not read again.
    revision      INTEGER NOT NULL DEFAULT 0,
    -- When the operator last withdrew all its listings: that they go is his word, and no brake holds it.
    dropped_at    INTEGER,
    last_poll     INTEGER,
    last_good     INTEGER,
    last_change   INTEGER,
    next_poll     INTEGER,
    polls         INTEGER NOT NULL DEFAULT 0,
    failures      INTEGER NOT NULL DEFAULT 0,
    state         TEXT    NOT NULL DEFAULT 'new',
    trouble       TEXT
) STRICT;

-- One feed's claim about one indicator. While listed by a snapshot feed, `expires_at` is NULL and derived
-- from the feed's last good fetch, so that a poll that changes nothing writes no row here.
CREATE TABLE listings (
    feed_id      INTEGER NOT NULL REFERENCES feeds (id),
    key          BLOB    NOT NULL,
    first_listed INTEGER NOT NULL,
    -- One look instead of five at each row of a million: it is listed, and nothing else is known of it.
    plain        INTEGER NOT NULL GENERATED ALWAYS AS (
                     expires_at IS NULL AND valid_until IS NULL AND dated IS NULL
                     AND confidence IS NULL AND relisted = 0) STORED,
    expires_at   INTEGER,
    delisted_at  INTEGER,
    valid_until  INTEGER,
    dated        INTEGER,
    confidence   INTEGER,
    relisted     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (feed_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX listings_ending ON listings (expires_at) WHERE expires_at IS NOT NULL;

-- A snapshot that was not believed, kept so that the operator can approve exactly that body.
CREATE TABLE held_snapshots (
    feed_id     INTEGER PRIMARY KEY REFERENCES feeds (id),
    body_sha256 BLOB    NOT NULL,
    reason      TEXT    NOT NULL,
    held_at     INTEGER NOT NULL,
    approved_at INTEGER
) STRICT;

-- The body of a held snapshot in pieces, so that none of them keeps a settle waiting.
CREATE TABLE held_parts (
    feed_id INTEGER NOT NULL REFERENCES feeds (id),
    part    INTEGER NOT NULL,
    bytes   BLOB    NOT NULL,
    UNIQUE (feed_id, part)
) STRICT;

CREATE TABLE firewalls (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    configured INTEGER NOT NULL DEFAULT 1,
    -- Nothing is sent before this moment: backoff, or a cause for stopping that must pass first.
    not_before INTEGER,
    failures   INTEGER NOT NULL DEFAULT 0,
    trouble    TEXT,
    trouble_since INTEGER,
    -- The last plan, for `status`: what should be there, and what was left out and why (JSON).
    planned_at INTEGER,
    desired    INTEGER NOT NULL DEFAULT 0,
    pending    INTEGER NOT NULL DEFAULT 0,
    left_out   TEXT    NOT NULL DEFAULT '{}',
    -- Deletes that the last plan wanted, and those of them that wait for `feedwall approve --firewall`.
    wanted_deletes INTEGER NOT NULL DEFAULT 0,
    held_deletes   INTEGER NOT NULL DEFAULT 0,
    -- The last whole read-back of the cloud's list.
    read_at    INTEGER,
    -- When a reading began that has not come to its end, so that its calls and a successor's share no second.
    reading_since INTEGER,
    -- Why the list must be read before the next plan; NULL where nothing asks for it.
    read_wanted TEXT,
    drift      TEXT, -- what it found, counted (JSON)
    -- The operator took everything back and wants quiet until `feedwall resume`.
    withdrawn  INTEGER NOT NULL DEFAULT 0,
    "foreign"  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One entry that we hold on a firewall until its EndTime. `doubt` names the action whose answer never came.
CREATE TABLE leases (
    firewall_id  INTEGER NOT NULL REFERENCES firewalls (id),
    list         INTEGER NOT NULL,
    key          BLOB    NOT NULL,
    direction    INTEGER NOT NULL,
    end_time     INTEGER NOT NULL,
    set_at       INTEGER NOT NULL,
    leased_at    INTEGER NOT NULL,
    call_id      INTEGER,
    doubt        TEXT,
    confirmed_at INTEGER,
    -- How often a read-back missed it, and whether a shortened EndTime was repaired: each once.
    missed       INTEGER NOT NULL DEFAULT 0,
    repaired     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (firewall_id, list, key, direction)
) STRICT, WITHOUT ROWID;

CREATE INDEX leases_end ON leases (firewall_id, end_time);

-- The journal: written before a call is sent, settled after. An unsettled row has an unknown outcome.
-- `entries` is the batch itself: (direction, key length, key) after one another.
CREATE TABLE calls (
    id          INTEGER PRIMARY KEY,
    firewall_id INTEGER NOT NULL REFERENCES firewalls (id),
    list        INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    end_time    INTEGER,
    count       INTEGER NOT NULL,
    entries     BLOB    NOT NULL,
    attempt     INTEGER NOT NULL,
    trial_id    INTEGER,
    sent_ms     INTEGER NOT NULL,
    settled_ms  INTEGER,
    verdict     TEXT,
    code        TEXT,
    message     TEXT,
    request_id  TEXT,
    duration_ms INTEGER
) STRICT;

CREATE INDEX calls_unsettled ON calls (firewall_id) WHERE settled_ms IS NULL;
CREATE INDEX calls_by_firewall ON calls (firewall_id, settled_ms);

-- Entries whose call was refused or failed, kept together until the bad one among them stands alone.
-- A trial waits for `waiting` others: a rest or a fork for its children, a refused probe for its parent. What
-- came of the children that are done is in `accepted`, `refused` and `code`.
CREATE TABLE trials (
    id          INTEGER PRIMARY KEY,
    firewall_id INTEGER NOT NULL REFERENCES firewalls (id),
    parent_id   INTEGER REFERENCES trials (id),
    role        TEXT    NOT NULL, -- retry, probe, rest, half, fork
    size        INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    not_before  INTEGER NOT NULL DEFAULT 0,
    waiting     INTEGER NOT NULL DEFAULT 0,
    accepted    INTEGER NOT NULL DEFAULT 0,
    refused     INTEGER NOT NULL DEFAULT 0,
    reduced     INTEGER NOT NULL DEFAULT 0,
    code        TEXT,
    message     TEXT,
    request_id  TEXT
) STRICT;

CREATE INDEX trials_by_firewall ON trials (firewall_id);
CREATE INDEX trials_by_parent ON trials (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE suspects (
    firewall_id INTEGER NOT NULL REFERENCES firewalls (id),
    list        INTEGER NOT NULL,
    key         BLOB    NOT NULL,
    direction   INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    trial_id    INTEGER NOT NULL REFERENCES trials (id),
    PRIMARY KEY (firewall_id, list, key, direction)
) STRICT, WITHOUT ROWID;

CREATE INDEX suspects_by_trial ON suspects (trial_id);

-- Entries that the cloud refused alone. They are not sent again until released.
CREATE TABLE quarantine (
    firewall_id INTEGER NOT NULL REFERENCES firewalls (id),
    list        INTEGER NOT NULL,
    key         BLOB    NOT NULL,
    direction   INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    message     TEXT    NOT NULL,
    request_id  TEXT,
    since       INTEGER NOT NULL,
    PRIMARY KEY (firewall_id, list, key, direction)
) STRICT, WITHOUT ROWID;

-- What others put on the cloud's list, as last read: never edited, deleted or added over.
CREATE TABLE foreign_entries (
    firewall_id INTEGER NOT NULL REFERENCES firewalls (id),
    list        INTEGER NOT NULL,
    key         BLOB    NOT NULL,
    direction   INTEGER NOT NULL,
    end_time    INTEGER,
    source      TEXT    NOT NULL,
    PRIMARY KEY (firewall_id, list, key, direction)
) STRICT, WITHOUT ROWID;

-- What entries earned, as last read.
CREATE TABLE hits (
    firewall_id INTEGER NOT NULL REFERENCES firewalls (id),
    list        INTEGER NOT NULL,
    key         BLOB    NOT NULL,
    direction   INTEGER NOT NULL,
    match_times INTEGER NOT NULL,
    last_hit    INTEGER,
    PRIMARY KEY (firewall_id, list, key, direction)
) STRICT, WITHOUT ROWID;

-- What a firewall turned out to refuse; believed for a day.
CREATE TABLE learned (
    firewall_id INTEGER NOT NULL REFERENCES firewalls (id),
    subject     TEXT    NOT NULL, -- 'class network', 'batch', 'quota'
    value       INTEGER,
    reason      TEXT    NOT NULL,
    learned_at  INTEGER NOT NULL,
    PRIMARY KEY (firewall_id, subject)
) STRICT, WITHOUT ROWID;

-- The operator's consent to deletes beyond `max_delete`.
CREATE TABLE delete_approvals (
    firewall_id INTEGER PRIMARY KEY REFERENCES firewalls (id),
    approved_at INTEGER NOT NULL,
    deletes     INTEGER NOT NULL
) STRICT;

-- The operator's own words: what is never to be blocked, for good (`allow`) or for a while (`unblock`), and
-- why something was blocked by hand.
CREATE TABLE hand_words (
    key    BLOB PRIMARY KEY,
    kind   TEXT    NOT NULL, -- guard, block
    until  INTEGER,
    reason TEXT    NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
