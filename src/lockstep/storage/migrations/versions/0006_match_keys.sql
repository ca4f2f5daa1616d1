-- For creates: a hash of the job, the kind, the matching attribute and its value (folded). It says all that is asked by it, so that
-- no other index can look better to a planner that does not know the table yet.
alter table operation add column match_key text;
create index operation_match_key on operation (match_key) where match_key is not null;
