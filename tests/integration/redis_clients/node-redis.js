import { createClient, RESP_TYPES } from "redis";
import { assert, here, password, run, there, until } from "./common.js";

async function application(index, options) {
  const made = [];
  const connect = async (where, more = {}) => {
    const client = createClient({ socket: { ...where, reconnectStrategy: false }, password, ...options, ...more });
    client.on("error", () => {}); // what matters rejects
    made.push(client);
    return client.connect();
  };
  const key = (name) => `node-redis${index}:${name}`;
  const one = await connect(here);
  const two = await connect(there);
  assert.equal(await one.ping(), "PONG");

  assert.equal(await one.set(key("greeting"), "hello"), "OK");
  assert.equal(await one.get(key("greeting")), "hello");
  assert.equal(await one.get(key("nothing")), null);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  await one.set(key("bytes"), bytes);
  assert.deepEqual(await one.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get(key("bytes")), bytes);
  await until(async () => (await two.get(key("greeting"))) === "hello", "the value on the other node");

  await one.set(key("short"), "1", { expiration: { type: "PX", value: 60_000 } });
  assert.ok((await one.pTTL(key("short"))) > 0);
  await one.set(key("short"), "2", { expiration: "KEEPTTL" });
  assert.ok((await one.ttl(key("short"))) > 50);
  assert.equal(await one.set(key("short"), "3", { GET: true }), "2");
  assert.equal(await one.getEx(key("short"), { type: "EX", value: 100 }), "3");
  assert.equal(await one.expire(key("greeting"), 100), 1);
  assert.ok((await one.ttl(key("greeting"))) > 90);
  assert.equal(await one.persist(key("greeting")), 1);
  assert.equal(await one.ttl(key("greeting")), -1);
  assert.equal(await one.expireAt(key("greeting"), new Date(1000)), 1);
  assert.equal(await one.exists(key("greeting")), 0);
  assert.equal(await one.type(key("bytes")), "string");

  assert.equal(await one.incr(key("count")), 1);
  assert.equal(await one.incrBy(key("count"), 41), 42);
  assert.equal(await one.decr(key("count")), 41);
  await assert.rejects(one.incr(key("bytes")), /ERR value is not an integer or out of range/);
  await assert.rejects(one.sendCommand(["NOSUCHCOMMAND", "x"]), /ERR unknown command 'NOSUCHCOMMAND'/);

  assert.equal(await one.mSet([[key("m1"), "1"], [key("m2"), "2"]]), "OK");
  assert.deepEqual(await one.mGet([key("m1"), key("none"), key("m2")]), ["1", null, "2"]);
  assert.equal(await one.getDel(key("m1")), "1");
  assert.equal(await one.del([key("m1"), key("m2")]), 1);

  const names = Array.from({ length: 60 }, (_, number) => key(`page:${number}`)).sort();
  await Promise.all(names.map((name) => one.set(name, "x"))); // sent as one pipeline
  const found = [];
  for await (const page of one.scanIterator({ MATCH: key("page:*"), COUNT: 7 })) found.push(...page);
  assert.deepEqual(found.sort(), names);

  const results = await one.multi().set(key("t"), "1").incr(key("t")).get(key("t")).get(key("none")).exec();
  assert.deepEqual(results, ["OK", 2, "2", null]);
  await assert.rejects(one.multi().set(key("t"), "abc").incr(key("t")).exec(), (problem) =>
    problem.replies[0] === "OK" && /not an integer/.test(problem.replies[1].message));
  await assert.rejects(one.multi().addCommand(["NOSUCHCOMMAND"]).exec(), /unknown command|EXECABORT/);

  const lock = { condition: "NX", expiration: { type: "PX", value: 60_000 } };
  assert.equal(await one.set(key("lock"), "me", lock), "OK");
  assert.equal(await two.set(key("lock"), "you", lock), null);
  assert.equal(await two.get(key("lock")), "me");
  assert.equal(await one.del(key("lock")), 1);
  await until(async () => (await two.set(key("lock"), "you", lock)) === "OK", "the free lock");

  const subscriber = await connect(there);
  const heard = [];
  const listener = (text, channel) => heard.push([channel, text]);
  await subscriber.subscribe(key("news"), listener);
  await subscriber.pSubscribe(key("n?ws"), listener);
  await one.publish(key("news"), "one");
  await until(() => heard.length === 2, `both messages: ${heard}`);
  assert.deepEqual(heard, [[key("news"), "one"], [key("news"), "one"]]);
  await subscriber.unsubscribe();
  await subscriber.pUnsubscribe();
  assert.equal(String(await subscriber.ping()), "PONG"); // a Buffer in RESP2, with any server

  const another = await connect(here, { database: 7, name: "visitor" });
  assert.equal(await another.get(key("count")), null);
  assert.equal(await another.clientGetName(), "visitor");
  assert.equal((await another.clientInfo()).db, 7);
  await another.set(key("count"), "of db 7");
  assert.equal(await one.get(key("count")), "41");

  await assert.rejects(connect(here, { password: "not the password" }), /WRONGPASS/);
  await one.close();
  for (const client of made.slice(1)) client.destroy();
}

run(async () => {
  await application(0, {});
  await application(1, { RESP: 2 });
  await application(2, { RESP: 3, database: 2 });
  await application(3, { username: "default", commandOptions: { timeout: 30_000 } });
});
