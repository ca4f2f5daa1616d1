alter table operation
    add column ends_access boolean not null default false, -- disabled, deleted, or switched off by an update
    add column renames boolean not null default false;     -- changes the value of a matching attribute
drop index operation_window;
create index operation_window on operation (job, planned_at)
    where action in ('disable', 'delete', 'create') or ends_access or grants or empties or renames;
