comment on column activity.minutes is 'the row is the sum of so many minutes: 0 (one batch), 1, 30 or 1440';
create index activity_to_sum_by_day on activity (at) where minutes = 30;
