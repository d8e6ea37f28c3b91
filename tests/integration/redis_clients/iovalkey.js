import { Redis } from "iovalkey";
import { asIoredis, run } from "./common.js";

run(() => asIoredis("iovalkey", Redis, [{}, { db: 2 }, { enableReadyCheck: false, enableAutoPipelining: true }]));
