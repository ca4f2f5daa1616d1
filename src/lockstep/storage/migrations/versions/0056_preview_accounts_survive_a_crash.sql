alter table preview_account set logged;
