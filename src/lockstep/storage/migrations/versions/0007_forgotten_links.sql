-- A restart that forgets who has which account must not forget whose access is to end: the link of somebody who is not to have an account
-- any more is all that leads to it. So it stays until its object has been matched anew, and holds the account against nobody.
alter table link add column is_forgotten boolean not null default false;
drop index link_target;
create unique index link_target on link (job, kind, target_id) where state <> 'tombstone' and not is_forgotten;
