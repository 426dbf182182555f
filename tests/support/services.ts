/**
 * Where the real servers are. The global set-up found or started them and left their URLs in the environment; a missing
 * one is a failure, never a skipped test.
 */
function url(variable: string): string {
  const value = process.env[variable];
  if (value === undefined || value === "") throw new Error(`${variable} is not set: run the tests with npm test.`);
  return value;
}

/** An administrator's URL of the PostgreSQL server under test. */
export const postgresUrl = (): string => url("TEST_POSTGRES_URL");
/** An administrator's URL of the MariaDB (or MySQL) server under test. */
export const mysqlUrl = (): string => url("TEST_MYSQL_URL");
/** The Redis server under test. @public */
export const redisUrl = (): string => url("TEST_REDIS_URL");
