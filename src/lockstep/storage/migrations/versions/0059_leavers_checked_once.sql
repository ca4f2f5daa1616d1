alter table job add column leavers_checked boolean not null default false; -- since the accounts that were disabled last were marked
