/** Whether a server on a standard port is one that tests can use: it answers, and lets us in as its administrator. */
import { once } from "node:events";
import { connect } from "node:net";
import { createConnection } from "mariadb";
import postgres from "postgres";

/** @param {string} url */
export async function postgresAnswers(url) {
  const sql = postgres(url, { max: 1, connect_timeout: 3, onnotice: () => {} });
  try {
    const [row] = await sql`SELECT rolsuper FROM pg_roles WHERE rolname = current_user`;
    return row?.rolsuper === true;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Also makes sure that the URL's database is there. @param {string} url */
export async function mysqlAnswers(url) {
  const { hostname, port, username, pathname } = new URL(url);
  try {
    const connection = await createConnection({
      host: hostname,
      port: Number(port),
      user: username,
      connectTimeout: 3000,
    });
    await connection.query(`CREATE DATABASE IF NOT EXISTS \`${pathname.slice(1)}\``);
    await connection.end();
    return true;
  } catch {
    return false;
  }
}

/** @param {string} url */
export async function redisAnswers(url) {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), timeout: 3000 });
  try {
    await once(socket, "connect");
    socket.write("PING\r\n");
    const [reply] = await once(socket, "data", { signal: AbortSignal.timeout(3000) });
    return String(reply).startsWith("+PONG");
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
