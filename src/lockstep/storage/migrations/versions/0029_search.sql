-- Trigram indexes find a part of a text. They only save time: without pg_trgm, which some installations of PostgreSQL lack or do not
-- permit, the same searches read the tables.
do $$
begin
    if not exists (select from pg_available_extensions where name = 'pg_trgm') then
        raise notice 'pg_trgm is not installed: searching reads whole tables';
        return;
    end if;
    create extension if not exists pg_trgm;
    create index person_search on person using gin (search_text gin_trgm_ops);
    create index grp_search on grp using gin (folded(display_name) gin_trgm_ops) where deleted_at is null;
    -- The same expression as in storage/provisioning_log.py.
    create index provisioning_log_search on provisioning_log using gin (
        lower(source_display || ' ' || target_display || ' ' || target_id || ' ' || error_code || ' ' || reason) gin_trgm_ops);
exception when insufficient_privilege or undefined_object then
    raise notice 'pg_trgm may not be used here: searching reads whole tables';
end $$;
