// How each client's script is called, and what two of them that speak alike share:
//   node SCRIPT.js PORT PASSWORD [OTHER_PORT]     prints OK, or ends with what was wrong
// OTHER_PORT is another node's endpoint: what is published or written here is seen there.
import assert from "node:assert/strict";

const [port, password, other = port] = process.argv.slice(2);
export const here = { host: "127.0.0.1", port: Number(port) };
export const there = { host: "127.0.0.1", port: Number(other) };
export { assert, password };

// Polls until the condition gives something; ends the script after ten seconds.
export async function until(condition, what) {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await new Promise((done) => setTimeout(done, 10))) {
    const value = await condition();
    if (value) return value;
  }
  assert.fail(`not within ten seconds: ${what}`);
}

export async function run(script) {
  const watchdog = setTimeout(() => assert.fail("still busy after a minute"), 60_000);
  await script();
  clearTimeout(watchdog);
  console.log("OK");
  process.exit(0); // whatever a client leaves behind
}

// ioredis and iovalkey have one interface.
export async function asIoredis(name, Redis, variants) {
  for (const [index, options] of variants.entries()) {
    const made = [];
    const connect = (where, more = {}) => {
      const client = new Redis({ ...where, password, retryStrategy: null, ...options, ...more });
      made.push(client);
      return client;
    };
    const key = (word) => `${name}${index}:${word}`;
    const one = connect(here);
    const two = connect(there);
    assert.equal(await one.ping(), "PONG");

    assert.equal(await one.set(key("greeting"), "hello"), "OK");
    assert.equal(await one.get(key("greeting")), "hello");
    assert.equal(await one.get(key("nothing")), null);
    assert.deepEqual(await one.getBuffer(key("greeting")), Buffer.from("hello"));
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await one.set(key("bytes"), bytes);
    assert.deepEqual(await one.getBuffer(key("bytes")), bytes);
    await until(async () => (await two.get(key("greeting"))) === "hello", "the value on the other node");

    assert.equal(await one.set(key("short"), "1", "PX", 60_000), "OK");
    assert.ok((await one.pttl(key("short"))) > 0);
    assert.equal(await one.expire(key("greeting"), 100), 1);
    assert.ok((await one.ttl(key("greeting"))) > 90);
    assert.equal(await one.persist(key("greeting")), 1);
    assert.equal(await one.ttl(key("greeting")), -1);
    assert.equal(await one.expire(key("greeting"), -1), 1);
    assert.equal(await one.exists(key("greeting")), 0);

    assert.equal(await one.incr(key("count")), 1);
    assert.equal(await one.incrby(key("count"), 41), 42);
    assert.equal(await one.decr(key("count")), 41);
    await assert.rejects(one.incr(key("bytes")), /ERR value is not an integer or out of range/);
    await assert.rejects(one.call("NOSUCHCOMMAND", "x"), /ERR unknown command 'NOSUCHCOMMAND'/i);

    await one.mset({ [key("m1")]: "1", [key("m2")]: "2" });
    assert.deepEqual(await one.mget(key("m1"), key("none"), key("m2")), ["1", null, "2"]);
    assert.equal(await one.getdel(key("m1")), "1");
    assert.equal(await one.del(key("m1"), key("m2")), 1);

    const names = Array.from({ length: 60 }, (_, number) => key(`page:${number}`)).sort();
    await Promise.all(names.map((name) => one.set(name, "x"))); // sent as one pipeline
    const found = [];
    for await (const page of one.scanStream({ match: key("page:*"), count: 7 })) found.push(...page);
    assert.deepEqual(found.sort(), names);

    const results = await one.multi().set(key("t"), "1").incr(key("t")).get(key("t")).get(key("none")).exec();
    assert.deepEqual(results, [[null, "OK"], [null, 2], [null, "2"], [null, null]]);
    const failing = await one.multi().set(key("t"), "abc").incr(key("t")).exec();
    assert.match(failing[1][0].message, /not an integer/);
    const piped = await one.pipeline().set(key("p"), "1").get(key("p")).del(key("p")).exec();
    assert.deepEqual(piped, [[null, "OK"], [null, "1"], [null, 1]]);

    assert.equal(await one.set(key("lock"), "me", "PX", 60_000, "NX"), "OK");
    assert.equal(await two.set(key("lock"), "you", "PX", 60_000, "NX"), null);
    assert.equal(await two.get(key("lock")), "me");
    assert.equal(await one.del(key("lock")), 1);
    await until(async () => (await two.set(key("lock"), "you", "PX", 60_000, "NX")) === "OK", "the free lock");

    const subscriber = connect(there);
    const heard = [];
    subscriber.on("message", (channel, text) => heard.push(["message", channel, text]));
    subscriber.on("pmessage", (pattern, channel, text) => heard.push(["pmessage", pattern, channel, text]));
    assert.equal(await subscriber.subscribe(key("news")), 1);
    assert.equal(await subscriber.psubscribe(key("n?ws")), 2);
    await one.publish(key("news"), "one");
    await until(() => heard.length === 2, () => `both messages: ${heard}`);
    assert.deepEqual(heard, [["message", key("news"), "one"], ["pmessage", key("n?ws"), key("news"), "one"]]);
    await subscriber.unsubscribe(key("news"));
    await subscriber.punsubscribe(key("n?ws"));
    assert.equal(await subscriber.get(key("count")), "41");

    const another = connect(here, { db: 7, connectionName: "visitor" });
    assert.equal(await another.get(key("count")), null);
    assert.equal(await another.client("GETNAME"), "visitor");
    await another.set(key("count"), "of db 7");
    assert.equal(await one.get(key("count")), "41");

    const refusals = [];
    const stranger = connect(here, { password: "not the password", lazyConnect: true });
    stranger.on("error", (problem) => refusals.push(problem.message));
    await assert.rejects(stranger.connect().then(() => stranger.get("x")));
    assert.match(refusals.join(), /^WRONGPASS/);
    assert.equal(await one.quit(), "OK");
    for (const client of made) client.disconnect();
  }
}
