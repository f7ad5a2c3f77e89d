-- The functions and the view of Citus that `music-studio distribute` uses. They move no rows, and keep Citus' rules:
-- no foreign key from a local or reference table to a distributed one, none from a distributed table to a local one,
-- and none to a reference table in the transaction that has distributed its table in parallel.

CREATE TABLE placements (table_name regclass PRIMARY KEY, citus_table_type text NOT NULL, distribution_column text);
CREATE VIEW citus_tables AS SELECT * FROM placements;

CREATE FUNCTION type_of(relation oid) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce((SELECT citus_table_type FROM placements WHERE table_name = relation), 'local')
$$;

CREATE FUNCTION require_allowed_foreign_keys() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    key record;
BEGIN
    FOR key IN SELECT conname, type_of(conrelid) AS here, type_of(confrelid) AS there FROM pg_constraint WHERE contype = 'f'
    LOOP
        IF key.here <> 'distributed' AND key.there = 'distributed' THEN
            RAISE EXCEPTION 'cannot create foreign key constraint since foreign keys from reference tables and local '
                'tables to distributed tables are not supported' USING DETAIL = key.conname;
        ELSIF key.here = 'distributed' AND key.there = 'local' THEN
            RAISE EXCEPTION 'cannot create foreign key constraint since relations are not colocated or not '
                'referencing a reference table' USING DETAIL = key.conname;
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM require_allowed_foreign_keys();
END $$;
CREATE EVENT TRIGGER foreign_keys ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE') EXECUTE FUNCTION on_ddl();

CREATE FUNCTION create_reference_table(table_name regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO placements VALUES (table_name, 'reference', NULL);
    PERFORM require_allowed_foreign_keys();
END $$;

CREATE FUNCTION create_distributed_table(table_name regclass, distribution_column text, colocate_with text DEFAULT 'default')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('citus.multi_shard_modify_mode', true) IS DISTINCT FROM 'sequential' THEN
        RAISE EXCEPTION 'cannot execute ALTER TABLE because there was a parallel operation in the transaction';
    ELSIF colocate_with <> 'default' AND type_of(colocate_with::regclass) <> 'distributed' THEN
        RAISE EXCEPTION 'relation % is not distributed', colocate_with;
    END IF;
    INSERT INTO placements VALUES (table_name, 'distributed', distribution_column);
    PERFORM require_allowed_foreign_keys();
END $$;

CREATE FUNCTION truncate_local_data_after_distributing_table(function_name regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF type_of(function_name) <> 'distributed' THEN
        RAISE EXCEPTION 'supplied parameter is not a distributed relation';
    END IF;
    IF EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = function_name) THEN
        RAISE EXCEPTION 'cannot truncate a table referenced in a foreign key constraint';
    END IF;
END $$;
