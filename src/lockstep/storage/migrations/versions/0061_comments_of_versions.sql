alter table config_version rename column comment to activity;
alter table config_version add column comment text not null default '';
