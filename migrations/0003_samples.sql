-- How things went: a row a minute, and calls counted for good, for metrics and the dashboard.

-- The whole of it at a minute. `calls`, `entries` and `failed` count since the ledger began, so that rows can be
-- thinned out without losing any.
CREATE TABLE samples (
    at        INTEGER PRIMARY KEY, -- a whole minute
    listed    INTEGER NOT NULL,
    desired   INTEGER NOT NULL,
    held      INTEGER NOT NULL,
    confirmed INTEGER NOT NULL,
    calls     INTEGER NOT NULL,
    entries   INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    -- Seconds from an indicator's listing to its entry's first confirmation: the median of those that this minute
    -- brought; NULL where it brought none.
    lag       INTEGER
) STRICT;

-- Calls that were answered or given up, counted over the journal's own end of memory.
CREATE TABLE call_totals (
    firewall_id INTEGER NOT NULL REFERENCES firewalls (id) ON DELETE CASCADE,
    action      TEXT    NOT NULL,
    verdict     TEXT    NOT NULL,
    calls       INTEGER NOT NULL,
    entries     INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    PRIMARY KEY (firewall_id, action, verdict)
) STRICT, WITHOUT ROWID;

INSERT INTO call_totals
SELECT firewall_id, action, verdict, count(*), sum(count), coalesce(sum(duration_ms), 0)
FROM calls WHERE settled_ms IS NOT NULL AND verdict IS NOT NULL GROUP BY 1, 2, 3;

CREATE TRIGGER calls_counted AFTER UPDATE OF settled_ms ON calls
WHEN OLD.settled_ms IS NULL AND NEW.settled_ms IS NOT NULL AND NEW.verdict IS NOT NULL
BEGIN
    INSERT INTO call_totals VALUES
        (NEW.firewall_id, NEW.action, NEW.verdict, 1, NEW.count, coalesce(NEW.duration_ms, 0))
    ON CONFLICT (firewall_id, action, verdict) DO UPDATE SET calls = calls + 1,
        entries = entries + excluded.entries, duration_ms = duration_ms + excluded.duration_ms;
END;

-- When a read-back first saw the entry.
ALTER TABLE leases ADD COLUMN seen_at INTEGER;
UPDATE leases SET seen_at = confirmed_at;
