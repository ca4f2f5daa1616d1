-- Values that were chosen for somebody because nobody in the application had them (SelectUniqueValue). Taken before the account is
-- made, so that two people never get the same; void as soon as its holder has neither an account nor a turn to come.
create table value_claim (
    job text not null,
    kind text not null,
    attribute text not null,
    value text not null, -- as it is compared
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
