/** Makes the services' URLs known to every test process before the first test runs. */
export function setup(): void {
  process.env.TEST_POSTGRES_URL ??= "postgres://postgres@127.0.0.1:5432/postgres";
  process.env.TEST_MYSQL_URL ??= "mysql://root@127.0.0.1:3306/test";
  process.env.TEST_REDIS_URL ??= "redis://127.0.0.1:6379";
}
