-- What the own rows use beside the copied fixture: loaded after it, as root, into the same database.
CREATE FUNCTION wrap_lock() RETURNS INT NO SQL RETURN GET_LOCK('sneaky', 0);
CREATE FUNCTION wrap_next() RETURNS BIGINT READS SQL DATA RETURN NEXTVAL(seq1);
CREATE VIEW v_lock AS SELECT GET_LOCK('sneaky', 0) AS held;
CREATE VIEW v_over_next AS SELECT n + 1 AS more FROM v_next;
CREATE FUNCTION shout(s VARCHAR(100)) RETURNS VARCHAR(100) DETERMINISTIC NO SQL RETURN UPPER(CONCAT(s, '!'));
CREATE FUNCTION margin(price DECIMAL(10,2), cost DECIMAL(10,2)) RETURNS DECIMAL(10,4) DETERMINISTIC NO SQL RETURN (price - cost) / NULLIF(price, 0);
