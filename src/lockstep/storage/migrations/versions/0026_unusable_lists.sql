-- The last attempt to read this list failed permanently: the next full cycle tries once, not several times.
alter table target_index_state add column is_unusable boolean not null default false;
