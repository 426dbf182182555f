-- What the own rows use beside the copied fixture: loaded after it, as superuser, into the same database.
CREATE FUNCTION shop.lock_seen(int) RETURNS bool LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM pg_advisory_lock(780); RETURN true; END $$;
CREATE DOMAIN shop.guarded AS int CHECK (shop.lock_seen(VALUE));
CREATE DOMAIN shop.nested AS shop.guarded CHECK (VALUE < 1000);
CREATE TYPE shop.pair AS (a shop.guarded, b text);
CREATE TYPE shop.coin AS (n int);
CREATE FUNCTION shop.to_coin(text) RETURNS shop.coin LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM pg_advisory_lock(781); RETURN ROW(1)::shop.coin; END $$;
CREATE CAST (text AS shop.coin) WITH FUNCTION shop.to_coin(text);
CREATE AGGREGATE shop.locking_sum(int) (sfunc = shop.op_lock, stype = int, initcond = '0');
CREATE VIEW shop.v_lock AS SELECT shop.op_lock(1, 2) AS held;
CREATE VIEW shop.v_over_lock AS SELECT held + 1 AS more FROM shop.v_lock;
CREATE VIEW shop.v_next AS SELECT nextval('shop.seq') AS n;
-- for ordinary statements
CREATE DOMAIN shop.percent AS numeric CHECK (VALUE BETWEEN 0 AND 100);
CREATE FUNCTION shop.initials(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT string_agg(left(w, 1), '') FROM unnest(string_to_array(name, ' ')) AS w $$;
CREATE FUNCTION shop.orders_of(customer int) RETURNS SETOF shop.orders LANGUAGE sql STABLE AS 'SELECT * FROM shop.orders WHERE customer_id = customer';
CREATE AGGREGATE shop.product(numeric) (sfunc = numeric_mul, stype = numeric, initcond = '1');
GRANT USAGE ON TYPE shop.percent TO PUBLIC;
GRANT SELECT ON shop.v_lock, shop.v_over_lock, shop.v_next TO safety_user, safety_ro;
