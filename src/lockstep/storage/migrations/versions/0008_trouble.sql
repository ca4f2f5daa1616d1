-- not_before is the time until which nothing is sent; trouble is the reason for the pauses.
alter table target_state add column trouble jsonb, drop column breaker, drop column breaker_until;
-- Read after every cycle, however many objects wait.
create index dirty_failing on dirty (job) where failures > 0;
