-- What a create is looked for by when its answer was lost: [{"attribute": ..., "value": ...}], in order of precedence, as it was sent.
alter table operation add column queries jsonb;
-- Match keys beyond the first, where people are matched by several attributes.
alter table operation add column other_keys text[];
create index operation_other_keys on operation using gin (other_keys)
    where other_keys is not null and state in ('planned', 'ambiguous');
-- Which object an account was made for, asked by account.
create index operation_made on operation (job, target_id) where action = 'create' and target_id <> '';
-- False after a change of members with an unknown end: the application may or may not have the member.
alter table target_member add column is_sure boolean not null default true;
