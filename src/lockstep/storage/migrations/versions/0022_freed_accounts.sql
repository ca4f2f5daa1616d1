-- When a write last freed the account or its name for other objects: an object that is claimed at that moment cannot be woken.
alter table link add column freed_at timestamptz;
