-- The effect of a directory's DELETE on a user: 'delete' the user, or 'deactivate' the user permanently.
alter table accounts add column deprovision_action text not null default 'delete'
    constraint accounts_deprovision_action check (deprovision_action in ('delete', 'deactivate'));
-- True for a user whom a directory deleted but who was kept, deactivated. For SCIM clients the user does not exist.
alter table resources add column is_kept boolean not null default false;

drop trigger account_audit on accounts;
create trigger account_audit after insert or update on accounts for each row
    execute function audit_row('Account', 'id', 'name', 'name', 'plan', 'seats', 'default_role', 'profile', 'restore_policy', 'hold_names',
        'undelete_days', 'indirect_groups', 'patch_answer', 'rate_per_second', 'rate_burst', 'custom_schemas', 'custom_resource_types',
        'custom_extensions', 'audit_days', 'api_enabled', 'scim_enabled', 'deprovision_action');

-- For a kept user, the directory's DELETE is logged as deactivation, and an Admin's later deletion as deletion.
create or replace function audit_changed_resources() returns trigger language plpgsql as $$
declare
    actor constant jsonb := audit_actor();
begin
    insert into audit_log (tenant_id, actor_kind, actor_id, actor_name, activity, kind, object_id, object_name, before, after)
        select n.tenant_id, actor ->> 'kind', coalesce(actor -> 'of' ->> n.id::text, actor ->> 'id')::uuid, coalesce(actor ->> 'name', ''),
            case
                when o.deleted_at is null and n.is_kept then 'deactivate'
                when o.is_kept and n.deleted_at is null then 'activate'
                when (o.deleted_at is null or o.is_kept) and n.deleted_at is not null then 'delete'
                when o.deleted_at is not null and n.deleted_at is null then 'restore'
                when o.active and not n.active then 'deactivate'
                when n.active and not o.active then 'activate'
                when o.document = n.document and o.role is not distinct from n.role then 'set password'
                else 'change'
            end,
            n.kind, n.id::text, resource_name(n.kind, n.document),
            coalesce(differing(o.document, n.document), '{}'::jsonb) || changed.password,
            coalesce(differing(n.document, o.document), '{}'::jsonb) || changed.password
        from new_rows n join old_rows o on o.tenant_id = n.tenant_id and o.id = n.id
        cross join lateral (
            select case when o.password_hash is distinct from n.password_hash then '{"password": "***"}'::jsonb else '{}' end as password
        ) as changed
        where o.document <> n.document or o.active <> n.active or o.deleted_at is distinct from n.deleted_at
            or o.role is distinct from n.role or o.password_hash is distinct from n.password_hash;
    return null;
end
$$;
