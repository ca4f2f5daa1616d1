-- By kind of request: the failed requests since the last success of that kind (engine/decisions/patience.py, Streak).
alter table target_state add column streaks jsonb not null default '{}', drop column transport_failures;
-- A list that cannot be used is not read again in the same cycle.
alter table target_index_state add column given_up boolean not null default false;
