-- Target attributes; empty if Lockstep created the account, an administrator chose it, or the row is older than this column.
alter table link add column matched_by text not null default '';
alter table operation add column matched_by text not null default '';
