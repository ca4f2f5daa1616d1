-- % and :name are plain text here.
insert into person (document) values ('{"name": "100% :sure"}');
insert into run_count default values;
