create table person (id bigint generated always as identity primary key, document jsonb not null);
create table run_count (at timestamptz not null default now());
insert into run_count default values;
