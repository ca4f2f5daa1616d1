-- When the member last proved who they are in this session. Sessions of the version before must be confirmed before a sensitive change.
alter table member_sessions add column confirmed_at timestamptz not null default 'epoch';
-- When the identity provider last asked the person for their credentials, if it says so.
alter table sso_tickets add column authenticated_at timestamptz;
