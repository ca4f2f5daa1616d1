-- The paths that the operator of the machine specified. Other paths must be below the folder for sources' files whenever they are read.
-- Who specified the files of existing sources is unknown: they are still read, and `lockstep doctor` lists those outside the folder.
alter table source add column operator_files text[] not null default '{}';
update source set operator_files = array(
    select file->>'path' from jsonb_array_elements(case jsonb_typeof(config->'files') when 'array' then config->'files' else '[]' end) file
    where file->>'path' is not null
);
