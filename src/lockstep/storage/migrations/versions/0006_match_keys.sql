-- A hash of the matching attribute and its value (folded), for creates.
alter table operation add column match_key text;
create index operation_match_key on operation (job, kind, match_key) where match_key is not null;
