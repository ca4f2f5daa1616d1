-- Answers to API requests with an idempotency key. The body is sealed: it may contain a new token.
create table api_answer (
    caller text not null,
    key text not null,
    request bytea not null,
    status integer,
    headers jsonb,
    body bytea,
    created_at timestamptz not null default now(),
    primary key (caller, key)
);
create index api_answer_by_age on api_answer (created_at);
