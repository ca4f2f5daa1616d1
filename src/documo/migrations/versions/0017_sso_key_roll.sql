-- An account has one key, and a second one during a rollover: the next or the retiring one. The constraint is deferrable so that one
-- statement can exchange their states.
drop trigger sso_key_audit on sso_keys;
alter table sso_keys drop constraint sso_keys_pkey;
alter table sso_keys
    add column thumbprint text,
    add column state text not null default 'active' check (state in ('next', 'active', 'retiring')),
    add column expires_at timestamptz,
    add column created_at timestamptz not null default statement_timestamp();
