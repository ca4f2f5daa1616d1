-- The secret is a bearer token, the secret of an OAuth 2.0 client, or the password of Basic; client_id is the client or the user name.
alter table credential
    add column authentication text not null default 'bearer',
    add column client_id text not null default '',
    add column token_url text not null default '',
    add column scope text not null default '';
drop trigger retry_with_new_credentials on credential;
create trigger retry_with_new_credentials
    after insert or update of tenant_url, secret, authentication, client_id, token_url, scope on credential
    for each row execute function retry_with_new_credentials();
