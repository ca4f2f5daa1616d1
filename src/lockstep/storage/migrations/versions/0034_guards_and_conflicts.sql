update operation set error = error || jsonb_build_object('guard', error -> 'code')
where (state = 'held' or decision is not null)
    and error ->> 'code' in ('TooManyDeletes', 'TooManyGrants', 'TooManyEmptied', 'TooManyRenames', 'PrivilegedMatch', 'AnothersAccount');

-- Only the unique values that were refused during the last day are read again.
update operation set error = error || '{"is_conflict": true}'
where action = 'create' and state = 'refused' and error ->> 'code' = 'Conflict' and planned_at > now() - interval '2 days';
