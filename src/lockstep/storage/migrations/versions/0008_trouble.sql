-- One time until which nothing is sent (not_before) is enough; what the pauses are for stands beside it.
alter table target_state add column trouble jsonb, drop column breaker, drop column breaker_until;
-- Judged after every cycle, however many wait.
create index dirty_failing on dirty (job) where failures > 0;
