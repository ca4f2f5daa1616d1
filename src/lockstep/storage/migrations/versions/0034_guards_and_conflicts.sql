update operation set error = error || jsonb_build_object('guard', error -> 'code')
where (state = 'held' or decision is not null)
    and error ->> 'code' in ('TooManyDeletes', 'TooManyGrants', 'TooManyEmptied', 'TooManyRenames', 'PrivilegedMatch', 'AnothersAccount');

-- Only what a unique value was refused for during the last day is read again.
update operation set error = error || '{"is_conflict": true}'
where action = 'create' and state = 'refused' and error ->> 'code' = 'Conflict' and planned_at > now() - interval '2 days';
