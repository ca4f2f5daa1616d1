-- Where the work on a dirty object continues. Before this column, the error text for people contained it.
alter table dirty add column resume jsonb;
comment on column dirty.resume is 'null: planned from the start';

update dirty set
    resume = jsonb_strip_nulls(jsonb_build_object(
        'stage', case
            when last_error ->> 'code' = 'LookAgain' and last_error -> 'look' = 'true' then 'lookAgain'
            when last_error ->> 'code' = 'LookAgain' then 'unanswered'
            when last_error ->> 'code' = 'Settled' then 'settled'
            when last_error ->> 'code' = 'MembersDue' then 'membersDue'
            when last_error ->> 'code' = 'NamesDue' then 'namesDue'
            when last_error -> 'isScheduled' = 'true' then 'scheduled'
            when last_error -> 'held' = 'true' then 'held'
            when last_error ->> 'code' = 'Quarantine' then 'fresh'
            else 'failed' end,
        'looks', nullif(last_error -> 'looks', '0'),
        'did', nullif(last_error ->> 'did', ''),
        'membersDue', nullif(last_error -> 'members', 'false'),
        'refusedMembers', last_error -> 'refusedMembers',
        'isAboutReferences', last_error -> 'isReference',
        'account', last_error ->> 'account',
        'isSlowed', last_error -> 'isSlowed')),
    last_error = jsonb_strip_nulls(jsonb_build_object(
        'code', last_error -> 'code', 'reason', last_error -> 'reason', 'nextStep', last_error -> 'nextStep'))
where last_error is not null;
