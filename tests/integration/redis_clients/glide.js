import { Batch, Decoder, GlideClient, Logger, ProtocolVersion, TimeUnit } from "@valkey/valkey-glide";
import { assert, here, password, run, there, until } from "./common.js";

async function application(index, options) {
  const made = [];
  const connect = async (where, more = {}) => {
    const client = await GlideClient.createClient({
      addresses: [where], credentials: { password }, requestTimeout: 30_000, ...options, ...more });
    made.push(client);
    return client;
  };
  const key = (name) => `glide${index}:${name}`;
  const one = await connect(here);
  const two = await connect(there);
  assert.equal(await one.ping(), "PONG");

  assert.equal(await one.set(key("greeting"), "hello"), "OK");
  assert.equal(await one.get(key("greeting")), "hello");
  assert.equal(await one.get(key("nothing")), null);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  await one.set(key("bytes"), bytes);
  assert.deepEqual(await one.get(key("bytes"), { decoder: Decoder.Bytes }), bytes);
  await until(async () => (await two.get(key("greeting"))) === "hello", "the value on the other node");

  await one.set(key("short"), "1", { expiry: { type: TimeUnit.Milliseconds, count: 60_000 } });
  assert.ok((await one.pttl(key("short"))) > 0);
  assert.equal(await one.set(key("short"), "2", { expiry: "keepExisting", returnOldValue: true }), "1");
  assert.equal(await one.getex(key("short"), { expiry: { type: TimeUnit.Seconds, duration: 100 } }), "2");
  assert.ok((await one.ttl(key("short"))) > 90);
  assert.equal(await one.expire(key("greeting"), 100), true);
  assert.equal(await one.persist(key("greeting")), true);
  assert.equal(await one.ttl(key("greeting")), -1);
  assert.equal(await one.expire(key("greeting"), -1), true);
  assert.equal(await one.exists([key("greeting")]), 0);
  assert.equal(await one.type(key("bytes")), "string");

  assert.equal(await one.incr(key("count")), 1);
  assert.equal(await one.incrBy(key("count"), 41), 42);
  assert.equal(await one.decr(key("count")), 41);
  await assert.rejects(one.incr(key("bytes")), /value is not an integer or out of range/);
  await assert.rejects(one.customCommand(["NOSUCHCOMMAND", "x"]), /unknown command 'NOSUCHCOMMAND'/);

  assert.equal(await one.mset({ [key("m1")]: "1", [key("m2")]: "2" }), "OK");
  assert.deepEqual(await one.mget([key("m1"), key("none"), key("m2")]), ["1", null, "2"]);
  assert.equal(await one.getdel(key("m1")), "1");
  assert.equal(await one.del([key("m1"), key("m2")]), 1);

  const names = Array.from({ length: 60 }, (_, number) => key(`page:${number}`)).sort();
  await Promise.all(names.map((name) => one.set(name, "x")));
  const found = [];
  let cursor = "0";
  do {
    const [next, page] = await one.scan(cursor, { match: key("page:*"), count: 7 });
    found.push(...page);
    cursor = next;
  } while (cursor !== "0");
  assert.deepEqual(found.sort(), names);

  const transaction = new Batch(true).set(key("t"), "1").incr(key("t")).get(key("t")).get(key("none"));
  assert.deepEqual(await one.exec(transaction, true), ["OK", 2, "2", null]);
  const pipeline = new Batch(false).set(key("p"), "1").get(key("p")).del([key("p")]);
  assert.deepEqual(await one.exec(pipeline, true), ["OK", "1", 1]);
  await assert.rejects(one.exec(new Batch(true).set(key("t"), "abc").incr(key("t")), true), /not an integer/);

  const lock = { conditionalSet: "onlyIfDoesNotExist", expiry: { type: TimeUnit.Milliseconds, count: 60_000 } };
  assert.equal(await one.set(key("lock"), "me", lock), "OK");
  assert.equal(await two.set(key("lock"), "you", lock), null);
  assert.equal(await two.get(key("lock")), "me");
  assert.equal(await one.del([key("lock")]), 1);
  await until(async () => (await two.set(key("lock"), "you", lock)) === "OK", "the free lock");

  if (options.protocol !== ProtocolVersion.RESP2) { // this client receives messages in RESP3 only
    const heard = [];
    await connect(there, { pubsubSubscriptions: {
      channelsAndPatterns: { 0: new Set([key("news")]), 1: new Set([key("n?ws")]) },
      callback: (message) => heard.push([message.channel, message.message]) } });
    await until(async () => {
      await one.publish("one", key("news"));
      return heard.length >= 2;
    }, "both messages");
    assert.deepEqual(heard.slice(0, 2), [[key("news"), "one"], [key("news"), "one"]]);
  }

  const another = await connect(here, { databaseId: 7, clientName: "visitor" });
  assert.equal(await another.get(key("count")), null);
  assert.equal(await another.clientGetName(), "visitor");
  await another.set(key("count"), "of db 7");
  assert.equal(await one.get(key("count")), "41");
  assert.match(await one.info(), /redis_version:/);

  await assert.rejects(connect(here, { credentials: { password: "not the password" } }), /WRONGPASS|AuthenticationFailed/);
  for (const client of made) client.close();
}

Logger.setLoggerConfig("off"); // it tells of each error that is expected here
run(async () => {
  await application(0, {});
  await application(1, { protocol: ProtocolVersion.RESP2 });
  await application(2, { protocol: ProtocolVersion.RESP3, databaseId: 2, credentials: { username: "default", password } });
});
