alter table preview add column difference jsonb; -- from the complete preview before it: {earlier, changed, gone}
