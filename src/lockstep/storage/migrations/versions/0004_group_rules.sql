-- The scoping filters that decide membership; null: members are added by hand or by a source.
-- review_at: when a membership may change without any change of the person.
alter table grp add column rule jsonb, add column rule_review_at timestamptz;
create index grp_rule on grp (id) where rule is not null;
