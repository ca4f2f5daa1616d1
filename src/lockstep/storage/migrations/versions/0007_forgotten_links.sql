-- A restart that forgets which account belongs to which object must still end the access of leavers, and only the link leads to a leaver's
-- account. So a forgotten link stays until its object has been matched again, but other objects may take its account.
alter table link add column is_forgotten boolean not null default false;
drop index link_target;
create unique index link_target on link (job, kind, target_id) where state <> 'tombstone' and not is_forgotten;
