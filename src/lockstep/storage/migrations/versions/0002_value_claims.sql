-- Values that were chosen for one object because no account has them (SelectUniqueValue). They are claimed before the account is created, so
-- that no two objects get the same value. A claim is void when its holder neither has an account nor waits to be processed.
create table value_claim (
    job text not null,
    kind text not null,
    attribute text not null,
    value text not null, -- folded for comparison
    source_id uuid not null,
    claimed_at timestamptz not null default now(),
    primary key (job, kind, attribute, value)
);
create index value_claim_holder on value_claim (job, kind, source_id);

create or replace function forget_job() returns trigger language plpgsql as $$
begin
    delete from dirty where job = old.id;
    delete from operation where job = old.id;
    delete from link where job = old.id;
    delete from target_index where job = old.id;
    delete from target_member where job = old.id;
    delete from value_claim where job = old.id;
    return old;
end
$$;
