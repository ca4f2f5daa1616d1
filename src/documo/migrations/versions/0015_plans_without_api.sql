-- Whether the account's plan includes access to the API: SCIM, tokens and events.
alter table accounts add column api_enabled boolean not null default true;

drop trigger account_audit on accounts;
create trigger account_audit after insert or update on accounts for each row
    execute function audit_row('Account', 'id', 'name', 'name', 'plan', 'seats', 'default_role', 'profile', 'restore_policy', 'hold_names',
        'undelete_days', 'indirect_groups', 'patch_answer', 'rate_per_second', 'rate_burst', 'custom_schemas', 'custom_resource_types',
        'custom_extensions', 'audit_days', 'api_enabled', 'scim_enabled');
