-- For creates: a hash of the job, the kind, the matching attribute and its folded value. The key contains everything that is searched for, so
-- that a planner without statistics cannot prefer another index.
alter table operation add column match_key text;
create index operation_match_key on operation (match_key) where match_key is not null;
