-- Jobs that treat people of nested groups as members of the groups above.
alter table job add column nested_groups boolean not null default false;

-- Which groups are below which, at any depth; a group is never below itself. Groups in the recycle bin are not followed.
create table nested_group (
    root uuid not null references grp on delete cascade,
    group_id uuid not null references grp on delete cascade,
    primary key (root, group_id)
);
create index nested_group_below on nested_group (group_id);

-- The given groups and all groups above and below them, including the recycle bin: to find the people whom a change may affect.
create function groups_above(p_groups uuid[]) returns setof uuid language sql stable as $$
    with recursive above (id) as (
        select unnest(p_groups)
        union
        select member.group_id from above join member on member.member_id = above.id and member.member_kind = 'Group'
    )
    select id from above
$$;
create function groups_below(p_groups uuid[]) returns setof uuid language sql stable as $$
    with recursive below (id) as (
        select unnest(p_groups)
        union
        select member.member_id from below join member on member.group_id = below.id and member.member_kind = 'Group'
    )
    select id from below
$$;

-- Nesting has changed below these groups: recompute what is below them, and below all groups above them.
create function refresh_nested_groups(p_changed uuid[]) returns void language plpgsql as $$
declare
    roots uuid[] := array(select groups_above(p_changed));
begin
    delete from nested_group where root = any(roots);
    insert into nested_group (root, group_id)
    with recursive below (root, group_id) as (
        select member.group_id, member.member_id
        from member join grp on grp.id = member.member_id and grp.deleted_at is null
        where member.member_kind = 'Group' and member.group_id = any(roots)
        union
        select below.root, member.member_id
        from below join member on member.group_id = below.group_id and member.member_kind = 'Group'
        join grp on grp.id = member.member_id and grp.deleted_at is null
    )
    select root, group_id from below where root <> group_id;
end
$$;

create function note_nested_members() returns trigger language plpgsql as $$
begin
    if exists (select from changed where member_kind = 'Group') then
        perform refresh_nested_groups(array(select distinct group_id from changed where member_kind = 'Group'));
    end if;
    return null;
end
$$;
create trigger nested_members_added after insert on member
    referencing new table as changed for each statement execute function note_nested_members();
create trigger nested_members_removed after delete on member
    referencing old table as changed for each statement execute function note_nested_members();

create function note_deleted_groups() returns trigger language plpgsql as $$
declare
    moved uuid[] := array(
        select now.id from now join before on before.id = now.id
        where (now.deleted_at is null) <> (before.deleted_at is null)
            and exists (select from member where member.member_id = now.id and member.member_kind = 'Group')
    );
begin
    if cardinality(moved) > 0 then
        perform refresh_nested_groups(moved);
    end if;
    return null;
end
$$;
create trigger nested_groups_deleted after update on grp
    referencing old table as before new table as now for each statement execute function note_deleted_groups();

select refresh_nested_groups(array(select distinct group_id from member where member_kind = 'Group'));

-- People in scope by assignment: directly, as direct members of an assigned group, or, if the job says so, as members of groups below it.
create or replace view effective_assignment as
    select app, principal_kind as kind, principal_id as object_id, role_id, null::uuid as via_group
    from assignment
    union all
    select assignment.app, member.member_kind, member.member_id, assignment.role_id, assignment.principal_id
    from assignment
    join member on member.group_id = assignment.principal_id
    join grp on grp.id = member.group_id and grp.deleted_at is null
    where assignment.principal_kind = 'Group' and member.member_kind = 'User'
    union all
    select distinct assignment.app, member.member_kind, member.member_id, assignment.role_id, assignment.principal_id
    from assignment
    join job on job.app = assignment.app and job.nested_groups
    join grp on grp.id = assignment.principal_id and grp.deleted_at is null
    join nested_group on nested_group.root = assignment.principal_id
    join member on member.group_id = nested_group.group_id
    where assignment.principal_kind = 'Group' and member.member_kind = 'User';

-- The members of a group for a job: its people and, if the job says so, those of the groups below it.
create function members_for(p_job text, p_group uuid) returns setof uuid language sql stable as $$
    select member_id from member where group_id = p_group and member_kind = 'User'
    union
    select member.member_id
    from job
    join nested_group on nested_group.root = p_group
    join member on member.group_id = nested_group.group_id and member.member_kind = 'User'
    where job.id = p_job and job.nested_groups
$$;
