-- A trigram index finds a part of a text. It only saves time: without pg_trgm, which some installations of PostgreSQL lack or do not permit,
-- the same searches read the table. It cannot be on resources: LIKE is not leakproof, so PostgreSQL would not use it behind the policy.
do $$
begin
    if not exists (select from pg_available_extensions where name = 'pg_trgm') then
        raise notice 'pg_trgm is not installed: searching reads whole tables';
        return;
    end if;
    create extension if not exists pg_trgm;
    -- The same expression as in store/member_search.py.
    create index resource_search_names on resource_search using gin ((
        (document->>'userName') || chr(10) || coalesce(document->>'displayName',
        coalesce(document->'name'->>'givenName', '') || ' ' || coalesce(document->'name'->>'familyName', ''))) gin_trgm_ops)
        where kind = 'User';
exception when insufficient_privilege or undefined_object then
    raise notice 'pg_trgm may not be used here: searching reads whole tables';
end $$;
