-- Scheduling recognises officers by the keys kept here, through this function and without any right on a table.
-- Migrations of `visits` run before those of `scheduling`, whose role may therefore be missing still.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'wafd_scheduling') THEN
        CREATE ROLE wafd_scheduling LOGIN;
    END IF;
END
$$;

-- Compared under a fresh salt: how long it takes says nothing of the digest that is kept.
CREATE FUNCTION client_of_key(key_prefix text, key_digest bytea) RETURNS TABLE (client_id uuid, role text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH once AS MATERIALIZED (SELECT uuid_send(gen_random_uuid()) AS salt)
    SELECT client.id, client.role
    FROM once, api_key JOIN client ON client.id = api_key.client_id
    WHERE api_key.prefix = key_prefix AND api_key.revoked_at IS NULL
        AND sha256(api_key.digest || once.salt) = sha256(key_digest || once.salt);
END;

REVOKE ALL ON FUNCTION client_of_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION client_of_key TO wafd_scheduling;
GRANT USAGE ON SCHEMA visits TO wafd_scheduling; -- to find the function by its name; no table is opened by it
