-- What is still there and no longer wanted, so that `held` counts only what is desired.

-- Set by a plan that would have the entry gone.
ALTER TABLE leases ADD COLUMN unwanted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX leases_unwanted ON leases (firewall_id) WHERE unwanted = 1;

-- Deletes that 24 h may see, approvals included, by the last plan.
ALTER TABLE firewalls ADD COLUMN allowed_deletes INTEGER NOT NULL DEFAULT 0;
