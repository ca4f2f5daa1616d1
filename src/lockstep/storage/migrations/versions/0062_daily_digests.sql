-- A notice is written in the transaction of the event that it reports. A digest takes it in the transaction that writes the mail.
create table digest_notice (
    id bigint generated always as identity primary key,
    job text not null references job on delete cascade,
    kind text not null,
    event text not null unique,                -- the event that it reports, so that an event is reported once
    summary text not null,
    paragraphs text[] not null,
    points text[] not null,
    link text not null,
    facts jsonb not null,                      -- what it reports, to recognise that a later notice would say the same
    written_at timestamptz not null default now(),
    mail uuid references outgoing_mail on delete cascade   -- the digest that took it; null: it waits
);
create index digest_notice_waiting on digest_notice (job) where mail is null;
create index digest_notice_of_job on digest_notice (job, kind, written_at desc);
create index digest_notice_of_mail on digest_notice (mail);
