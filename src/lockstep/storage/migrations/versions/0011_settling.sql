-- The queries that find the account of a create whose response was lost: [{"attribute": ..., "value": ...}], in order of precedence, as sent.
alter table operation add column queries jsonb;
-- The match keys after the first one, if people are matched by several attributes.
alter table operation add column other_keys text[];
create index operation_other_keys on operation using gin (other_keys)
    where other_keys is not null and state in ('planned', 'ambiguous');
-- Find the object that an account was created for, by the account.
create index operation_made on operation (job, target_id) where action = 'create' and target_id <> '';
-- False after a change of members with unknown outcome: the application may or may not have the member.
alter table target_member add column is_sure boolean not null default true;
