-- Of the last plan of a firewall: where its contest for places ended (JSON), a digest of what it was made of, and when
-- it would change though nothing else does. While these hold, a command need not go through everything that is listed
-- to say who has a place.

ALTER TABLE firewalls ADD COLUMN bar TEXT;
ALTER TABLE firewalls ADD COLUMN made_of TEXT NOT NULL DEFAULT '';
ALTER TABLE firewalls ADD COLUMN next_due INTEGER;
