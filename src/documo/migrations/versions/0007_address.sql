-- The address of the process that started last: its public URL or, without one, its host and port.
create table service_address (
    is_only boolean primary key default true check (is_only),
    url text not null
);
