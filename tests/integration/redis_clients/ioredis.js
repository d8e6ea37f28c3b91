import { Redis } from "ioredis";
import { asIoredis, run } from "./common.js";

run(() => asIoredis("ioredis", Redis, [{}, { protocol: 2 }, { protocol: 3, db: 2 },
  { enableReadyCheck: false, enableAutoPipelining: true }]));
