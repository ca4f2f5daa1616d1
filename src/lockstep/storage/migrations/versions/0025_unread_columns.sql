alter table source drop column completed_generation; -- written, never read
