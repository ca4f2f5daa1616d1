-- Documents stay with the account when their owner is deleted; *owner_name* is then the only information about the owner.
create table documents (
    tenant_id int not null references accounts,
    id uuid not null,
    name text not null,
    size bigint not null,
    owner_id uuid not null,
    owner_name text not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id)
);

-- The content in pieces, so that no upload or download needs a whole document in memory.
create table document_pieces (
    tenant_id int not null,
    document_id uuid not null,
    seq int not null,
    content bytea not null,
    primary key (tenant_id, document_id, seq),
    foreign key (tenant_id, document_id) references documents on delete cascade
);
alter table document_pieces alter column content set storage external;  -- most documents are compressed already

do $$
declare
    name text;
begin
    foreach name in array array['documents', 'document_pieces'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy tenant_wall on %I using (tenant_id = (select nullif(current_setting(''documo.tenant'', true), '''')::int))',
            name
        );
    end loop;
end
$$;
