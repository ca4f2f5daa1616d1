-- The end of a session is logged unless the session expired: by signing out, by an Admin, or together with its member or account.
create or replace function audit_row() returns trigger language plpgsql as $$
declare
    actor constant jsonb := audit_actor();
    present constant jsonb := case tg_op when 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
    shown constant text[] := tg_argv[3:];
    account int := coalesce(present ->> 'tenant_id', present ->> 'id');
    name text := present ->> tg_argv[2];
    was jsonb;
    is_now jsonb;
begin
    if tg_op = 'DELETE' and not exists (select from accounts where id = account) then
        return null;  -- the account itself is being deleted
    end if;
    if present ? 'key_id' then
        select k.tenant_id, k.name into account, name from api_keys k where k.id = (present ->> 'key_id')::uuid;
    elsif tg_argv[2] = 'member_id' then
        select r.document ->> 'userName' into name from resources r where r.tenant_id = account and r.id = (present ->> 'member_id')::uuid;
    end if;
    if tg_op <> 'INSERT' then
        select jsonb_object_agg(e.key, e.value) into was from jsonb_each(to_jsonb(old)) as e where e.key = any(shown) and e.value <> 'null';
    end if;
    if tg_op <> 'DELETE' then
        select jsonb_object_agg(e.key, e.value) into is_now from jsonb_each(to_jsonb(new)) as e where e.key = any(shown) and e.value <> 'null';
    end if;
    if tg_op = 'UPDATE' then
        if was is not distinct from is_now then
            return null;
        end if;
        select differing(was, is_now), differing(is_now, was) into was, is_now;
    end if;
    insert into audit_log (tenant_id, actor_kind, actor_id, actor_name, activity, kind, object_id, object_name, before, after)
        values (account, actor ->> 'kind', (actor ->> 'id')::uuid, coalesce(actor ->> 'name', ''),
            case
                when tg_table_name = 'sso_attempts' then 'refuse'
                when tg_table_name = 'member_sessions' then 'end'
                when tg_op = 'INSERT' then 'create'
                when tg_op = 'DELETE' then 'delete'
                when is_now ? 'revoked_at' then 'revoke'
                when is_now ? 'verified_at' then 'verify'
                when is_now ? 'confirmed_at' then 'create'
                else 'change'
            end,
            tg_argv[0], present ->> tg_argv[1], coalesce(name, ''), was, is_now);
    return null;
end
$$;
create trigger session_ended_audit after delete on member_sessions for each row when (old.expires_at > now())
    execute function audit_row('Session', 'member_id', 'member_id', 'device', 'address', 'signed_in_at');

-- Log trusted issuers when they are added, and not only when they change.
drop trigger issuer_audit on trusted_issuers;
create trigger issuer_audit after insert or update on trusted_issuers for each row
    execute function audit_row('Trusted issuer', 'key_id', 'key_id', 'issuer', 'audience', 'jwks', 'subject');
