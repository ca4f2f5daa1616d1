-- A held renaming: the person who would keep their account, and the new key.
alter table source_hold_object add column new_key text;

-- A new person with the employee id of a missing person may be the same person.
create index person_employee_id on person (source, (attributes->>'employeeId')) where deleted_at is null and attributes ? 'employeeId';

-- A name in the form for searching: lower case, without accents. Letters such as ø, which are not made with an accent, get a plain spelling.
create function folded(name text) returns text language sql immutable strict parallel safe return
    case when octet_length(name) = char_length(name) then lower(name) else
        replace(replace(replace(
            translate(lower(regexp_replace(normalize(name, NFD), U&'[\0300-\036F]', '', 'g')), 'ıłøđð', 'ilodd'),
        'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe') end;

-- All names of a person, one per line, with a line end before the first and after the last.
alter table person add column search_text text generated always as (folded(
    E'\n' || user_principal_name || E'\n' || coalesce(attributes->>'mail', '') || E'\n' || coalesce(attributes->>'displayName', '')
    || E'\n' || coalesce(attributes->>'givenName', '') || ' ' || coalesce(attributes->>'surname', '')
    || E'\n' || coalesce(attributes->>'surname', '') || ', ' || coalesce(attributes->>'givenName', '')
    || E'\n' || coalesce(attributes->>'employeeId', '') || E'\n')) stored;
