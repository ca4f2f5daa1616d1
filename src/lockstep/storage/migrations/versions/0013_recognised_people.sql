-- A held renaming: who would keep their account under which new key.
alter table source_hold_object add column new_key text;

-- A newcomer with the employee id of somebody who is missing may be the same person.
create index person_employee_id on person (source, (attributes->>'employeeId')) where deleted_at is null and attributes ? 'employeeId';

-- A name as it is searched: small letters without accents. Letters that no accent makes are written as they are typed without them.
create function folded(name text) returns text language sql immutable strict parallel safe return
    case when octet_length(name) = char_length(name) then lower(name) else
        replace(replace(replace(
            translate(lower(regexp_replace(normalize(name, NFD), U&'[\0300-\036F]', '', 'g')), 'ıłøđð', 'ilodd'),
        'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe') end;

-- All that somebody may be called, one name a line, with a line end before the first and behind the last.
alter table person add column search_text text generated always as (folded(
    E'\n' || user_principal_name || E'\n' || coalesce(attributes->>'mail', '') || E'\n' || coalesce(attributes->>'displayName', '')
    || E'\n' || coalesce(attributes->>'givenName', '') || ' ' || coalesce(attributes->>'surname', '')
    || E'\n' || coalesce(attributes->>'surname', '') || ', ' || coalesce(attributes->>'givenName', '')
    || E'\n' || coalesce(attributes->>'employeeId', '') || E'\n')) stored;
