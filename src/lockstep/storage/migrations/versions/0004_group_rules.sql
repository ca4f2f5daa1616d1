-- The scoping filters that decide who is a member; null: members are added by hand or brought by a source.
-- review_at: when time alone may change the answer for somebody.
alter table grp add column rule jsonb, add column rule_review_at timestamptz;
create index grp_rule on grp (id) where rule is not null;
