-- Attempts with unknown names: the first ones of an application and a network get their own records, the others are only counted.
alter table sign_in_log add column more int not null default 0;  -- number of further attempts that the record stands for
alter table sign_in_log add column refused_to bytea;             -- hash of application and network; null if the person is known
create index sign_in_log_refused on sign_in_log (refused_to, at desc) where refused_to is not null;
